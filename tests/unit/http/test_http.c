// The parts of lib/http that need no connection: checks, headers, escaping, error texts.
#include "lib/http/curl_internal.h"
#include "lib/http/http.h"

#include "lib/base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int sent;

static int fake_send(_unused_ struct http_client *client,
                     _unused_ const struct http_request *request, _unused_ struct http_call **ret,
                     _unused_ struct error *err)
{
    sent++;
    return 0;
}

static void fake_cancel(_unused_ struct http_client *client, _unused_ struct http_call *call)
{
    fail_msg("no call is under way");
}

static void fake_free(_unused_ struct http_client *client)
{
    fail_msg("there is no client");
}

static const struct http_client_ops fake_ops = {fake_send, fake_cancel, fake_free};

static void check_one(const struct http_request *request, int expected, const char *text)
{
    struct http_client client = {.ops = &fake_ops};
    struct error err = {0};
    sent = 0;
    assert_int_equal(http_send(&client, request, NULL, &err), expected);
    assert_int_equal(sent, expected == 0 ? 1 : 0);
    assert_string_equal(err.text, text);
    assert_int_equal(err.kind, expected == 0 ? ERROR_NONE : ERROR_PERMANENT);
}

static void header_one(const char *name, const char *value, int expected, const char *text)
{
    struct http_header header = {name, value};
    check_one(&(struct http_request){.path = "/", .headers = &header, .header_count = 1}, expected,
              text);
}

static void test_request_check(_unused_ void **state)
{
    static const char bad_path[] = "the request's path is not absolute and percent-encoded";
    static const char *const bad_paths[] = {"",     "x",     "/a b",     "/a\r\nHost: b",
                                            "/a#b", "/\x7f", "/\xc3\xa4"};
    check_one(&(struct http_request){.path = "/a?b=%20"}, 0, "");
    check_one(&(struct http_request){.path = NULL}, -EINVAL, bad_path);
    for (size_t i = 0; i < ELEMENTS(bad_paths); i++) {
        check_one(&(struct http_request){.path = bad_paths[i]}, -EINVAL, bad_path);
    }

    header_one("X-A", "b c\td", 0, "");
    header_one("X-A", "", 0, "");
    header_one("X-A", "secret\r\nX-B: c", -EINVAL,
               "the value of request header X-A has a control character");
    header_one("X-A", "secret\n", -EINVAL,
               "the value of request header X-A has a control character");
    header_one("X A", "b", -EINVAL, "a request header's name is not valid");
    header_one("", "b", -EINVAL, "a request header's name is not valid");
    header_one("X:", "b", -EINVAL, "a request header's name is not valid");

    struct http_header headers[HTTP_HEADERS_MAX + 1];
    for (size_t i = 0; i < ELEMENTS(headers); i++) {
        headers[i] = (struct http_header){"A", "b"};
    }
    check_one(&(struct http_request){.path = "/", .headers = headers, .header_count = 64}, 0, "");
    check_one(&(struct http_request){.path = "/", .headers = headers, .header_count = 65}, -EINVAL,
              "more than 64 headers in a request");
    check_one(&(struct http_request){.path = "/", .content_type = "a\nb"}, -EINVAL,
              "the request's content type has a control character");
    check_one(&(struct http_request){.path = "/", .body = "x", .body_length = 1}, -EINVAL,
              "GET and HEAD take no body");
    check_one(
        &(struct http_request){.method = HTTP_DELETE, .path = "/", .body_length = 1, .body = "x"},
        0, "");
}

static void test_null(_unused_ void **state)
{
    http_client_free(NULL);
    struct http_client client = {.ops = &fake_ops};
    http_cancel(&client, NULL);
}

static void response_header_one(const char *headers, const char *name, const char *expected)
{
    _cleanup_buf_ struct buf buf = BUF_INIT(1000);
    assert_int_equal(buf_append_str(&buf, headers), 0);
    struct http_response response = {.headers = buf};
    char value[8] = "before";
    assert_int_equal(http_response_header(&response, name, value, sizeof(value)), expected != NULL);
    assert_string_equal(value, expected == NULL ? "before" : expected);
}

static void test_response_header(_unused_ void **state)
{
    response_header_one("", "A", NULL);
    response_header_one("A: b\r\n", "A", "b");
    response_header_one("A: b\r\n", "a", "b");
    response_header_one("AA: b\r\nA:c\r\n", "A", "c");
    response_header_one("B: b\r\nA: \t c d \t\r\n", "A", "c d");
    response_header_one("A:\r\n", "A", "");
    response_header_one("A:   \r\n", "A", "");
    response_header_one("A\r\nB: A: x\r\n", "A", NULL);
    response_header_one("A: 1234567\r\n", "A", "1234567");
    response_header_one("A: 12345678\r\n", "A", NULL);
    response_header_one("A: b\n", "A", "b");
    response_header_one("A: b", "A", NULL);
    response_header_one("A: 1\r\nA: 2\r\n", "A", "1");

    struct http_response empty = {0};
    char value[4];
    assert_false(http_response_header(&empty, "A", value, sizeof(value)));
}

static void escape_one(const char *s, const char *expected)
{
    _cleanup_buf_ struct buf buf = BUF_INIT(1000);
    assert_int_equal(http_append_escaped(&buf, s), 0);
    assert_string_equal(buf_str(&buf), expected);
}

static void test_escape(_unused_ void **state)
{
    escape_one("", "");
    escape_one("aZ09-._~", "aZ09-._~");
    escape_one("a/b?c=d&e f", "a%2Fb%3Fc%3Dd%26e%20f");
    escape_one("%\xc3\xa4\n\"{", "%25%C3%A4%0A%22%7B");
    _cleanup_buf_ struct buf buf = BUF_INIT(4);
    assert_int_equal(http_append_escaped(&buf, "ab///"), -EFBIG);
}

static void test_status_kind(_unused_ void **state)
{
    static const struct {
        int status;
        enum error_kind kind;
    } table[] = {
        {101, ERROR_PERMANENT}, {301, ERROR_PERMANENT}, {400, ERROR_PERMANENT},
        {401, ERROR_PERMANENT}, {403, ERROR_PERMANENT}, {404, ERROR_CONFLICT},
        {408, ERROR_TRANSIENT}, {409, ERROR_CONFLICT},  {410, ERROR_CONFLICT},
        {412, ERROR_CONFLICT},  {422, ERROR_PERMANENT}, {429, ERROR_TRANSIENT},
        {500, ERROR_TRANSIENT}, {503, ERROR_TRANSIENT}, {599, ERROR_TRANSIENT},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        assert_int_equal(http_status_kind(table[i].status), table[i].kind);
    }
}

static void test_failure_texts(_unused_ void **state)
{
    static const struct {
        CURLcode result;
        int os_errno;
        bool connected;
        enum error_kind kind;
        int code;
        const char *text;
    } table[] = {
        {CURLE_COULDNT_CONNECT, EACCES, false, ERROR_TRANSIENT, EACCES,
         "GET /x: cannot connect to /run/s: permission denied"},
        {CURLE_COULDNT_CONNECT, ENOENT, false, ERROR_TRANSIENT, ENOENT,
         "GET /x: cannot connect to /run/s: no such socket"},
        {CURLE_COULDNT_CONNECT, ECONNREFUSED, false, ERROR_TRANSIENT, ECONNREFUSED,
         "GET /x: cannot connect to /run/s: connection refused"},
        {CURLE_COULDNT_CONNECT, 0, false, ERROR_TRANSIENT, ECONNREFUSED,
         "GET /x: cannot connect to /run/s: connection refused"},
        {CURLE_COULDNT_CONNECT, ENOTSOCK, false, ERROR_TRANSIENT, ENOTSOCK,
         "GET /x: cannot connect to /run/s: Socket operation on non-socket"},
        {CURLE_COULDNT_CONNECT, 9999, false, ERROR_TRANSIENT, 9999,
         "GET /x: cannot connect to /run/s: unknown error"},
        {CURLE_COULDNT_RESOLVE_HOST, 0, false, ERROR_TRANSIENT, EHOSTUNREACH,
         "GET /x: cannot connect to /run/s: no such host name"},
        {CURLE_OPERATION_TIMEDOUT, 0, true, ERROR_TRANSIENT, ETIMEDOUT,
         "GET /x: no answer within 30 s"},
        {CURLE_OPERATION_TIMEDOUT, 0, false, ERROR_TRANSIENT, ETIMEDOUT,
         "GET /x: cannot connect to /run/s: no answer within 2500 ms"},
        {CURLE_GOT_NOTHING, 0, true, ERROR_TRANSIENT, ECONNRESET, "GET /x: answer ended early"},
        {CURLE_PARTIAL_FILE, 0, true, ERROR_TRANSIENT, ECONNRESET, "GET /x: answer ended early"},
        {CURLE_RECV_ERROR, 0, true, ERROR_TRANSIENT, ECONNRESET,
         "GET /x: answer ended early: curl's words"},
        {CURLE_PEER_FAILED_VERIFICATION, 0, false, ERROR_PERMANENT, EKEYREJECTED,
         "GET /x: cannot connect to /run/s: certificate refused: curl's words"},
        {CURLE_OUT_OF_MEMORY, 0, false, ERROR_FATAL, ENOMEM, "out of memory"},
        {CURLE_TOO_MANY_REDIRECTS, 0, true, ERROR_TRANSIENT, EIO,
         "GET /x: Number of redirects hit maximum amount"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        struct curl_failure failure = {
            .result = table[i].result,
            .os_errno = table[i].os_errno,
            .connected = table[i].connected,
            .timeout_ms = 30000,
            .connect_ms = 2500,
            .label = "GET /x",
            .target = "/run/s",
            .detail = "curl's words",
        };
        struct error err = {0};
        assert_int_equal(curl_failure_explain(&failure, &err), -table[i].code);
        assert_string_equal(err.text, table[i].text);
        assert_int_equal(err.kind, table[i].kind);
        assert_int_equal(err.code, table[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_check),   cmocka_unit_test(test_null),
        cmocka_unit_test(test_response_header), cmocka_unit_test(test_escape),
        cmocka_unit_test(test_status_kind),     cmocka_unit_test(test_failure_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
