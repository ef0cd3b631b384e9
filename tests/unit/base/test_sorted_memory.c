// Out of memory in a sorted array: it is as it was.
#include "lib/base/sorted.h"
#include "tests/support/alloc_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int compare(const char *name, const void *element)
{
    return strcmp(name, *(const char *const *)element);
}

static int fill_sorted(void *ctx)
{
    static char names[][2] = {"c", "a", "b"};
    (void)ctx;
    struct sorted sorted = {.compare = compare};
    int r = 0;
    for (size_t i = 0; i < 3 && r == 0; i++) {
        r = sorted_insert(&sorted, names[i], names[i]);
        assert_int_equal(sorted.count, r < 0 ? i : i + 1);
        assert_ptr_equal(sorted_find(&sorted, names[i]), r < 0 ? NULL : names[i]);
    }
    sorted_done(&sorted);
    return r;
}

static void sorted(void **state)
{
    (void)state;
    assert_in_range(alloc_fail_each(fill_sorted, NULL, 0), 3, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
