// Which API groups an answer to GET /apis says are served: a recorded one, and strange ones.
#include "lib/kube/kube.h"
#include "tests/support/fake_transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_groups(void **state)
{
    (void)state;
    json_auto_t *groups = json_load_file(TEST_DATA "/fixtures/kube/api_groups.json", 0, NULL);
    assert_non_null(groups);
    assert_true(kube_api_groups_serve(groups, "apps/v1"));
    assert_true(kube_api_groups_serve(groups, "networking.k8s.io/v1"));
    assert_true(kube_api_groups_serve(groups, "discovery.k8s.io/v1beta1"));
    assert_false(kube_api_groups_serve(groups, "discovery.k8s.io/v1"));
    assert_false(kube_api_groups_serve(groups, "apps"));
    assert_false(kube_api_groups_serve(groups, ""));
    assert_false(kube_api_groups_serve(NULL, "apps/v1"));

    static const char *const shapes[] = {
        "[]",
        "{}",
        "{\"groups\": null}",
        "{\"groups\": {\"versions\": []}}",
        "{\"groups\": [null, 1, [], {}, {\"versions\": null}, {\"versions\": 2}]}",
        "{\"groups\": [{\"versions\": [null, 3, {}, {\"groupVersion\": null}]}]}",
    };
    for (size_t i = 0; i < ELEMENTS(shapes); i++) {
        json_auto_t *shape = json_loads(shapes[i], 0, NULL);
        assert_non_null(shape);
        assert_false(kube_api_groups_serve(shape, "apps/v1"));
    }
}

struct asked {
    bool answered;
    struct error err;
};

static void record(void *ctx, json_t *answer, const struct error *err)
{
    struct asked *asked = ctx;
    asked->answered = answer != NULL;
    asked->err = err == NULL ? (struct error){0} : *err;
}

static void test_asked(void **state)
{
    (void)state;
    struct fake_transport *fake = fake_transport_new();
    struct kube *kube = NULL;
    const struct kube_credentials credentials = {.server = (char[]){"https://127.0.0.1:6443"}};
    assert_int_equal(kube_new(fake_transport_http(fake), &credentials, 1000, &kube, NULL), 0);
    struct asked asked = {0};
    fake_transport_reply(fake, 200, "{\"groups\": []}");
    assert_int_equal(kube_get_groups(kube, record, &asked, NULL), 0);
    assert_string_equal(fake_transport_last(fake)->path, "/apis");
    assert_int_equal(fake_transport_run(fake), 1);
    assert_true(asked.answered);

    fake_transport_reply(fake, 200, "{}");
    assert_int_equal(kube_get_groups(kube, record, &asked, NULL), 0);
    assert_int_equal(fake_transport_run(fake), 1);
    assert_false(asked.answered);
    assert_string_equal(asked.err.text, "kube: GET /apis: the answer has no list of groups");
    kube_free(kube);
    fake_transport_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
