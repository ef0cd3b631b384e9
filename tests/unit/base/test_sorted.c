#include "lib/base/sorted.h"

#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NAMES 300
#define STEPS 20000

static int compare(const char *name, const void *element)
{
    return strcmp(name, *(const char *const *)element);
}

static void test_search(void **state)
{
    (void)state;
    static const char *const array[] = {"b", "d", "f"};
    static const struct {
        const char *name;
        size_t index;
        bool found;
    } cases[] = {{"a", 0, false}, {"b", 0, true}, {"c", 1, false}, {"d", 1, true},
                 {"e", 2, false}, {"f", 2, true}, {"g", 3, false}, {"", 0, false}};
    bool found = true;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        size_t index =
            sorted_search(array, ELEMENTS(array), sizeof(array[0]), cases[i].name, compare, &found);
        assert_int_equal(index, cases[i].index);
        assert_int_equal(found, cases[i].found);
    }
    assert_int_equal(sorted_search(NULL, 0, sizeof(array[0]), "a", compare, &found), 0);
    assert_false(found);
}

static void is_in_order(const struct sorted *sorted)
{
    for (size_t i = 1; i < sorted->count; i++) {
        assert_true(strcmp(sorted->items[i - 1], sorted->items[i]) < 0);
    }
}

static void test_random(void **state)
{
    (void)state;
    struct random random = {.state = 1};
    struct sorted sorted = {.compare = compare};
    char names[NAMES][8];
    bool in[NAMES] = {false};
    size_t count = 0;
    for (size_t i = 0; i < NAMES; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%zu", i);
    }
    for (int step = 0; step < STEPS; step++) {
        size_t i = random_below(&random, NAMES);
        assert_ptr_equal(sorted_find(&sorted, names[i]), in[i] ? names[i] : NULL);
        if (in[i]) {
            assert_ptr_equal(sorted_remove(&sorted, names[i]), names[i]);
            count--;
        } else {
            assert_null(sorted_remove(&sorted, names[i]));
            assert_int_equal(sorted_insert(&sorted, names[i], names[i]), 0);
            count++;
        }
        in[i] = !in[i];
        assert_int_equal(sorted.count, count);
        is_in_order(&sorted);
    }
    sorted_done(&sorted);
    assert_int_equal(sorted.count, 0);
    assert_int_equal(sorted_insert(&sorted, names[0], names[0]), 0); // as good as new
    sorted_done(&sorted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
