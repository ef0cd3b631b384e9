// The parts of lib/http that need no connection: paths, headers, escaping, kinds, error texts.
#include "lib/http/curl_error.h"
#include "lib/http/http.h"

#include "tests/support/unit.h"

#include <errno.h>
#include <string.h>

static int never_send(_unused_ struct http_client *client,
                      _unused_ const struct http_request *request, _unused_ struct http_call **ret,
                      _unused_ struct error *err)
{
    fail_msg("was sent");
    return 0;
}

static void test_paths(_unused_ void **state)
{
    static const char *const paths[] = {"",     "x",     "/a b",     "/a\r\nHost: b",
                                        "/a#b", "/\x7f", "/\xc3\xa4"};
    struct http_client client = {.send = never_send};
    for (size_t i = 0; i < ELEMENTS(paths); i++) {
        struct error err = {0};
        assert_int_equal(http_send(&client, &(struct http_request){.path = paths[i]}, NULL, &err),
                         -EINVAL);
        assert_string_equal(err.text, "the request's path is not absolute and percent-encoded");
    }
    http_client_free(NULL);
    http_cancel(&client, NULL);
}

static void test_response_header(_unused_ void **state)
{
    static const struct {
        const char *headers;
        const char *value; // of A; NULL: none
    } table[] = {
        {"", NULL},
        {"A: b\r\n", "b"},
        {"a: b\r\n", "b"},
        {"AA: b\r\nA:c\r\n", "c"},
        {"B: b\r\nA: \t c d \t\r\n", "c d"},
        {"A:\r\n", ""},
        {"A:   \r\n", ""},
        {"A\r\nB: A: x\r\n", NULL},
        {"A: 1234567\r\n", "1234567"},
        {"A: 12345678\r\n", NULL},
        {"A: b\n", "b"},
        {"A: b", NULL},
        {"A: 1\r\nA: 2\r\n", "1"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_buf_ struct buf headers = BUF_INIT(100);
        assert_int_equal(buf_append_str(&headers, table[i].headers), 0);
        const struct http_response response = {.headers = headers};
        char value[8] = "before";
        bool found = http_response_header(&response, "A", value, sizeof(value));
        assert_int_equal(found, table[i].value != NULL);
        assert_string_equal(value, found ? table[i].value : "before");
    }
}

static void test_escape(_unused_ void **state)
{
    static const char *const table[][2] = {
        {"", ""},
        {"aZ09-._~", "aZ09-._~"},
        {"a/b?c=d&e f", "a%2Fb%3Fc%3Dd%26e%20f"},
        {"%\xc3\xa4\n\"{+", "%25%C3%A4%0A%22%7B%2B"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_buf_ struct buf buf = BUF_INIT(100);
        assert_int_equal(http_append_escaped(&buf, table[i][0]), 0);
        assert_string_equal(buf_str(&buf), table[i][1]);
    }
    _cleanup_buf_ struct buf small = BUF_INIT(4);
    assert_int_equal(http_append_escaped(&small, "ab///"), -EFBIG);
}

static void test_status_kind(_unused_ void **state)
{
    static const struct {
        enum error_kind kind;
        int statuses[8];
    } table[] = {
        {ERROR_PERMANENT, {101, 301, 400, 401, 403, 422}},
        {ERROR_CONFLICT, {404, 409, 410, 412}},
        {ERROR_TRANSIENT, {408, 429, 500, 503, 599}},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        for (const int *status = table[i].statuses; *status != 0; status++) {
            assert_int_equal(http_status_kind(*status), table[i].kind);
        }
    }
}

static void test_failures(_unused_ void **state)
{
#define CONNECT "cannot connect to /run/s: "
    static const struct {
        CURLcode result;
        int os_errno;
        bool connected;
        int code;
        const char *text;
    } table[] = {
        {CURLE_COULDNT_CONNECT, EACCES, false, EACCES, CONNECT "permission denied"},
        {CURLE_COULDNT_CONNECT, 0, false, ECONNREFUSED, CONNECT "connection refused"},
        {CURLE_COULDNT_CONNECT, ENOTSOCK, false, ENOTSOCK,
         CONNECT "Socket operation on non-socket"},
        {CURLE_COULDNT_CONNECT, 9999, false, 9999, CONNECT "unknown error"},
        {CURLE_COULDNT_RESOLVE_HOST, 0, false, EHOSTUNREACH, CONNECT "no such host name"},
        {CURLE_OPERATION_TIMEDOUT, 0, true, ETIMEDOUT, "no answer within 30 s"},
        {CURLE_OPERATION_TIMEDOUT, 0, false, ETIMEDOUT, CONNECT "no answer within 2500 ms"},
        {CURLE_RECV_ERROR, 0, true, ECONNRESET, "answer ended early: curl's words"},
        {CURLE_PEER_FAILED_VERIFICATION, 0, false, EKEYREJECTED,
         CONNECT "certificate refused: curl's words"},
        {CURLE_TOO_MANY_REDIRECTS, 0, true, EIO, "Number of redirects hit maximum amount"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        const struct curl_failure failure = {
            .result = table[i].result,
            .os_errno = table[i].os_errno,
            .connected = table[i].connected,
            .timeout_ms = table[i].connected ? 30000 : 2500,
            .target = "/run/s",
            .detail = "curl's words ", // as those of OpenSSL's connections end
        };
        struct error err = {0};
        assert_int_equal(curl_failure_explain(&failure, &err), -table[i].code);
        assert_string_equal(err.text, table[i].text);
        assert_int_equal(err.kind, err.code == EKEYREJECTED ? ERROR_PERMANENT : ERROR_TRANSIENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),    cmocka_unit_test(test_response_header),
        cmocka_unit_test(test_escape),   cmocka_unit_test(test_status_kind),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
