#include "lib/doc/problem.h"

#include "tests/support/unit.h"

#include <string.h>

static void test_they_are_in_the_order_of_the_document(_unused_ void **state)
{
    static const struct {
        unsigned line;
        unsigned column;
        const char *key;
        const char *text;
    } sorted[] = {
        {1, 9, "z", "z"}, {2, 1, "z", "z"}, {2, 2, "z", "z"},
        {2, 3, "a", "z"}, {2, 3, "b", "a"}, {2, 3, "b", "b"},
    };
    // Found forwards and backwards, from each of them on.
    for (size_t step = 1; step < ELEMENTS(sorted); step += 4) {
        for (size_t first = 0; first < ELEMENTS(sorted); first++) {
            struct problems problems = {0};
            for (size_t i = 0; i < ELEMENTS(sorted); i++) {
                size_t pick = (first + i * step) % ELEMENTS(sorted);
                const struct doc_path path = {.key = sorted[pick].key};
                problems_add(&problems, sorted[pick].line, sorted[pick].column, &path, "%s",
                             sorted[pick].text);
            }
            problems_sort(&problems);
            assert_int_equal(problems.count, ELEMENTS(sorted));
            for (size_t i = 0; i < ELEMENTS(sorted); i++) {
                assert_int_equal(problems.items[i].line, sorted[i].line);
                assert_int_equal(problems.items[i].column, sorted[i].column);
                assert_string_equal(problems.items[i].path, sorted[i].key);
                assert_string_equal(problems.items[i].text, sorted[i].text);
            }
            problems_done(&problems);
        }
    }
}

static void test_that_there_are_more_is_said_at_the_end(_unused_ void **state)
{
    struct problems problems = {0};
    for (unsigned line = PROBLEMS_MAX + 1; line > 0; line--) {
        problems_add(&problems, line, 1, NULL, "wrong");
    }
    problems_sort(&problems);
    assert_int_equal(problems.count, PROBLEMS_MAX);
    assert_int_equal(problems.items[0].line, 3);
    assert_int_equal(problems.items[PROBLEMS_MAX - 2].line, PROBLEMS_MAX + 1);
    assert_string_equal(problems.items[PROBLEMS_MAX - 1].text,
                        "there are more problems than are shown");
    assert_int_equal(problems.items[PROBLEMS_MAX - 1].line, PROBLEMS_MAX + 1); // as the last one's
    problems_done(&problems);
}

static void test_none(_unused_ void **state)
{
    struct problems problems = {0};
    problems_sort(&problems);
    assert_int_equal(problems.count, 0);
    assert_false(problems_has(&problems, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_are_in_the_order_of_the_document),
        cmocka_unit_test(test_that_there_are_more_is_said_at_the_end),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
