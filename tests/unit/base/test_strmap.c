#include "lib/base/strmap.h"

#include "lib/base/str.h"
#include "tests/support/unit.h"

static void test_entries_are_sorted_and_unique(_unused_ void **state)
{
    static const char *const keys[] = {"m", "z", "a", "", "m", "mm", "a", "b"};
    static const char *const sorted[] = {"", "a", "b", "m", "mm", "z"};
    struct strmap map = {0};
    for (size_t i = 0; i < ELEMENTS(keys); i++) {
        _cleanup_free_ char *value = str_printf("%s%zu", keys[i], i);
        strmap_set(&map, keys[i], value);
    }
    assert_int_equal(map.count, ELEMENTS(sorted));
    for (size_t i = 0; i < map.count; i++) {
        assert_string_equal(map.entries[i].key, sorted[i]);
    }
    assert_string_equal(strmap_get(&map, "m"), "m4");
    assert_string_equal(strmap_get(&map, ""), "3");
    assert_null(strmap_get(&map, "c"));
    assert_null(strmap_get(&map, "zz"));
    strmap_done(&map);
    assert_null(strmap_get(&map, "m"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_are_sorted_and_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
