// Whether somebody lives in a namespace, by what an API server answers.
#include "lib/backend/backend_internal.h"
#include "lib/base/str.h"
#include "tests/support/fake_transport.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define GROUPS                                                                                     \
    "{\"groups\": [{\"versions\": [{\"groupVersion\": \"events.k8s.io/v1\"}]},"                    \
    "{\"versions\": [{\"groupVersion\": \"metrics.k8s.io/v1beta1\"}]},"                            \
    "{\"versions\": [{\"groupVersion\": \"a.example/v1\"}, {\"groupVersion\": "                    \
    "\"a.example/v2\"}]}]}"
// Of these only the last is looked at: a part, one that cannot be listed, one of the whole cluster,
// one that is passing.
#define CORE                                                                                       \
    "{\"resources\": [{\"name\": \"pods/log\", \"namespaced\": true, \"verbs\": [\"list\"]},"      \
    "{\"name\": \"bindings\", \"namespaced\": true, \"verbs\": [\"create\"]},"                     \
    "{\"name\": \"nodes\", \"namespaced\": false, \"verbs\": [\"list\"]},"                         \
    "{\"name\": \"events\", \"namespaced\": true, \"verbs\": [\"list\"]},"                         \
    "{\"name\": \"secrets\", \"namespaced\": true, \"verbs\": [\"get\", \"list\"]}]}"
#define OTHER(name)                                                                                \
    "{\"resources\": [{\"name\": \"" name "\", \"namespaced\": true, \"verbs\": [\"list\"]}]}"
#define ITEM(name) "{\"items\": [{\"metadata\": {\"name\": \"" name "\"}}]}"
#define NOBODY "{\"items\": []}"
#define OWN                                                                                        \
    "{\"items\": [{\"metadata\": {\"labels\": {\"" WORLD_LABEL_MANAGED_BY                          \
    "\": \"" WORLD_MANAGED_BY "\"}}}]}"
#define QUERY "?labelSelector=app.kubernetes.io%2Fmanaged-by%21%3Dhostk8s-registryd&limit=10"
#define ANSWERS_MAX 8

struct told {
    unsigned count;
    char *resident;
    char *doubt;
    struct error err;
};

static void record(void *ctx, const char *resident, const char *doubt, const struct error *err)
{
    struct told *told = ctx;
    told->count++;
    assert_int_equal(str_replace(&told->resident, resident), 0);
    assert_int_equal(str_replace(&told->doubt, doubt), 0);
    if (err != NULL) {
        told->err = *err;
    }
}

static const struct {
    struct fake_answer answers[ANSWERS_MAX];
    const char *last; // path of the last request
    const char *resident;
    const char *doubt;
    const char *error;
} looks[] = {
    {{{200, .body = GROUPS},
      {200, .body = CORE},
      {200, .body = OTHER("as")},
      {200, .body = OTHER("bs")},
      {200, .body = NOBODY},
      {200, .body = OWN},
      {200, .body = "{\"items\": null}"}},
     .last = "/apis/a.example/v2/namespaces/n/bs" QUERY},
    {{{200, .body = GROUPS},
      {200, .body = CORE},
      {200, .body = OTHER("as")},
      {200, .body = OTHER("bs")},
      {200, .body = NOBODY},
      {200, .body = ITEM("theirs")}},
     .last = "/apis/a.example/v1/namespaces/n/as" QUERY,
     .resident = "as/theirs"},
    // Found in spite of an API that does not answer.
    {{{200, .body = GROUPS},
      {200, .body = CORE},
      {503, .body = "down"},
      {200, .body = OTHER("bs")},
      {200, .body = NOBODY},
      {200, .body = ITEM("theirs")}},
     .last = "/apis/a.example/v2/namespaces/n/bs" QUERY,
     .resident = "bs/theirs",
     .doubt = "kube: GET /apis/a.example/v1: down (HTTP 503)"},
    {{{200, .body = GROUPS},
      {200, .body = "{}"},
      {403, .body = "no"},
      {200, .body = OTHER("bs")},
      {404, .body = "{\"reason\": \"NotFound\", \"message\": \"gone\"}"}},
     .last = "/apis/a.example/v2/namespaces/n/bs" QUERY,
     .doubt = "kube: GET /api/v1: the answer has no list of resources"},
    {{{200, .body = "{\"groups\": []}"},
      {200, .body = CORE},
      {200, .body = "{\"items\": [], \"metadata\": {\"continue\": \"x\"}}"}},
     .last = "/api/v1/namespaces/n/secrets" QUERY,
     .resident = "more than 10 secrets"},
    {{{200, .body = "{\"groups\": []}"}, {401, .body = "who"}},
     .last = "/api/v1",
     .error = "kube: GET /api/v1: who (HTTP 401)"},
    {{{200, .body = "{\"groups\": []}"},
      {0, .error = {.kind = ERROR_TRANSIENT, .code = ECONNREFUSED, .text = "refused"}}},
     .last = "/api/v1",
     .error = "kube: refused"},
    {{{200, .body = "{\"groups\": [{\"versions\": [{\"groupVersion\": \"a/../v1\"}]}]}"}},
     .last = "/apis",
     .error = "kube: GET /apis: the answer has a group without a valid version"},
    {{{200, .body = "{\"groups\": [{\"versions\": [{}]}]}"}},
     .last = "/apis",
     .error = "kube: GET /apis: the answer has a group without a valid version"},
};

static void test_looks(void **state)
{
    (void)state;
    const struct kube_credentials credentials = {.server = (char[]){"https://127.0.0.1:6443"}};
    for (size_t i = 0; i < ELEMENTS(looks); i++) {
        struct fake_transport *fake = fake_transport_new();
        struct kube *kube = NULL;
        struct told told = {0};
        assert_int_equal(kube_new(fake_transport_http(fake), &credentials, 1000, &kube, NULL), 0);
        for (size_t j = 0; j < ANSWERS_MAX; j++) {
            if (looks[i].answers[j].status != 0 || looks[i].answers[j].error.code != 0) {
                fake_transport_answer(fake, &looks[i].answers[j]);
            }
        }
        assert_int_equal(observe_residents(kube, "n", record, &told, NULL), 0);
        assert_int_equal(told.count, 0);
        (void)fake_transport_run(fake);
        assert_int_equal(told.count, 1);
        assert_string_equal(fake_transport_last(fake)->path, looks[i].last);
        assert_true(str_equal(told.resident, looks[i].resident));
        assert_true(str_equal(told.doubt, looks[i].doubt));
        assert_string_equal(told.err.text, looks[i].error == NULL ? "" : looks[i].error);
        free(told.resident);
        free(told.doubt);
        kube_free(kube);
        fake_transport_free(fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
