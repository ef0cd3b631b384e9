#include "lib/doc/yaml_scalar.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "tests/support/random.h"
#include "tests/support/unit.h"

#include <string.h>

// What YAML 1.1 takes a plain scalar for when it is no text (yaml.org/type), written down once
// more: PyYAML and others still read so.
static const char *const yaml_1_1[] = {
    "^(y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$",
    "^(~|null|Null|NULL|)$",
    "^[-+]?(0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(:[0-5]?[0-9])+)$",
    "^[-+]?([0-9][0-9_]*)?\\.[0-9_]*([eE][-+]?[0-9]+)?$",
    "^[-+]?[0-9][0-9_]*([eE][-+]?[0-9]+)$",
    "^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\\.[0-9_]*$",
    "^[-+]?\\.(inf|Inf|INF|nan|NaN|NAN)$",
    "^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}",
    "^(<<|=)$",
};

static char *print(const char *text)
{
    char *printed = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&printed, &length);
    assert_non_null(out);
    yaml_print_text(text, out);
    assert_int_equal(fclose(out), 0);
    return printed;
}

// What is printed reads back as the same text, by ours and, as a value alone, by YAML 1.1.
static void assert_reads_back(const char *text)
{
    _cleanup_free_ char *printed = print(text);
    _cleanup_free_ char *document =
        str_printf("- k: %s\n- - %s\n- %s: v\n", printed, printed, printed);
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    struct error err = {0};
    if (yaml_read(document, strlen(document), &root, &err) < 0) {
        fail_msg("%s: %s", document, err.text);
    }
    const struct yaml_node *nodes[] = {&root->entries[0].value.entries[0].value,
                                       &root->entries[1].value.entries[0].value};
    for (size_t i = 0; i < ELEMENTS(nodes); i++) {
        assert_string_equal(nodes[i]->text, text);
        assert_false(yaml_is_null(nodes[i]));
        assert_true(!nodes[i]->plain || yaml_plain_meaning(text) == NULL);
    }
    assert_string_equal(root->entries[2].value.entries[0].key, text);
    for (size_t i = 0; printed[0] != '"' && i < ELEMENTS(yaml_1_1); i++) {
        if (str_matches(printed, yaml_1_1[i])) {
            fail_msg("%s is no text in YAML 1.1", printed);
        }
    }
}

static void what_is_printed_reads_back(_unused_ void **state)
{
    static const char *const pieces[] = {
        "0",      "1",      "9",      "_",       ":",      ".",        "-",         "+",
        "e",      "x",      "b",      "o",       "n",      "y",        "on",        "true",
        "No",     "null",   " ",      "#",       "~",      "=",        "<",         "<<",
        "inf",    "NaN",    "0x1f",   "1e3",     "007",    "1:30",     "1_000",     "0b1",
        "0o17",   "---",    "...",    "1:2:3.4", "/",      "T",        "Z",         "2024-01-01",
        "\"",     "'",      "\\",     ",",       "[",      "]",        "{",         "}",
        "&",      "*",      "!",      "|",       ">",      "%",        "@",         "`",
        "?",      "$",      "\n",     "\r\n",    "\t",     "\x01",     "\x7f",      "\u00e9",
        "\u65e5", "\u00a0", "\u2028", "\ufeff",  "\uffff", "\xc2\x85", "\U0001f600"};
    struct random random = {.state = 20260301};
    for (unsigned i = 0; i < repetitions(20000); i++) {
        _cleanup_buf_ struct buf text = BUF_INIT(128);
        for (unsigned j = random_below(&random, 6); j > 0; j--) {
            assert_int_equal(buf_append_str(&text, RANDOM_PICK(&random, pieces)), 0);
        }
        assert_reads_back(buf_str(&text));
    }
}

// Readable where it can be.
static void common_texts_have_no_quotes(_unused_ void **state)
{
    static const char *const texts[] = {"registry:2",        "HostK8s Registry",
                                        "/var/lib/registry", "unix:///var/run/docker.sock",
                                        "localhost:5000",    "joxit/docker-registry-ui:2.6.0",
                                        "unless-stopped"};
    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        _cleanup_free_ char *printed = print(texts[i]);
        assert_string_equal(printed, texts[i]);
    }
}

static void plain_scalars_have_a_meaning(_unused_ void **state)
{
    static const struct {
        const char *text;
        const char *meaning;
    } cases[] = {
        {"12", "a number"},    {"-1", "a number"},     {"1.e3", "a number"},
        {".5", "a number"},    {"0x1F", "a number"},   {"0o17", "a number"},
        {".inf", "a number"},  {"-.INF", "a number"},  {".nan", "a number"},
        {"true", "a boolean"}, {"FALSE", "a boolean"}, {"yes", NULL},
        {"1:30", NULL},        {"1_000", NULL},        {"", NULL},
        {"~", NULL},           {"-.nan", NULL},        {"1e", NULL},
        {".", NULL},           {"tRue", NULL},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        assert_true(str_equal(yaml_plain_meaning(cases[i].text), cases[i].meaning));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(common_texts_have_no_quotes),
        cmocka_unit_test(plain_scalars_have_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
