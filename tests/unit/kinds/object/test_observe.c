// What cases.txt does not tell of an observation: how its requests look, and its end.
#include "lib/kinds/object/observe.h"

#include "tests/support/object_rig.h"

#include <errno.h>
#include <string.h>

#define NS "/namespaces/hostk8s"
#define MANAGED "labelSelector=app.kubernetes.io%2Fmanaged-by%3Dhostk8s-registryd"

// The first request to a path that begins so.
static const struct fake_request *request_to(const struct object_rig *rig, enum http_method method,
                                             const char *start)
{
    size_t i = 0;
    while (fake_transport_request(rig->fake, i)->method != method ||
           strncmp(fake_transport_request(rig->fake, i)->path, start, strlen(start)) != 0) {
        i++;
        assert_true(i < fake_transport_count(rig->fake));
    }
    return fake_transport_request(rig->fake, i);
}

static void test_requests(void **state)
{
    struct object_rig *rig = *state;
    object_rig_rule(rig, "PATCH /apis/apps/v1", 422, "{\"reason\":\"Invalid\"}");
    object_rig_have(rig, "Deployment/hostk8s/registry-ui", "{'status':null}");
    object_rig_observe(rig);
    assert_string_equal(request_to(rig, HTTP_GET, "/api/v1/namespaces?")->path,
                        "/api/v1/namespaces?" MANAGED);
    assert_string_equal(
        request_to(rig, HTTP_GET, "/apis/discovery.k8s.io")->path,
        "/apis/discovery.k8s.io/v1/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D"
        "registry-api");
    assert_string_equal(request_to(rig, HTTP_GET, "/api/v1" NS "/pods")->path,
                        "/api/v1" NS "/pods?" MANAGED);
    const struct fake_request *apply = request_to(rig, HTTP_PATCH, "/api/v1" NS "/services");
    assert_string_equal(apply->path, "/api/v1" NS "/services/registry-api?fieldManager="
                                     "hostk8s-registryd&force=true&dryRun=All");
    assert_string_equal(apply->content_type, "application/apply-patch+yaml");
    const struct fake_request *create = request_to(rig, HTTP_POST, "/");
    assert_string_equal(create->path, "/apis/apps/v1" NS "/deployments?dryRun=All");
    assert_non_null(strstr(create->body, "\"kind\":\"Deployment\""));
}

static void test_interrupted(void **state)
{
    struct object_rig *rig = *state;
    for (size_t steps = 0; steps < 24; steps++) {
        object_rig_reset(rig);
        assert_int_equal(object_rig_begin_observe(rig), 0);
        for (size_t i = 0; i < steps / 2; i++) {
            object_rig_serve_one(rig);
        }
        object_rig_interrupt(rig, steps % 2 == 0);
    }
}

static void test_nothing_can_be_sent(void **state)
{
    struct object_rig *rig = *state;
    fake_transport_refuse(rig->fake, 1, ENFILE);
    assert_int_equal(object_rig_begin_observe(rig), -ENFILE);
    assert_int_equal(rig->err.code, ENFILE);
    assert_int_equal(object_rig_begin_observe(rig), 0);
    fake_transport_refuse(rig->fake, 1, EMFILE);
    object_rig_serve(rig);
    assert_int_equal(rig->done, 1);
    assert_int_equal(rig->err.code, EMFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OBJECT_TEST(test_requests),
        OBJECT_TEST(test_interrupted),
        OBJECT_TEST(test_nothing_can_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
