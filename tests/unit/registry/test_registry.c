// Asking a registry: lists in pages, manifests, blobs, and all of it in a survey. The answers are
// what distribution 2.8.2 says.
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

struct told {
    unsigned calls;
    struct buf text; // what came, in one line
    struct error err;
};

static void tell(struct told *told, const char *text, const struct error *err)
{
    told->calls++;
    (void)buf_printf(&told->text, "%s", text);
    told->err = err != NULL ? *err : (struct error){0};
}

static void on_names(void *ctx, const struct strv *names, const struct error *err)
{
    struct told *told = ctx;
    tell(told, "", err);
    for (size_t i = 0; err == NULL && i < names->count; i++) {
        (void)buf_printf(&told->text, "%s%s", i == 0 ? "" : " ", names->items[i]);
    }
}

static void on_manifest(void *ctx, const char *digest, const struct buf *text,
                        const struct error *err)
{
    tell(ctx, digest == NULL ? "none" : buf_str(text), err);
}

static void on_size(void *ctx, bool there, uint64_t size, const struct error *err)
{
    _cleanup_free_ char *text = str_printf("%d %d", there, (int)size);
    tell(ctx, text, err);
}

static void answer(int status, const char *headers, const char *body)
{
    fake_transport_answer(
        fake, &(struct fake_answer){.status = status, .headers = headers, .body = body});
}

static void check(struct told *told, const char *text, const char *error)
{
    assert_int_equal(told->calls, 1);
    assert_string_equal(told->err.text, error);
    if (*error == '\0') {
        assert_string_equal(buf_str(&told->text), text);
    }
    buf_done(&told->text);
    *told = (struct told){.text = BUF_INIT(4096)};
}

static void test_pages(_unused_ void **state)
{
    struct told told = {.text = BUF_INIT(4096)};
    answer(200, "Link: </v2/_catalog?last=b%2Fc&n=2>; rel=\"next\"\r\n",
           "{\"repositories\":[\"a\",\"b/c\"]}\n");
    // Some tell the whole URL. What is no name is left out.
    answer(200, "Link: <http://127.0.0.1:5002/v2/_catalog?last=d>; rel=\"next\"\r\n",
           "{\"repositories\":[\"d\",7,\"../e\",\"F\"]}\n");
    answer(200, "Link: </v2/_catalog?last=g>; rel=\"prev\"\r\n", "{\"repositories\":[\"g\"]}\n");
    assert_int_equal(registry_repositories(api, on_names, &told, NULL), 0);
    assert_int_equal(fake_transport_run(fake), 3);
    assert_string_equal(fake_transport_request(fake, 0)->path, "/v2/_catalog");
    assert_string_equal(fake_transport_request(fake, 1)->path, "/v2/_catalog?last=b%2Fc&n=2");
    assert_string_equal(fake_transport_request(fake, 2)->path, "/v2/_catalog?last=d");
    check(&told, "a b/c d g", "");
}

static void test_endless(_unused_ void **state)
{
    struct told told = {.text = BUF_INIT(4096)};
    for (size_t i = 0; i < 10000; i++) {
        answer(200, "Link: </v2/_catalog>; rel=\"next\"\r\n", "{\"repositories\":[]}\n");
    }
    assert_int_equal(registry_repositories(api, on_names, &told, NULL), 0);
    assert_int_equal(fake_transport_run(fake), 10000);
    check(&told, "", "registry: GET /v2/_catalog: the list has no end");
}

static void test_tags(_unused_ void **state)
{
    struct told told = {.text = BUF_INIT(4096)};
    answer(200, NULL, "{\"name\":\"a/b\",\"tags\":[\"1\",\"v2.0\"]}\n");
    assert_int_equal(registry_tags(api, "a/b", on_names, &told, NULL), 0);
    assert_string_equal(fake_transport_last(fake)->path, "/v2/a/b/tags/list");
    assert_int_equal(fake_transport_run(fake), 1);
    check(&told, "1 v2.0", "");
    // It has none, and is not known.
    answer(200, NULL, "{\"name\":\"a/b\",\"tags\":null}\n");
    answer(404, NULL, "{\"errors\":[{\"code\":\"NAME_UNKNOWN\"}]}\n");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(registry_tags(api, "a/b", on_names, &told, NULL), 0);
        assert_int_equal(fake_transport_run(fake), 1);
        check(&told, "", "");
    }
    answer(401, NULL, "{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}\n");
    assert_int_equal(registry_tags(api, "a/b", on_names, &told, NULL), 0);
    assert_int_equal(fake_transport_run(fake), 1);
    assert_int_equal(told.err.status, 401);
    buf_done(&told.text);
}

static void test_one(_unused_ void **state)
{
    static const struct {
        bool blob;
        int status;
        const char *headers;
        const char *text;
        const char *error;
    } table[] = {
        {false, 200, "docker-content-digest: " DIGEST("1") "\r\n", "{}", ""},
        {false, 404, NULL, "none", ""},
        {false, 200, NULL, NULL, "registry: ask for manifest v1 of a/b: the answer has no digest"},
        {false, 200, "Docker-Content-Digest: sha512:12\r\n", NULL,
         "registry: ask for manifest v1 of a/b: the answer has no digest"},
        {false, 500, NULL, NULL, "registry: ask for manifest v1 of a/b: {} (HTTP 500)"},
        {true, 200, "Content-Length: 123\r\n", "1 123", ""},
        {true, 404, "Content-Length: 157\r\n", "0 0", ""},
        {true, 500, NULL, NULL, "registry: ask for blob " DIGEST("1") " of a/b: {} (HTTP 500)"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct told told = {.text = BUF_INIT(4096)};
        answer(table[i].status, table[i].headers, "{}");
        int r = table[i].blob ? registry_size(api, "a/b", DIGEST("1"), on_size, &told, NULL)
                              : registry_manifest(api, "a/b", "v1", on_manifest, &told, NULL);
        assert_int_equal(r, 0);
        const struct fake_request *sent = fake_transport_last(fake);
        assert_int_equal(sent->method, table[i].blob ? HTTP_HEAD : HTTP_GET);
        assert_string_equal(sent->path, table[i].blob ? "/v2/a/b/blobs/sha256%3A" HEX "1"
                                                      : "/v2/a/b/manifests/v1");
        assert_non_null(strstr(sent->accept, "application/vnd.oci.image.index.v1+json"));
        assert_int_equal(fake_transport_run(fake), 1);
        check(&told, table[i].text, table[i].error);
        buf_done(&told.text);
    }
}

// ---- all of it

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

#define PART(digit, more) "{\"digest\":\"" DIGEST(digit) "\",\"size\":5" more "}"

// A tag of an index, another of its child, and one whose manifest is lost.
static void test_survey(_unused_ void **state)
{
    struct surveyed surveyed = {0};
    answer(200, NULL, "{\"repositories\":[\"app\"]}");
    answer(200, NULL, "{\"tags\":[\"all\",\"lost\",\"one\"]}");
    answer(200, "Docker-Content-Digest: " DIGEST("a") "\r\n",
           "{\"manifests\":[" PART("b", "") "," PART("c", "") "]}");
    answer(404, NULL, UNKNOWN);
    answer(200, "Docker-Content-Digest: " DIGEST("b") "\r\n",
           "{\"config\":" PART("1", "") ",\"layers\":[" PART("2", "") "," PART(
               "3", ",\"urls\":[\"http://elsewhere\"]") "]}");
    answer(200, "Docker-Content-Digest: " DIGEST("b") "\r\n",
           "{\"config\":" PART("1", "") ",\"layers\":[" PART("2", "") "," PART(
               "3", ",\"urls\":[\"http://elsewhere\"]") "]}");
    answer(404, NULL, UNKNOWN); // another child, which was not pushed
    answer(200, "Content-Length: 5\r\n", NULL);
    answer(404, NULL, NULL);
    assert_int_equal(survey_begin(api, on_surveyed, &surveyed, NULL), 0);
    assert_int_equal(fake_transport_run(fake), 9);
    assert_int_equal(surveyed.calls, 1);
    assert_string_equal(surveyed.err.text, "");
    mark_store(surveyed.store, &(struct mark_rules){0});
    const struct store_repository *app = store_repository(surveyed.store, "app");
    assert_int_equal(app->tag_count, 3);
    assert_int_equal(app->revision_count, 2);
    assert_string_equal(store_tag(app, "one")->digest, DIGEST("b"));
    assert_non_null(store_blob(surveyed.store, DIGEST("1")));
    assert_null(store_blob(surveyed.store, DIGEST("2")));
    // The tag's manifest, the layer, and the child's own size, which is not what the index says.
    assert_int_equal(app->damaged, 3);
    store_free(surveyed.store);
}

static void test_survey_fails(_unused_ void **state)
{
    struct surveyed surveyed = {0};
    answer(200, NULL, "{\"repositories\":[\"a\",\"b\",\"c\"]}");
    answer(200, NULL, "{\"tags\":[\"1\"]}");
    answer(500, NULL, "{}");
    answer(200, NULL, "{\"tags\":[\"1\"]}");
    answer(404, NULL, UNKNOWN);
    assert_int_equal(survey_begin(api, on_surveyed, &surveyed, NULL), 0);
    (void)fake_transport_run(fake);
    assert_int_equal(surveyed.calls, 1);
    assert_null(surveyed.store);
    assert_string_equal(surveyed.err.text, "registry: GET /v2/b/tags/list: {} (HTTP 500)");
}

static void test_survey_is_cancelled(_unused_ void **state)
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
        WITH_REGISTRY(test_pages),
        WITH_REGISTRY(test_endless),
        WITH_REGISTRY(test_tags),
        WITH_REGISTRY(test_one),
        WITH_REGISTRY(test_survey),
        WITH_REGISTRY(test_survey_fails),
        WITH_REGISTRY(test_survey_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
