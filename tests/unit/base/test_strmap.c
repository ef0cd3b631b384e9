#include "lib/base/strmap.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_entries_are_sorted_and_unique(void **state)
{
    (void)state;
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

static void test_merge(void **state)
{
    (void)state;
    struct strmap map = {0};
    struct strmap source = {0};
    strmap_set(&map, "a", "1");
    strmap_set(&map, "b", "1");
    strmap_set(&source, "b", "2");
    strmap_set(&source, "c", "2");
    strmap_merge(&map, &source);
    char text[64] = "";
    strmap_foreach (&map, entry) {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%s ", entry->key,
                       entry->value);
    }
    assert_string_equal(text, "a=1 b=2 c=2 ");
    strmap_done(&map);
    strmap_done(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_are_sorted_and_unique),
        cmocka_unit_test(test_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
