// Uploads and manifests: what is sent, whatever the registry answers.
#include "lib/registry/push.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "tests/support/fake_transport.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ORIGIN "http://h:5"
#define LOG_BYTES_MAX 2048
#define ANSWERS_MAX 4

struct fixture {
    struct fake_transport *fake;
    struct api *api;
    struct error err; // of done
    char digest[128]; // likewise
    unsigned calls;
};

static struct fixture f;

static int setup(_unused_ void **state)
{
    const struct http_endpoint endpoint = {.base = ORIGIN};
    f = (struct fixture){.fake = fake_transport_new(), .api = xcalloc(1, sizeof(*f.api))};
    *f.api = (struct api){.name = "registry", .timeout_ms = 1000};
    return api_open(f.api, fake_transport_http(f.fake), &endpoint, NULL);
}

static int teardown(_unused_ void **state)
{
    api_free(f.api);
    fake_transport_free(f.fake);
    return 0;
}

static void on_pushed(_unused_ void *ctx, const struct error *err)
{
    f.calls++;
    f.err = err == NULL ? (struct error){0} : *err;
}

static void on_tagged(void *ctx, const char *digest, const struct error *err)
{
    on_pushed(ctx, err);
    assert_true((digest == NULL) == (err != NULL));
    (void)snprintf(f.digest, sizeof(f.digest), "%s", digest == NULL ? "" : digest);
}

// Every request so far, a line each.
static void assert_requests(const char *expected)
{
    _cleanup_buf_ struct buf log = BUF_INIT(LOG_BYTES_MAX);
    for (size_t i = 0; i < fake_transport_count(f.fake); i++) {
        const struct fake_request *request = fake_transport_request(f.fake, i);
        (void)buf_printf(&log, "%s %s%s%s\n", http_method_name(request->method), request->path,
                         request->body_length == 0 ? "" : " ", request->body);
    }
    assert_string_equal(buf_str(&log), expected);
}

#define BEGIN "POST /v2/a/b/blobs/uploads/\n"
#define GOES_TO(location)                                                                          \
    {                                                                                              \
        .status = 202, .headers = "Location: " location "\r\n"                                     \
    }
#define FULL "{\"errors\":[{\"code\":\"UNKNOWN\",\"detail\":{\"Err\":28}}]}"

static void test_blobs(_unused_ void **state)
{
    static const struct {
        const char *digest;
        struct fake_answer answers[ANSWERS_MAX];
        const char *requests;
        const char *error;
        int status;
    } table[] = {
        // Absolute and relative locations; the state that each answer gives is sent back.
        {"sha256:d",
         {GOES_TO(ORIGIN "/v2/u1?_state=x%3D"), GOES_TO("/v2/u2?s=y"), {.status = 201}},
         BEGIN "PATCH /v2/u1?_state=x%3D data\nPUT /v2/u2?s=y&digest=sha256:d\n",
         "",
         0},
        {"sha256:d",
         {GOES_TO("/u1"), GOES_TO("/u2"), {.status = 201}},
         BEGIN "PATCH /u1 data\nPUT /u2?digest=sha256:d\n",
         "",
         0},
        {NULL, // of no blob
         {GOES_TO("/u1"), GOES_TO("/u2"), {.status = 204}},
         BEGIN "PATCH /u1 data\nDELETE /u2\n",
         "",
         0},
        // What failed is discarded, where there is something, and the first error is told.
        {"sha256:d",
         {{.status = 500, .body = FULL}},
         BEGIN,
         "registry: begin an upload: UNKNOWN {\"Err\":28} (HTTP 500)",
         500},
        {"sha256:d",
         {{.status = 202}},
         BEGIN,
         "registry: begin an upload: the answer has no Location",
         0},
        {"sha256:d",
         {GOES_TO("http://h/v2/u1?_state=x")},
         BEGIN,
         "registry: begin an upload: the answer sends the client to http://h/v2/u1",
         0},
        {"sha256:d",
         {GOES_TO("http://h:55/v2/u1")},
         BEGIN,
         "registry: begin an upload: the answer sends the client to http://h:55/v2/u1",
         0},
        {"sha256:d",
         {GOES_TO("/u1"), {.status = 413, .body = "<html>large"}, {.status = 500}},
         BEGIN "PATCH /u1 data\nDELETE /u1\n",
         "registry: upload: <html>large (HTTP 413)",
         413},
        {"sha256:d",
         {GOES_TO("/u1"), GOES_TO("/u2"), {.status = 400}, {.status = 204}},
         BEGIN "PATCH /u1 data\nPUT /u2?digest=sha256:d\nDELETE /u2\n",
         "registry: finish an upload (HTTP 400)",
         400},
        {NULL,
         {GOES_TO("/u1"), GOES_TO("/u2"), {.status = 405}},
         BEGIN "PATCH /u1 data\nDELETE /u2\n",
         "registry: discard an upload (HTTP 405)",
         405},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        const struct registry_blob blob = {"a/b", table[i].digest, "data", 4, ORIGIN};
        (void)setup(NULL);
        for (size_t j = 0; j < ANSWERS_MAX && table[i].answers[j].status != 0; j++) {
            fake_transport_answer(f.fake, &table[i].answers[j]);
        }
        assert_int_equal(registry_push_blob(f.api, &blob, on_pushed, NULL, NULL), 0);
        (void)fake_transport_run(f.fake);
        assert_int_equal(f.calls, 1);
        assert_string_equal(f.err.text, table[i].error);
        assert_int_equal(f.err.status, table[i].status);
        assert_requests(table[i].requests);
        (void)teardown(NULL);
    }
}

// Nothing more is sent, and done comes.
static void test_cut_short(_unused_ void **state)
{
    const struct registry_blob blob = {"a/b", "sha256:d", "data", 4, ORIGIN};
    const struct fake_answer begun = GOES_TO("/u1");
    fake_transport_answer(f.fake, &begun);
    assert_int_equal(registry_push_blob(f.api, &blob, on_pushed, NULL, NULL), 0);
    (void)fake_transport_run(f.fake);
    assert_int_equal(f.calls, 0);
    api_cancel(f.api, API_READS); // it changes something
    (void)fake_transport_run(f.fake);
    assert_int_equal(f.calls, 0);
    api_cancel(f.api, API_CHANGES);
    (void)fake_transport_run(f.fake);
    assert_int_equal(f.calls, 1);
    assert_int_equal(f.err.code, ECANCELED);
    assert_requests(BEGIN "PATCH /u1 data\n");
}

static void test_refused(_unused_ void **state)
{
    const struct registry_blob blob = {"a/b", "sha256:d", "data", 4, ORIGIN};
    fake_transport_refuse(f.fake, 1, ENOBUFS);
    assert_int_equal(registry_push_blob(f.api, &blob, on_pushed, NULL, &f.err), -ENOBUFS);
    assert_int_equal(f.calls, 0);
}

static void test_manifests(_unused_ void **state)
{
    static const struct {
        struct fake_answer answer;
        const char *digest;
        const char *error;
    } table[] = {
        {{.status = 201, .headers = "Docker-Content-Digest: sha256:m\r\n"}, "sha256:m", ""},
        {{.status = 201}, "", "registry: put the manifest t: the answer has no digest"},
        {{.status = 404,
          .body = "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"not so\"},{}]}"},
         "",
         "registry: put the manifest t: BLOB_UNKNOWN: not so (HTTP 404)"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        (void)setup(NULL);
        fake_transport_answer(f.fake, &table[i].answer);
        assert_int_equal(registry_push_manifest(f.api, "a/b", "t", "{}", on_tagged, NULL, NULL), 0);
        assert_int_equal(fake_transport_run(f.fake), 1);
        assert_string_equal(f.digest, table[i].digest);
        assert_string_equal(f.err.text, table[i].error);
        assert_string_equal(fake_transport_last(f.fake)->content_type, REGISTRY_MANIFEST_TYPE);
        assert_requests("PUT /v2/a/b/manifests/t {}\n");
        (void)teardown(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blobs),
        cmocka_unit_test_setup_teardown(test_cut_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test(test_manifests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
