#include "lib/config/address.h"

#include "lib/base/str.h"
#include "tests/support/unit.h"

#define LABEL_10 "abcdefghij"
#define LABEL_60 LABEL_10 LABEL_10 LABEL_10 LABEL_10 LABEL_10 LABEL_10
#define NAME_252 LABEL_60 "abc." LABEL_60 "abc." LABEL_60 "abc." LABEL_60

#define NAME "must have a DNS name or an IP address as its host"
#define IP                                                                                         \
    "must be ADDRESS:PORT with an IP address, e.g. 127.0.0.1:5002 for this host alone or "         \
    "0.0.0.0:5002 for every host"
#define PORT "must have a port between 1 and 65535"
#define NO_PORT "must have a port, as in HOST:PORT"
#define HOST_PORT "must be HOST:PORT"
#define BRACKETS "must have an IPv6 address in brackets: [ADDRESS]:PORT"
#define NO_IPV6 "must have an IPv6 address between the brackets"

static void test_parse(_unused_ void **state)
{
    static const struct {
        const char *text;
        enum address_needs needs;
        const char *expected; // its one spelling, or what is wrong
    } cases[] = {
        {"localhost:5000", ADDRESS_NEEDS_PORT, "localhost:5000"},
        {"Local.Host:05000", ADDRESS_NEEDS_PORT, "local.host:5000"},
        {"localhost", ADDRESS_NEEDS_NOTHING, "localhost"},
        {"localhost", ADDRESS_NEEDS_PORT, NO_PORT},
        {"10.0.0.1:65535", ADDRESS_NEEDS_IP, "10.0.0.1:65535"},
        {"[0:0:0:0:0:0:0:1]:1", ADDRESS_NEEDS_IP, "[::1]:1"},
        {"[FD00::A]", ADDRESS_NEEDS_NOTHING, "[fd00::a]"},
        {"[::ffff:1.2.3.4]:1", ADDRESS_NEEDS_PORT, "[::ffff:1.2.3.4]:1"},
        {":5002", ADDRESS_NEEDS_IP, IP},
        {":5002", ADDRESS_NEEDS_PORT, NAME},
        {"*:5002", ADDRESS_NEEDS_IP, IP},
        {"localhost:5002", ADDRESS_NEEDS_IP, IP},
        {"5002", ADDRESS_NEEDS_IP | ADDRESS_NEEDS_PORT, IP},
        {"127.0.0.1", ADDRESS_NEEDS_IP | ADDRESS_NEEDS_PORT, NO_PORT},
        {"a:", ADDRESS_NEEDS_NOTHING, PORT},
        {"a:0", ADDRESS_NEEDS_NOTHING, PORT},
        {"a:65536", ADDRESS_NEEDS_NOTHING, PORT},
        {"a:+1", ADDRESS_NEEDS_NOTHING, PORT},
        {"a b:1", ADDRESS_NEEDS_NOTHING, NAME},
        {"1.2.3:1", ADDRESS_NEEDS_NOTHING, NAME},
        {"::1:5002", ADDRESS_NEEDS_NOTHING, BRACKETS},
        {"[127.0.0.1]:1", ADDRESS_NEEDS_NOTHING, NO_IPV6},
        {"[::1]5002", ADDRESS_NEEDS_NOTHING, HOST_PORT},
        {"[::1", ADDRESS_NEEDS_NOTHING, HOST_PORT},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct address address;
        struct error err = {0};
        int r = address_parse(cases[i].text, cases[i].needs, &address, &err);
        _cleanup_free_ char *actual = r == 0 ? address_format(&address) : str_dup(err.text);
        assert_string_equal(actual, cases[i].expected);
    }
}

static void test_names(_unused_ void **state)
{
    static const struct {
        const char *name;
        bool valid;
    } cases[] = {
        {"a", true},
        {"A-1.b", true},
        {"1", true},
        {"", false},
        {".", false},
        {"a.", false},
        {".a", false},
        {"a..b", false},
        {"-a", false},
        {"a-", false},
        {"a.-b", false},
        {"a_b", false},
        {"a.1", false},
        {"1.a", true},
        {LABEL_60 "abc", true},
        {LABEL_60 "abcd", false},
        {"a." LABEL_60 "abcd", false},
        {NAME_252 "a", true},
        {NAME_252 "ab", false},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        assert_int_equal(address_name_is_valid(cases[i].name), cases[i].valid);
    }
}

static void test_loopback(_unused_ void **state)
{
    static const char *const loopback[] = {"127.0.0.1", "127.9.9.9", "::1"};
    static const char *const others[] = {"0.0.0.0", "10.127.0.1", "::", "::127.0.0.1"};
    for (size_t i = 0; i < ELEMENTS(loopback); i++) {
        assert_true(address_is_loopback(loopback[i]));
    }
    for (size_t i = 0; i < ELEMENTS(others); i++) {
        assert_false(address_is_loopback(others[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
