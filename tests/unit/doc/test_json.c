#include "lib/base/alloc.h"
#include "lib/doc/json.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <string.h>

static json_t *sample(void)
{
    json_t *value = json_loads("{\"a\": {\"b.c/d\": {\"s\": \"text\", \"n\": 7, \"t\": true}},"
                               " \"null\": null, \"list\": [1], \"real\": 1.5, \"zero\": 0,"
                               " \"empty\": \"\"}",
                               0, NULL);
    assert_non_null(value);
    return value;
}

static void finds_nested_values(_unused_ void **state)
{
    json_auto_t *value = sample();
    assert_string_equal(json_get_string(value, "a", "b.c/d", "s", NULL), "text");
    assert_string_equal(json_get_string(value, "empty", NULL), "");
    assert_int_equal(json_get_int(value, -1, "a", "b.c/d", "n", NULL), 7);
    assert_int_equal(json_get_int(value, -1, "zero", NULL), 0);
    assert_true(json_get_bool(value, false, "a", "b.c/d", "t", NULL));
    assert_int_equal(json_array_size(json_get_array(value, "list", NULL)), 1);
    assert_int_equal(json_object_size(json_get_object(value, "a", NULL)), 1);
    assert_ptr_equal(json_get(value, NULL), value);
    assert_ptr_equal(json_get_object(value, NULL), value);
}

static void missing_null_and_other_types_give_the_fallback(_unused_ void **state)
{
    json_auto_t *value = sample();
    static const char *const keys[] = {"missing", "null", "real"};
    for (size_t i = 0; i < ELEMENTS(keys); i++) {
        assert_null(json_get_string(value, keys[i], NULL));
        assert_null(json_get_string(value, keys[i], "below", NULL));
        assert_null(json_get_object(value, keys[i], NULL));
        assert_null(json_get_array(value, keys[i], NULL));
        assert_int_equal(json_get_int(value, 42, keys[i], NULL), 42);
        assert_true(json_get_bool(value, true, keys[i], NULL));
        assert_false(json_get_bool(value, false, keys[i], NULL));
    }
    assert_null(json_get(value, "null", NULL));
    assert_non_null(json_get(value, "real", NULL));
    assert_null(json_get_string(value, "list", "0", NULL));
    assert_null(json_get_string(NULL, "a", NULL));
    assert_null(json_get(NULL, NULL));
    assert_int_equal(json_get_int(NULL, 3, NULL), 3);
}

static void a_value_is_printed_where_there_is_room(_unused_ void **state)
{
    json_auto_t *value = sample();
    _cleanup_buf_ struct buf text = BUF_INIT(4096);
    assert_int_equal(buf_append_str(&text, "= "), 0);
    assert_int_equal(json_print(&text, json_object_get(value, "a"), JSON_COMPACT), 0);
    assert_string_equal(text.data, "= {\"b.c/d\":{\"s\":\"text\",\"n\":7,\"t\":true}}");
    struct buf small = BUF_INIT(8);
    assert_int_equal(json_print(&small, value, JSON_COMPACT), -EFBIG);
    assert_int_equal(json_print(&text, NULL, JSON_COMPACT), -EINVAL);
}

static void memory_is_that_which_never_fails(_unused_ void **state)
{
    json_malloc_t allocate = NULL;
    json_free_t release = NULL;
    json_get_alloc_funcs(&allocate, &release);
    assert_true(allocate == xmalloc);
    assert_true(release == free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_nested_values),
        cmocka_unit_test(missing_null_and_other_types_give_the_fallback),
        cmocka_unit_test(a_value_is_printed_where_there_is_room),
        cmocka_unit_test(memory_is_that_which_never_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
