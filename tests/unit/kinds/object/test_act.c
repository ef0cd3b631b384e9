// Actions in a cluster, and who lives in a namespace before it is deleted.
#include "lib/kinds/object/act.h"

#include "lib/base/str.h"
#include "lib/kinds/object/object.h"
#include "lib/kinds/object/plan.h"
#include "tests/support/object_rig.h"

#include <errno.h>
#include <string.h>

#define HOME "/api/v1/namespaces/hostk8s"
#define PATCH_PATH(path) path "?fieldManager=hostk8s-registryd&force=true"

static void test_apply(void **state)
{
    struct object_rig *rig = *state;
    json_auto_t *body = json_pack("{s:s}", "kind", "Service");
    const struct action action = {.op = OBJECT_APPLY,
                                  .resource = "kube/dev/Service/hostk8s/registry-ui",
                                  .target = HOME "/services/registry-ui",
                                  .argument = "digest",
                                  .body = body};
    object_rig_rule(rig, "PATCH", 200, "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"7\"}}");
    object_rig_act(rig, &action);
    assert_int_equal(rig->err.kind, ERROR_NONE);
    const struct fake_request *request = fake_transport_last(rig->fake);
    assert_int_equal(request->method, HTTP_PATCH);
    assert_string_equal(request->path, PATCH_PATH(HOME "/services/registry-ui"));
    assert_string_equal(request->body, "{\"kind\":\"Service\"}");
    // What the server answers is as the manifest makes it: no dry run asks for that again.
    struct object_memory *memory = rig->memory;
    json_auto_t *same = json_pack("{s:{s:s, s:s}}", "metadata", "uid", "u", "resourceVersion", "7");
    json_auto_t *later =
        json_pack("{s:{s:s, s:s}}", "metadata", "uid", "u", "resourceVersion", "8");
    json_auto_t *other =
        json_pack("{s:{s:s, s:s}}", "metadata", "uid", "v", "resourceVersion", "7");
    json_auto_t *none = json_pack("{s:{s:s}}", "metadata", "uid", "u");
    assert_true(object_memory_agrees(memory, action.resource, "digest", same));
    assert_false(object_memory_agrees(memory, action.resource, "other", same));
    assert_false(object_memory_agrees(memory, action.resource, "digest", later));
    assert_false(object_memory_agrees(memory, action.resource, "digest", other));
    assert_false(object_memory_agrees(memory, "kube/dev/Service/hostk8s/x", "digest", same));
    object_memory_agree(memory, action.resource, "digest", none);
    assert_false(object_memory_agrees(memory, action.resource, "digest", none));
    object_rig_rule(rig, "PATCH", 403, "{\"message\":\"no\"}");
    object_rig_act(rig, &action);
    assert_int_equal(rig->err.status, 403);
}

static void test_delete(void **state)
{
    struct object_rig *rig = *state;
    const struct action action = {
        .op = OBJECT_DELETE, .target = HOME "/services/registry-ui", .argument = "uid-1"};
    object_rig_rule(rig, "DELETE", 200, "{}");
    object_rig_act(rig, &action);
    assert_int_equal(rig->err.kind, ERROR_NONE);
    assert_string_equal(fake_transport_last(rig->fake)->body,
                        "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":"
                        "\"Background\",\"preconditions\":{\"uid\":\"uid-1\"}}");
    object_rig_rule(rig, "DELETE", 409, "{\"message\":\"another uid\"}");
    object_rig_act(rig, &action);
    assert_int_equal(rig->err.status, 409);
}

static void test_not_connected(void **state)
{
    struct object_rig *rig = *state;
    object_kind.invalidate(&rig->io, &rig->memory);
    object_kind.cancel(&rig->io, rig->memory, true);
    object_kind.unwatch(&rig->io, rig->memory);
    const struct action action = {.op = OBJECT_DELETE, .cluster = "dev"};
    assert_int_equal(object_rig_begin_act(rig, &action), -ENOENT);
    assert_string_equal(rig->err.text, "no connection to cluster dev");
    assert_int_equal(rig->err.kind, ERROR_CONFLICT);
    object_kind.cancel(&rig->io, rig->memory, true);
    object_kind.invalidate(&rig->io, &rig->memory);
}

// ---- a namespace ----

#define GROUPS(discovery)                                                                          \
    "{\"groups\": [{\"versions\": [{\"groupVersion\": \"" discovery                                \
    ".k8s.io/v1\"}]},{\"versions\": [{\"groupVersion\": \"events.k8s.io/v1\"}]},"                  \
    "{\"versions\": [{\"groupVersion\": \"metrics.k8s.io/v1beta1\"}]},"                            \
    "{\"versions\": [{\"groupVersion\": \"a.example/v1\"}, {\"groupVersion\": "                    \
    "\"a.example/v2\"}]}]}"
// Of these only the last three are looked at: the others are a part, cannot be listed, are of the
// whole cluster, pass, or are seen as EndpointSlices.
#define CORE                                                                                       \
    "{\"resources\": [{\"name\": \"pods/log\", \"namespaced\": true, \"verbs\": [\"list\"]},"      \
    "{\"name\": \"bindings\", \"namespaced\": true, \"verbs\": [\"create\"]},"                     \
    "{\"name\": \"nodes\", \"namespaced\": false, \"verbs\": [\"list\"]},"                         \
    "{\"name\": \"events\", \"namespaced\": true, \"verbs\": [\"list\"]},"                         \
    "{\"name\": \"endpoints\", \"namespaced\": true, \"verbs\": [\"list\"]},"                      \
    "{\"name\": \"secrets\", \"namespaced\": true, \"verbs\": [\"list\", \"get\"]},"               \
    "{\"name\": \"configmaps\", \"namespaced\": true, \"verbs\": [\"list\"]},"                     \
    "{\"name\": \"serviceaccounts\", \"namespaced\": true, \"verbs\": [\"list\"]}]}"
#define OTHER(name)                                                                                \
    "{\"resources\": [{\"name\": \"" name "\", \"namespaced\": true, \"verbs\": [\"list\"]}]}"
#define ITEMS(item) "{\"items\": [" item "]}"
#define NAMED(name) ITEMS("{\"metadata\": {\"name\": \"" name "\"}}")
#define OWN                                                                                        \
    ITEMS("{\"metadata\": {\"name\": \"x\", \"labels\": {\"app.kubernetes.io/managed-by\": "       \
          "\"hostk8s-registryd\"}}}")
#define TOKEN(type, account)                                                                       \
    ITEMS("{\"type\": \"" type "\", \"metadata\": {\"name\": \"x\", \"annotations\": {"            \
          "\"kubernetes.io/service-account.name\": \"" account "\"}}}")
#define TOKEN_TYPE "kubernetes.io/service-account-token"

static const struct action delete_home = {
    .op = OBJECT_DELETE_NAMESPACE,
    .resource = "kube/dev/Namespace/hostk8s",
    .cluster = "dev",
    .target = HOME,
    .argument = "uid-1",
};

// What there is in the namespace, nobody's; request answers otherwise, unless it is NULL.
static void delete_with(struct object_rig *rig, const char *request, int status, const char *body)
{
    static const struct {
        const char *request;
        const char *body;
    } rules[] = {
        {"GET /api/v1", CORE},
        {"GET /apis", GROUPS("discovery")},
        {"GET /apis/discovery.k8s.io/v1", OTHER("endpointslices")},
        {"GET /apis/other.k8s.io/v1", OTHER("others")},
        {"/endpoints", ITEMS("")},
        {"/others", ITEMS("")},
        {"GET /apis/a.example/v2", OTHER("gadgets")},
        {"GET /apis/a.example/v1", OTHER("widgets")},
        {"/gadgets", ITEMS("")},
        {"/widgets", OWN},
        {"/serviceaccounts", NAMED("default")},
        {"/configmaps", NAMED("kube-root-ca.crt")},
        {"/secrets", TOKEN(TOKEN_TYPE, "default")},
        {"PATCH", "{}"},
        {"DELETE", "{}"},
    };
    object_rig_reset(rig);
    for (size_t i = 0; i < ELEMENTS(rules); i++) {
        bool replaced = request != NULL && str_equal(rules[i].request, request);
        object_rig_rule(rig, rules[i].request, replaced ? status : 200,
                        replaced ? body : rules[i].body);
    }
    object_rig_act(rig, &delete_home);
}

static void test_nobody_lives_there(void **state)
{
    struct object_rig *rig = *state;
    delete_with(rig, NULL, 0, NULL);
    assert_int_equal(rig->err.kind, ERROR_NONE);
    object_rig_assert_requests(rig, "GET /apis\n"
                                    "GET /api/v1\n"
                                    "GET /apis/discovery.k8s.io/v1\n"
                                    "GET /apis/a.example/v1\n"
                                    "GET /apis/a.example/v2\n"
                                    "LIST secrets configmaps serviceaccounts endpointslices "
                                    "widgets gadgets\n"
                                    "DELETE " HOME "\n");
    assert_non_null(strstr(fake_transport_last(rig->fake)->body, "\"uid\":\"uid-1\""));
    assert_string_equal(rig->err.text, "");
    assert_string_equal(fake_transport_request(rig->fake, 5)->path,
                        HOME "/secrets?labelSelector=app.kubernetes.io%2Fmanaged-by%21%3Dhostk8s-"
                             "registryd&limit=10");
}

static void test_endpoints_without_slices(void **state)
{
    struct object_rig *rig = *state;
    delete_with(rig, "GET /apis", 200, GROUPS("other"));
    object_rig_assert_requests(rig, "GET /apis\n"
                                    "GET /api/v1\n"
                                    "GET /apis/other.k8s.io/v1\n"
                                    "GET /apis/a.example/v1\n"
                                    "GET /apis/a.example/v2\n"
                                    "LIST endpoints secrets configmaps serviceaccounts others "
                                    "widgets gadgets\n"
                                    "DELETE " HOME "\n");
}

static const struct {
    const char *request;
    const char *list;
    const char *resident;
} residents[] = {
    {"/secrets", NAMED("token"), "secrets/token"},
    {"/secrets", NAMED("kube-root-ca.crt"), "secrets/kube-root-ca.crt"},
    {"/secrets", TOKEN(TOKEN_TYPE, "other"), "secrets/x"},
    {"/secrets", TOKEN("Opaque", "default"), "secrets/x"},
    {"/configmaps", NAMED("default"), "configmaps/default"},
    {"/gadgets", NAMED("default"), "gadgets/default"},
    {"/gadgets", ITEMS("{}"), "gadgets/"},
    {"/gadgets", NAMED("a\\nb"), "gadgets/a b"},
    {"/widgets", "{\"items\": [], \"metadata\": {\"continue\": \"x\"}}", "more than 10 widgets"},
};

static void test_others_live_there(void **state)
{
    struct object_rig *rig = *state;
    for (size_t i = 0; i < ELEMENTS(residents); i++) {
        object_rig_reset(rig);
        delete_with(rig, residents[i].request, 200, residents[i].list);
        assert_int_equal(rig->err.kind, ERROR_NONE);
        // Released: the label is taken over from whoever may have set it, then let go of with the
        // rest.
        size_t count = fake_transport_count(rig->fake);
        const struct fake_request *take = fake_transport_request(rig->fake, count - 2);
        const struct fake_request *release = fake_transport_request(rig->fake, count - 1);
        assert_string_equal(take->path, PATCH_PATH(HOME));
        assert_string_equal(
            take->body,
            "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"hostk8s\","
            "\"uid\":\"uid-1\",\"labels\":{\"app.kubernetes.io/managed-by\":\"\"}}}");
        assert_string_equal(release->path, PATCH_PATH(HOME));
        assert_string_equal(release->body,
                            "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{"
                            "\"name\":\"hostk8s\",\"uid\":\"uid-1\"}}");
        _cleanup_free_ char *text = str_printf(
            "is left in place and no longer managed, for others live "
            "in it: %s; if nothing there is needed, `kubectl --context kind-dev delete namespace "
            "hostk8s`",
            residents[i].resident);
        assert_string_equal(rig->err.text, text);
    }
}

static void test_release_fails(void **state)
{
    struct object_rig *rig = *state;
    delete_with(rig, "/secrets", 200, NAMED("token"));
    object_rig_rule(rig, "PATCH", 500, "{}");
    object_rig_act(rig, &delete_home);
    assert_int_equal(rig->err.status, 500);
    assert_null(strstr(rig->err.text, "is left"));
    fake_transport_refuse(rig->fake, 1, EMFILE);
    assert_int_equal(object_rig_begin_act(rig, &delete_home), -EMFILE);
}

// An API that does not answer keeps the namespace, unless another shows that others live there.
static void test_doubt(void **state)
{
    struct object_rig *rig = *state;
    static const int statuses[] = {403, 404, 503};
    for (size_t i = 0; i < ELEMENTS(statuses); i++) {
        object_rig_reset(rig);
        delete_with(rig, "GET /apis/a.example/v1", statuses[i], "{\"message\":\"down\"}");
        assert_int_equal(rig->err.code, OBJECT_DOUBT);
        assert_int_equal(rig->err.kind, ERROR_TRANSIENT);
        _cleanup_free_ char *text =
            str_printf("is kept while others may live in it: kube: GET /apis/a.example/v1: down "
                       "(HTTP %d)",
                       statuses[i]);
        assert_string_equal(rig->err.text, text);
        assert_int_equal(fake_transport_last(rig->fake)->method, HTTP_GET);
        // The first doubt is told.
        object_rig_rule(rig, "/gadgets", 500, "{}");
        object_rig_act(rig, &delete_home);
        assert_string_equal(rig->err.text, text);
        object_rig_rule(rig, "/gadgets", 200, NAMED("mine"));
        object_rig_act(rig, &delete_home);
        assert_int_equal(rig->err.kind, ERROR_NONE);
        assert_non_null(strstr(rig->err.text, "gadgets/mine"));
    }
}

static const struct {
    const char *request;
    int status;
    const char *body;
    int code;
} unanswered[] = {
    {"GET /apis", 0, "", ECONNREFUSED},
    {"GET /apis", 403, "{}", EREMOTEIO},
    {"/widgets", 0, "", ECONNREFUSED},
    {"/widgets", 401, "{}", EREMOTEIO},
    {"GET /api/v1", 429, "{}", EREMOTEIO},
    {"GET /apis", 200, "{\"groups\":[{\"versions\":[{\"groupVersion\":\"a b\"}]}]}", EBADMSG},
    {"GET /apis", 200, "{\"groups\":[{\"versions\":[{}]}]}", EBADMSG},
};

static void test_unanswered(void **state)
{
    struct object_rig *rig = *state;
    for (size_t i = 0; i < ELEMENTS(unanswered); i++) {
        object_rig_reset(rig);
        delete_with(rig, unanswered[i].request, unanswered[i].status, unanswered[i].body);
        assert_int_equal(rig->err.code, unanswered[i].code);
        assert_int_equal(fake_transport_last(rig->fake)->method, HTTP_GET);
    }
}

static void test_too_many_collections(void **state)
{
    struct object_rig *rig = *state;
    json_auto_t *groups = json_pack("{s:[{s:[]}]}", "groups", "versions");
    json_t *versions =
        json_object_get(json_array_get(json_object_get(groups, "groups"), 0), "versions");
    for (int i = 0; i < 4096; i++) {
        json_array_append_new(versions,
                              json_pack("{s:o}", "groupVersion", json_sprintf("a/v%d", i)));
    }
    _cleanup_free_ char *text = json_dumps(groups, 0);
    delete_with(rig, "GET /apis", 200, text);
    assert_int_equal(rig->err.code, E2BIG);
    assert_string_equal(rig->err.text, "the cluster serves more than 4096 collections");
}

static void test_interrupted(void **state)
{
    struct object_rig *rig = *state;
    json_auto_t *body = json_object();
    const struct action apply = {.op = OBJECT_APPLY, .target = HOME, .body = body};
    for (int i = 0; i < 4; i++) {
        object_rig_reset(rig);
        assert_int_equal(object_rig_begin_act(rig, i < 2 ? &apply : &delete_home), 0);
        object_rig_interrupt(rig, i % 2 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OBJECT_TEST(test_apply),
        OBJECT_TEST(test_delete),
        OBJECT_TEST(test_not_connected),
        OBJECT_TEST(test_nobody_lives_there),
        OBJECT_TEST(test_endpoints_without_slices),
        OBJECT_TEST(test_others_live_there),
        OBJECT_TEST(test_release_fails),
        OBJECT_TEST(test_doubt),
        OBJECT_TEST(test_unanswered),
        OBJECT_TEST(test_too_many_collections),
        OBJECT_TEST(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
