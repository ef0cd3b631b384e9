#include "lib/kinds/name.h"

#include "lib/base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    bool name;
    bool object;
    bool address;
} cases[] = {
    {"dev-control-plane", true, true, false},
    {"registry.local", true, true, false},
    {"0123456789abcdef", true, true, false},
    {"Registry_2", true, false, false},
    {"a-", true, false, false},
    {"", false, false, false},
    {"..", false, false, false},
    {"-rf", false, false, false},
    {"_a", false, false, false},
    {"../../x", false, false, false},
    {"a/b", false, false, false},
    {"a b", false, false, false},
    {"a\nb", false, false, false},
    {"a;b", false, false, false},
    {"$(a)", false, false, false},
    {"\xc3\xa4", false, false, false},
    {"172.18.0.4", true, true, true},
    {"fc00::4", false, false, true},
    {"[::1]", false, false, false},
    {"127.0.0.1:80", false, false, false},
    {"172.18.0.4/16", false, false, false},
};

static void names_are_told_from_other_text(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        if (name_is_valid(cases[i].text) != cases[i].name ||
            name_is_valid_object(cases[i].text) != cases[i].object ||
            name_is_valid_address(cases[i].text) != cases[i].address) {
            fail_msg("\"%s\"", cases[i].text);
        }
    }
}

static void object_names_are_bounded(void **unused)
{
    (void)unused;
    char name[255];
    memset(name, 'a', sizeof(name));
    name[253] = '\0';
    assert_true(name_is_valid_object(name));
    name[253] = 'a';
    name[254] = '\0';
    assert_false(name_is_valid_object(name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_told_from_other_text),
        cmocka_unit_test(object_names_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
