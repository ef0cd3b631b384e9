// All that a registry tells, asked for in requests of which the answers are what distribution 2.8.2
// says.
#include "lib/base/str.h"
#include "lib/registry/mark.h"
#include "lib/registry/registry.h"
#include "lib/registry/survey.h"
#include "tests/support/fake_transport.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
#define DIGEST(digit) "sha256:" HEX digit
#define ENCODED(digit) "sha256%3A" HEX digit
#define UNKNOWN "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\"}]}"

static struct fake_transport *fake;
static struct api *api;

static int setup(_unused_ void **state)
{
    fake = fake_transport_new();
    return registry_new(fake_transport_http(fake), "http://127.0.0.1:5002", 500, NULL, &api, NULL);
}

static int teardown(_unused_ void **state)
{
    api_free(api);
    fake_transport_run(fake);
    fake_transport_free(fake);
    return 0;
}

struct surveyed {
    struct store *store;
    struct error err;
    unsigned calls;
};

static void on_surveyed(void *ctx, struct store *store, const struct error *err)
{
    struct surveyed *surveyed = ctx;
    surveyed->store = store;
    surveyed->err = err != NULL ? *err : (struct error){0};
    surveyed->calls++;
}

static void answer(int status, const char *headers, const char *body)
{
    fake_transport_answer(
        fake, &(struct fake_answer){.status = status, .headers = headers, .body = body});
}

#define PART(digit, more) "{\"digest\":\"" DIGEST(digit) "\",\"size\":5" more "}"
#define IMAGE                                                                                      \
    "{\"config\":" PART("1", "") ",\"layers\":[" PART("2", "") "," PART(                           \
        "3", ",\"urls\":[\"http://elsewhere\"]") "]}"
#define IS(digit) "Docker-Content-Digest: " DIGEST(digit) "\r\n"
#define NEXT(path) "Link: <" path ">; rel=\"next\"\r\n"
#define APP                                                                                        \
    {200, NULL, "{\"repositories\":[\"a/b\"]}\n"},                                                 \
    {                                                                                              \
        200, NULL, "{\"tags\":[\"v1\"]}"                                                           \
    }

struct survey_case {
    struct {
        int status;
        const char *headers;
        const char *body;
    } answers[10];
    const char *paths; // that are asked for, below /v2/; NULL: not looked at
    const char *held;  // "REPOSITORY tags revisions damaged", one a line
    const char *error;
};

static const struct survey_case cases[] = {
    // Some tell the whole URL of a page. What is no name is left out.
    {{{200, NEXT("/v2/_catalog?last=b%2Fc&n=2"), "{\"repositories\":[\"a\",\"b/c\"]}\n"},
      {200, NULL, "{\"name\":\"a\",\"tags\":null}\n"},
      {404, NULL, "{\"errors\":[{\"code\":\"NAME_UNKNOWN\"}]}\n"},
      {200, NEXT("http://127.0.0.1:5002/v2/_catalog?last=d"),
       "{\"repositories\":[\"d\",7,\"../e\",\"F\"]}\n"},
      {200, NEXT("/v2/d/tags/list?last=1"), "{\"tags\":[\"a b\"]}\n"},
      {200, "Link: </v2/_catalog?last=g>; rel=\"prev\"\r\n", "{\"repositories\":[\"g\"]}\n"},
      {200, NULL, "{\"tags\":[]}\n"},
      {200, NULL, "{\"tags\":null}\n"}},
     "_catalog a/tags/list b/c/tags/list _catalog?last=b%2Fc&n=2 d/tags/list _catalog?last=d "
     "d/tags/list?last=1 g/tags/list",
     "a 0 0 0\nb/c 0 0 0\nd 0 0 0\ng 0 0 0\n",
     NULL},
    // A tag of an index, one whose manifest is lost, another of the index's child. The other child
    // was not pushed. The lost manifest, a lost layer, and the child's own size, which is not what
    // the index says, are damage.
    {{{200, NULL, "{\"repositories\":[\"app\"]}"},
      {200, NULL, "{\"tags\":[\"all\",\"lost\",\"one\"]}"},
      {200, IS("a"), "{\"manifests\":[" PART("b", "") "," PART("c", "") "]}"},
      {404, NULL, UNKNOWN},
      {200, IS("b"), IMAGE},
      {200, IS("b"), IMAGE},
      {404, NULL, UNKNOWN},
      {200, "Content-Length: 5\r\n", NULL},
      {404, "Content-Length: 157\r\n", NULL}},
     "_catalog app/tags/list app/manifests/all app/manifests/lost app/manifests/one "
     "app/manifests/" ENCODED("b") " app/manifests/" ENCODED("c") " app/blobs/" ENCODED(
         "1") " app/blobs/" ENCODED("2"),
     "app 3 2 3\n",
     NULL},
    {{APP, {200, IS("b"), IMAGE}, {200, "Content-Length: 6\r\n", NULL}, {200, NULL, NULL}},
     NULL,
     "a/b 1 1 2\n",
     NULL},
    {{{401, NULL, UNKNOWN}}, NULL, NULL, "GET /v2/_catalog: MANIFEST_UNKNOWN (HTTP 401)"},
    {{{200, NULL, "{\"repositories\":[\"a\",\"b\"]}"},
      {200, NULL, "{\"tags\":[\"1\"]}"},
      {500, NULL, "{}"},
      {404, NULL, UNKNOWN}},
     NULL,
     NULL,
     "GET /v2/b/tags/list: {} (HTTP 500)"},
    {{APP, {200, NULL, "{}"}}, NULL, NULL, "ask for manifest v1 of a/b: the answer has no digest"},
    {{APP, {200, "Docker-Content-Digest: sha512:12\r\n", "{}"}},
     NULL,
     NULL,
     "ask for manifest v1 of a/b: the answer has no digest"},
    {{APP, {500, NULL, "{}"}}, NULL, NULL, "ask for manifest v1 of a/b: {} (HTTP 500)"},
    {{APP, {200, IS("b"), IMAGE}, {500, NULL, NULL}, {404, NULL, NULL}},
     NULL,
     NULL,
     "ask for blob " DIGEST("1") " of a/b (HTTP 500)"},
};

static char *paths_of(size_t first)
{
    struct buf text = BUF_INIT(4096);
    for (size_t i = first; i < fake_transport_count(fake); i++) {
        const struct fake_request *sent = fake_transport_request(fake, i);
        bool blob = strstr(sent->path, "/blobs/") != NULL;
        assert_int_equal(sent->method, blob ? HTTP_HEAD : HTTP_GET);
        assert_non_null(strstr(sent->accept, "application/vnd.oci.image.index.v1+json"));
        (void)buf_printf(&text, "%s%s", i == first ? "" : " ", sent->path + strlen("/v2/"));
    }
    return buf_take(&text);
}

static char *held_by(struct store *store)
{
    struct buf text = BUF_INIT(4096);
    mark_store(store, &(struct mark_rules){0});
    for (size_t i = 0; i < store->repository_count; i++) {
        const struct store_repository *one = &store->repositories[i];
        (void)buf_printf(&text, "%s %zu %zu %zu\n", one->name, one->tag_count, one->revision_count,
                         one->damaged);
    }
    return buf_take(&text);
}

static void test_cases(_unused_ void **state)
{
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct survey_case *test = &cases[i];
        struct surveyed surveyed = {0};
        size_t first = fake_transport_count(fake);
        for (size_t j = 0; test->answers[j].status != 0; j++) {
            answer(test->answers[j].status, test->answers[j].headers, test->answers[j].body);
        }
        assert_int_equal(survey_begin(api, on_surveyed, &surveyed, NULL), 0);
        (void)fake_transport_run(fake);
        assert_int_equal(surveyed.calls, 1);
        _cleanup_(store_freep) struct store *store = surveyed.store;
        _cleanup_free_ char *paths = paths_of(first);
        if (test->paths != NULL) {
            assert_string_equal(paths, test->paths);
        }
        assert_int_equal(store == NULL, test->error != NULL);
        if (store == NULL) {
            if (strstr(surveyed.err.text, test->error) == NULL) {
                fail_msg("%s, not %s", surveyed.err.text, test->error);
            }
            continue;
        }
        _cleanup_free_ char *held = held_by(store);
        assert_string_equal(held, test->held);
    }
}

static void test_endless(_unused_ void **state)
{
    struct surveyed surveyed = {0};
    for (size_t i = 0; i < 10000; i++) {
        answer(200, NEXT("/v2/_catalog"), "{\"repositories\":[]}\n");
    }
    assert_int_equal(survey_begin(api, on_surveyed, &surveyed, NULL), 0);
    assert_int_equal(fake_transport_run(fake), 10000);
    assert_string_equal(surveyed.err.text, "registry: GET /v2/_catalog: the list has no end");
}

static void test_refused(_unused_ void **state)
{
    struct surveyed surveyed = {0};
    fake_transport_refuse(fake, 1, ENOBUFS);
    assert_int_equal(survey_begin(api, on_surveyed, &surveyed, &surveyed.err), -ENOBUFS);
    assert_int_equal(surveyed.calls, 0);
    answer(200, NULL, "{\"repositories\":[\"a\",\"b\"]}");
    assert_int_equal(survey_begin(api, on_surveyed, &surveyed, NULL), 0);
    fake_transport_refuse(fake, 1, ENOBUFS);
    (void)fake_transport_run(fake);
    assert_int_equal(surveyed.calls, 1);
    assert_int_equal(surveyed.err.code, ENOBUFS);
}

static void test_cancelled(_unused_ void **state)
{
    struct surveyed surveyed = {0};
    answer(200, NULL, "{\"repositories\":[\"a\",\"b\"]}");
    assert_int_equal(survey_begin(api, on_surveyed, &surveyed, NULL), 0);
    assert_true(fake_transport_advance(fake));
    api_cancel(api, API_CHANGES);
    (void)fake_transport_run(fake);
    assert_int_equal(surveyed.calls, 1);
    assert_int_equal(surveyed.err.code, ECANCELED);
}

#define WITH_REGISTRY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REGISTRY(test_cases),
        WITH_REGISTRY(test_endless),
        WITH_REGISTRY(test_refused),
        WITH_REGISTRY(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
