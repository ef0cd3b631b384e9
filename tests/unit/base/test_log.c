#include "lib/base/log.h"
#include "lib/base/str.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

static struct {
    enum log_level level;
    enum log_event event;
    char message[4096];
    size_t count;
} told;

static void sink(void *ctx, const struct log_record *record)
{
    assert_ptr_equal(ctx, &told);
    assert_int_equal(record->resource_count, 0);
    told.level = record->level;
    told.event = record->event;
    told.count++;
    (void)snprintf(told.message, sizeof(told.message), "%s", record->message);
}

static int begin(void **state)
{
    *state = NULL;
    memset(&told, 0, sizeof(told));
    log_set_sink(sink, &told);
    log_set_level(LOG_LEVEL_INFO);
    return 0;
}

static void line_is_told_as_it_is(_unused_ void **state)
{
    log_text(LOG_LEVEL_WARNING, LOG_EVENT_RELOADED, "%s of %d: é", "one", 2);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.level, LOG_LEVEL_WARNING);
    assert_int_equal(told.event, LOG_EVENT_RELOADED);
    assert_string_equal(told.message, "one of 2: é");
}

// What comes from outside cannot begin a line, nor reach a terminal.
static void line_is_printable(_unused_ void **state)
{
    log_text(LOG_LEVEL_INFO, LOG_EVENT_NONE, "%s", "a\nerror: b\t\x1b[2J\xff");
    assert_string_equal(told.message, "a error: b ?[2J?");
}

static void line_is_cut_where_it_is_too_long(_unused_ void **state)
{
    _cleanup_free_ char *text = str_printf("%8000s", "x");
    log_text(LOG_LEVEL_INFO, LOG_EVENT_NONE, "%s", text);
    assert_int_equal(told.count, 1);
    assert_int_equal(strlen(told.message), 2047);
}

static void what_is_below_the_level_is_dropped(_unused_ void **state)
{
    log_debug("not told");
    assert_int_equal(told.count, 0);
    log_text(LOG_LEVEL_INFO, LOG_EVENT_NONE, "told");
    assert_int_equal(told.count, 1);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("told");
    assert_int_equal(told.count, 2);
    assert_int_equal(told.level, LOG_LEVEL_DEBUG);
    assert_string_equal(log_level_name(told.level), "debug");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(line_is_told_as_it_is, begin),
        cmocka_unit_test_setup(line_is_printable, begin),
        cmocka_unit_test_setup(line_is_cut_where_it_is_too_long, begin),
        cmocka_unit_test_setup(what_is_below_the_level_is_dropped, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
