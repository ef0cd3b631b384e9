#include "daemon/doctor/name_fault.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FOUND "172.18.0.5      STREAM r\r\n172.18.0.5      DGRAM  \r\n"

static void test_names(_unused_ void **state)
{
    static const struct {
        const char *output;
        const char *ipv4;
        const char *ipv6;
        const char *address; // NULL: a fault
        const char *cause;
        const char *cure;
    } rows[] = {
        {FOUND, "172.18.0.5", NULL, "172.18.0.5", NULL, NULL},
        {"fc00::5 STREAM r\n" FOUND, "172.18.0.5", "fc00::9", "172.18.0.5", NULL, NULL},
        {"fc00::5 STREAM r\n", NULL, "fc00::5", "fc00::5", NULL, NULL},
        {"", NULL, NULL, NULL, "the registry is not on the network kind", "docker network connect"},
        {FOUND, NULL, NULL, NULL,
         "the registry is not on the network kind, and its name is 172.18.0.5 there", "apply"},
        {"", "172.18.0.5", NULL, NULL,
         "the name r is missing from the network kind, though the registry is on it as 172.18.0.5",
         "docker network disconnect kind r"},
        {"", NULL, NULL, NULL,
         "no name server gives the node an answer within 10 s, as where this machine is offline: "
         "the registry is not on the network kind",
         "docker network connect"},
        {"getent: what\r\n", "172.18.0.5", NULL, NULL, "the name r is missing", "disconnect"},
        {FOUND, "172.18.0.50", NULL, NULL, "r is 172.18.0.5 there, and the registry is 172.18.0.50",
         "registry.name"},
        {FOUND, NULL, "fc00::5", NULL, "r is 172.18.0.5 there, and the registry is fc00::5", "DNS"},
    };
    const struct config config = {.registry.name = (char *)"r", .network = (char *)"kind"};
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        bool timed_out = rows[i].cause != NULL && str_starts_with(rows[i].cause, "no name server");
        const struct name_evidence evidence = {rows[i].output, rows[i].ipv4, rows[i].ipv6,
                                               timed_out};
        const char *address = "unset";
        struct fault fault = name_fault(&arena, &config, &evidence, &address);
        assert_true(str_equal(address, rows[i].address));
        assert_true(rows[i].cause == NULL ? fault.cause == NULL
                                          : str_starts_with(fault.cause, rows[i].cause));
        assert_true(rows[i].cure == NULL || strstr(fault.cure, rows[i].cure) != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
