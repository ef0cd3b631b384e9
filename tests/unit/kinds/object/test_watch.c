// The watches of a cluster as one stream.
#include "lib/kinds/object/watch.h"

#include "lib/base/str.h"
#include "lib/kinds/object/object.h"
#include "tests/support/object_rig.h"

#include <errno.h>
#include <string.h>

// Observed, and watched.
static void init_watched(struct object_rig *rig)
{
    object_rig_observe(rig);
    assert_int_equal(object_rig_begin_watch(rig), 0);
}

static void test_which(void **state)
{
    struct object_rig *rig = *state;
    object_rig_rule(rig, "GET /apis/networking.k8s.io/v1/ingresses", 200,
                    "{\"metadata\":{\"resourceVersion\":\"41\"},\"items\":[]}");
    init_watched(rig); // from the list on
    assert_string_equal(fake_transport_last(rig->fake)->path,
                        "/apis/networking.k8s.io/v1/ingresses?watch=1&allowWatchBookmarks=true&"
                        "timeoutSeconds=300&labelSelector=app.kubernetes.io%2Fmanaged-by%3D"
                        "hostk8s-registryd&resourceVersion=41");
    object_rig_assert_requests(rig, "GET /api/v1/namespaces\n"
                                    "GET /api/v1/configmaps\n"
                                    "GET /apis/apps/v1/deployments\n"
                                    "GET /api/v1/services\n"
                                    "GET /apis/discovery.k8s.io/v1/endpointslices\n"
                                    "GET /apis/networking.k8s.io/v1/ingresses\n");
}

// A kind that could not be listed is not watched, so that it does not end the others.
static void test_unlisted(void **state)
{
    struct object_rig *rig = *state;
    static const int statuses[] = {403, 404};
    for (size_t i = 0; i < ELEMENTS(statuses); i++) {
        object_rig_reset(rig);
        object_rig_rule(rig, "GET /apis/networking.k8s.io/v1/ingresses", statuses[i], "{}");
        object_rig_observe(rig);
        assert_int_equal(object_rig_begin_watch(rig), 0);
        assert_int_equal(fake_transport_count(rig->fake) - rig->logged, 5);
    }
}

static void push(struct object_rig *rig, size_t watch, const char *event)
{
    fake_transport_push(rig->fake, rig->logged + watch, event, strlen(event));
}

#define EVENT(type, uid, version)                                                                  \
    "{\"type\":\"" type "\",\"object\":{\"metadata\":{\"uid\":\"" uid                              \
    "\",\"resourceVersion\":\"" version "\"}}}\n"

static void test_events(void **state)
{
    struct object_rig *rig = *state;
    init_watched(rig);
    push(rig, 3, "{\"type\":\"ADDED\",\"object\":{}}\n");
    push(rig, 1, "{\"type\":\"DELETED\",\"object\":{}}\n");
    assert_int_equal(rig->dirty, 2);
    push(rig, 3, "{\"type\":\"BOOKMARK\",\"object\":{}}\n");
    assert_int_equal(rig->dirty, 2);
    json_auto_t *made = json_pack("{s:{s:s, s:s}}", "metadata", "uid", "u", "resourceVersion", "5");
    object_memory_agree(object_memory_get(&rig->memory), "kube/hostk8s/Service/a/b", "1", made);
    push(rig, 3, EVENT("ADDED", "u", "5"));
    assert_int_equal(rig->dirty, 2); // it is known
    push(rig, 3, EVENT("MODIFIED", "u", "50"));
    push(rig, 3, EVENT("ADDED", "v", "5"));
    push(rig, 3, EVENT("DELETED", "u", "5"));
    assert_int_equal(rig->dirty, 5);
    assert_int_equal(rig->done, 0);
    object_kind.unwatch(&rig->io, rig->memory);
    push(rig, 2, "{\"type\":\"ADDED\",\"object\":{}}\n");
    assert_int_equal(rig->dirty, 5);
}

// All end with the first one, for its reason.
static void end_one(struct object_rig *rig, int status, const char *body, int code,
                    const char *text)
{
    object_rig_reset(rig);
    init_watched(rig);
    fake_transport_reply(rig->fake, status, body);
    (void)fake_transport_run(rig->fake);
    assert_int_equal(rig->done, 1);
    assert_int_equal(rig->err.code, code);
    assert_string_equal(rig->err.text, text);
    assert_int_equal(rig->dirty, 0);
    assert_int_equal(fake_transport_under_way(rig->fake), 0);
    // It may be watched again.
    assert_int_equal(object_rig_begin_watch(rig), 0);
}

static void test_ends(void **state)
{
    struct object_rig *rig = *state;
    end_one(rig, 200, "", 0, "");
    end_one(rig, 500, "{\"message\":\"no\"}", EREMOTEIO,
            "kube: GET /api/v1/namespaces: no (HTTP 500)");
    end_one(rig, 410, "{\"message\":\"no\"}", EREMOTEIO,
            "kube: GET /api/v1/namespaces: no (HTTP 410)");
}

static void test_unwatched(void **state)
{
    struct object_rig *rig = *state;
    for (int invalidate = 0; invalidate < 2; invalidate++) {
        object_rig_reset(rig);
        init_watched(rig);
        if (invalidate == 0) {
            object_kind.unwatch(&rig->io, rig->memory);
            object_kind.unwatch(&rig->io, rig->memory);
        } else {
            object_kind.invalidate(&rig->io, &rig->memory);
        }
        assert_int_equal(rig->done, 0);
        (void)fake_transport_run(rig->fake);
        assert_int_equal(rig->done, 1);
        assert_int_equal(rig->err.code, ECANCELED);
    }
}

// Another client ends those of the one before.
static void test_reconnected(void **state)
{
    struct object_rig *rig = *state;
    init_watched(rig);
    api_free(object_memory_get(&rig->memory)->kube);
    object_rig_connect(rig);
    (void)fake_transport_run(rig->fake);
    assert_int_equal(rig->done, 1);
    assert_int_equal(rig->err.code, ECANCELED);
    assert_int_equal(object_rig_begin_watch(rig), 0);
}

static void test_not_observed(void **state)
{
    struct object_rig *rig = *state;
    assert_int_equal(object_rig_begin_watch(rig), -ENOTCONN);
    assert_string_equal(rig->err.text, "kube: nothing to watch yet");
    object_rig_observe(rig);
    fake_transport_refuse(rig->fake, 1, EMFILE);
    assert_int_equal(object_rig_begin_watch(rig), -EMFILE);
    assert_string_equal(rig->err.text, "kube: GET /api/v1/namespaces: refused by the test");
    assert_int_equal(rig->done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OBJECT_TEST(test_which),        OBJECT_TEST(test_unlisted),  OBJECT_TEST(test_events),
        OBJECT_TEST(test_ends),         OBJECT_TEST(test_unwatched), OBJECT_TEST(test_reconnected),
        OBJECT_TEST(test_not_observed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
