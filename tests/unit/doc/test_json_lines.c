#include "lib/doc/json_lines.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <string.h>

#define LINE_MAX_BYTES 64

struct seen {
    struct buf text; // the values, compact, each with a ';'
    int fail_at;     // the value for which the function fails, from 1
    int count;
};

static int collect(void *ctx, json_t *value, struct error *err)
{
    struct seen *seen = ctx;
    if (++seen->count == seen->fail_at) {
        return error_set(err, ERROR_CONFLICT, ECANCELED, "enough");
    }
    _cleanup_free_ char *text = json_dumps(value, JSON_COMPACT);
    assert_non_null(text);
    assert_int_equal(buf_printf(&seen->text, "%s;", text), 0);
    return 0;
}

static int feed_split(struct seen *seen, const char *data, size_t first, size_t second,
                      struct error *err)
{
    *seen = (struct seen){.text = BUF_INIT(4096), .fail_at = seen->fail_at};
    struct json_lines lines = JSON_LINES_INIT(LINE_MAX_BYTES, collect, seen);
    size_t length = strlen(data);
    int r = json_lines_feed(&lines, data, first, err);
    if (r == 0) {
        r = json_lines_feed(&lines, data + first, second - first, err);
    }
    if (r == 0) {
        r = json_lines_feed(&lines, data + second, length - second, err);
    }
    if (r == 0) {
        r = json_lines_end(&lines, err);
    }
    buf_done(&lines.partial);
    return r;
}

static void split_anywhere(_unused_ void **state)
{
    static const char data[] = "{\"a\":1}\n\n \r\n{\"b\":[2,\"é\"]}\r\n[3]\n{\"last\":true}";
    size_t length = strlen(data);
    for (size_t first = 0; first <= length; first++) {
        for (size_t second = first; second <= length; second++) {
            struct seen seen = {0};
            struct error err = {0};
            assert_int_equal(feed_split(&seen, data, first, second, &err), 0);
            assert_string_equal(buf_str(&seen.text),
                                "{\"a\":1};{\"b\":[2,\"é\"]};[3];{\"last\":true};");
            buf_done(&seen.text);
        }
    }
}

static void error_one(const char *data, int fail_at, int code, enum error_kind kind,
                      const char *text)
{
    size_t length = strlen(data);
    for (size_t first = 0; first <= length; first++) {
        struct seen seen = {.fail_at = fail_at};
        struct error err = {0};
        assert_int_equal(feed_split(&seen, data, first, length, &err), -code);
        assert_int_equal(err.kind, kind);
        assert_string_equal(err.text, text);
        buf_done(&seen.text);
    }
}

static void errors(_unused_ void **state)
{
    error_one("{}\n{\"secret\": oops}\n", 0, EBADMSG, ERROR_TRANSIENT,
              "a line of the stream is no valid JSON at byte 15 of 16");
    error_one("{}\n{\"cut\": ", 0, EBADMSG, ERROR_TRANSIENT,
              "a line of the stream is no valid JSON at byte 8 of 8");
    error_one("7\n", 0, EBADMSG, ERROR_TRANSIENT,
              "a line of the stream is no valid JSON at byte 1 of 1");
    error_one("{}\n{}\n{}\n", 2, ECANCELED, ERROR_CONFLICT, "enough");
    error_one("{}", 1, ECANCELED, ERROR_CONFLICT, "enough");
    char data[LINE_MAX_BYTES + 3] = {0};
    memset(data, ' ', LINE_MAX_BYTES + 1);
    error_one(data, 0, EFBIG, ERROR_PERMANENT, "a line of the stream exceeds 64 bytes");
    data[LINE_MAX_BYTES + 1] = '\n';
    error_one(data, 0, EFBIG, ERROR_PERMANENT, "a line of the stream exceeds 64 bytes");
}

static void longest_line_fits(_unused_ void **state)
{
    char data[LINE_MAX_BYTES + 2] = {0};
    memset(data, ' ', LINE_MAX_BYTES);
    data[0] = '{';
    data[1] = '}';
    data[LINE_MAX_BYTES] = '\n';
    for (size_t first = 0; first <= sizeof(data) - 1; first++) {
        struct seen seen = {0};
        struct error err = {0};
        assert_int_equal(feed_split(&seen, data, first, sizeof(data) - 1, &err), 0);
        assert_int_equal(seen.count, 1);
        buf_done(&seen.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_anywhere),
        cmocka_unit_test(errors),
        cmocka_unit_test(longest_line_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
