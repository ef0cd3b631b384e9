// The table of `status`: what fits into a row, and what does not.
#include "daemon/status_table.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/json_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1767225600 // 2026-01-01T00:00:00Z
#define WIDTH 80

static char *table_of(const char *document)
{
    json_auto_t *status = json_of(document);
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    status_table_print(status, WIDTH, NOW, out);
    (void)fclose(out);
    return text;
}

#define ROW(resource, ready, reason, message)                                                      \
    "{'resource': '" resource "', 'ready': '" ready "', 'reason': '" reason                        \
    "', 'since': '2025-12-31T21:55:00Z', 'message': '" message "'}"
#define HOSTING "kube/hostk8s/ConfigMap/kube-public/local-registry-hosting"

static const struct {
    const char *document;
    const char *table;
} cases[] = {
    {"{'resources': []}", "RESOURCE  READY  REASON  SINCE\n"},
    {"{'resources': [" ROW("container/r", "True", "Converged", "") "]}",
     "RESOURCE     READY  REASON     SINCE\n"
     "container/r  True   Converged  2h5m\n"},
    // All is well on a machine as it comes: 80 columns with single spaces.
    {"{'resources': [" ROW(HOSTING, "True", "Converged", "") "]}",
     "RESOURCE                                                  READY REASON    SINCE\n" HOSTING
     " True  Converged 2h5m\n"},
    {"{'resources': [" ROW(HOSTING, "True", "Converged", "") "," ROW(
         "node/b", "False", "ConfigPathDisabled",
         "one two three four five six seven eight nine ten eleven twelve thirteen") "]}",
     "RESOURCE                                          READY REASON             SINCE\n" HOSTING
     "\n"
     "                                                  True  Converged          2h5m\n"
     "node/b                                            False ConfigPathDisabled 2h5m\n"
     "    one two three four five six seven eight nine ten eleven twelve thirteen\n"},
    {"{'resources': [" ROW(
         "node/ü", "Unknown", "Error",
         "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 01234567890 "
         "http://a.very.long.one.example/01234567890123456789012345678901234567890123456789/"
         "0123") "]"
                 ", 'progress': 'registry:2: 3 of 5 layers, 12.3 MB, 4.1 MB/s'}",
     "RESOURCE  READY    REASON  SINCE\n"
     "node/ü    Unknown  Error   2h5m\n"
     "    0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n"
     "    01234567890\n"
     "    "
     "http://a.very.long.one.example/01234567890123456789012345678901234567890123456789/0123\n"
     "registry:2: 3 of 5 layers, 12.3 MB, 4.1 MB/s\n"},
    // One message for all that have it by one cause.
    {"{'resources': [" ROW("node/a", "False", "Error", "one") "," ROW(
         "node/b", "False", "Error", "two") "," ROW("node/c", "False", "Error", "two") "]}",
     "RESOURCE  READY  REASON  SINCE\n"
     "node/a    False  Error   2h5m\n"
     "    one\n"
     "node/b    False  Error   2h5m\n"
     "node/c    False  Error   2h5m\n"
     "    two\n"},
    // It is of another program's making: nothing that is missing is an error.
    {"{'resources': [{}]}", "RESOURCE  READY  REASON  SINCE\n"
                            "                         ?\n"},
};

static void tables(_unused_ void **state)
{
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *table = table_of(cases[i].document);
        assert_string_equal(table, cases[i].table);
    }
}

static void ages(_unused_ void **state)
{
    static const struct {
        const char *since;
        const char *age;
    } table[] = {
        {"2026-01-01T00:00:00Z", " 0s\n"},
        {"2025-12-31T23:59:01Z", " 59s\n"},
        {"2025-12-31T23:59:00Z", " 1m\n"},
        {"2025-12-31T23:56:01Z", " 3m\n"},
        {"2025-12-31T23:00:00Z", " 1h\n"},
        {"2025-12-31T21:55:00Z", " 2h5m\n"},
        {"2025-12-31T00:00:01Z", " 23h59m\n"},
        {"2025-12-28T20:00:00Z", " 3d4h\n"},
        {"2024-01-01T00:00:00Z", " 731d\n"},
        {"2999-01-01T00:00:00Z", " 0s\n"},
        {"yesterday", " ?\n"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_free_ char *document =
            str_printf("{'resources': [{'since': '%s'}]}", table[i].since);
        _cleanup_free_ char *text = table_of(document);
        if (!str_ends_with(text, table[i].age)) {
            fail_msg("%s: %s", table[i].since, text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables), cmocka_unit_test(ages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
