#include "lib/kinds/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct record bare = {.resource = (char[]){"network/kind/reg"}, .rejected_until_ms = 1000};
static struct record tried = {
    .resource = (char[]){"container/reg"}, .digest = (char[]){"abc"}, .rejected_until_ms = 1000};
static const struct records records = {.items = (struct record *[]){&bare, &tried}, .count = 2};

static void test_find(void **state)
{
    (void)state;
    assert_ptr_equal(record_find(&records, "container/reg"), &tried);
    assert_null(record_find(&records, "container/re"));
    assert_null(record_find(&(struct records){0}, "container/reg"));
    assert_null(record_find(NULL, "container/reg"));
}

static void test_rejects(void **state)
{
    (void)state;
    static const struct {
        const char *resource;
        const char *digest;
        uint64_t now_ms;
        bool rejects;
    } cases[] = {
        {"container/reg", "abc", 999, true},     {"container/reg", "abc", 1000, false},
        {"container/reg", "abd", 0, false},      {"container/other", "abc", 0, false},
        {"network/kind/reg", "abc", 999, false}, {"network/kind/reg", NULL, 999, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            record_rejects(&records, cases[i].resource, cases[i].digest, cases[i].now_ms),
            cases[i].rejects);
    }
    assert_false(record_rejects(NULL, "container/reg", "abc", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_rejects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
