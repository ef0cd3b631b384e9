#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/strmap.h"
#include "lib/base/strv.h"
#include "lib/doc/path.h"
#include "lib/doc/schema.h"
#include "tests/support/equal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum colour { RED = 3, GREEN = 5 };

struct sample {
    bool flag;
    uint32_t count;
    uint64_t delay;
    enum colour colour;
    char *name;
    char *file;
    struct strv list;
    struct strmap map;
    char custom[8];
    char *inner;
};

static int parse_custom(void *target, const char *text, struct error *err)
{
    if (strlen(text) != 3) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "must have three letters");
    }
    memcpy(target, text, 4);
    return 0;
}

static char *format_custom(const void *target)
{
    return str_dup(target);
}

static int check_not_bad(const char *text, struct error *err)
{
    return str_equal(text, "bad") ? error_set(err, ERROR_PERMANENT, EINVAL, "must not be that") : 0;
}

static const struct schema_codec custom_codec = {parse_custom, format_custom};
static const struct schema_name colours[] = {{"red", RED}, {"green", GREEN}, {NULL, 0}};

#define AT(member) offsetof(struct sample, member)

static const struct schema_field inner_fields[] = {
    {.key = "inner", .type = SCHEMA_STRING, .offset = AT(inner), .fallback = "deep", .min = 1},
    {0},
};

static const struct schema_field sample_fields[] = {
    {.key = "flag", .type = SCHEMA_BOOL, .offset = AT(flag), .fallback = "true"},
    {.key = "count",
     .type = SCHEMA_INTEGER,
     .offset = AT(count),
     .fallback = "2",
     .min = 1,
     .max = 10},
    {.key = "delay",
     .type = SCHEMA_DURATION,
     .offset = AT(delay),
     .fallback = "1s",
     .min = 10,
     .max = 3600000},
    {.key = "colour",
     .type = SCHEMA_ENUM,
     .offset = AT(colour),
     .fallback = "green",
     .names = colours},
    {.key = "name",
     .type = SCHEMA_STRING,
     .offset = AT(name),
     .fallback = "nobody",
     .max = 10,
     .pattern = "^[a-z0-9 .:~]*$",
     .expected = "lower-case",
     .check = check_not_bad},
    {.key = "file", .type = SCHEMA_PATH, .offset = AT(file), .fallback = "~/file"},
    {.key = "list",
     .type = SCHEMA_STRINGS,
     .offset = AT(list),
     .fallback = "one",
     .max = 3,
     .min = 1,
     .pattern = "^[a-z]*$",
     .expected = "letters"},
    {.key = "map",
     .type = SCHEMA_STRING_MAP,
     .offset = AT(map),
     .max = 2,
     .pattern = "^[A-Z]+$",
     .expected = "upper-case"},
    {.key = "custom",
     .type = SCHEMA_CUSTOM,
     .offset = AT(custom),
     .fallback = "abc",
     .codec = &custom_codec},
    {.key = "table", .type = SCHEMA_TABLE, .fields = inner_fields},
    {0},
};

static const char *get(void *ctx, const char *name)
{
    return strmap_get(ctx, name);
}

// Decodes with HOME, A and EMPTY set. The result is one line a problem, "" for none.
static void decode(const char *text, struct sample *sample, struct buf *ret_problems)
{
    _cleanup_(strmap_done) struct strmap variables = {0};
    assert_int_equal(strmap_set(&variables, "HOME", "/home/u"), 0);
    assert_int_equal(strmap_set(&variables, "A", "/x/a$b"), 0);
    assert_int_equal(strmap_set(&variables, "EMPTY", ""), 0);
    assert_int_equal(strmap_set(&variables, "LATIN", "\xe9"), 0);
    struct schema_source source = {.directory = "/etc/app/", .get = get, .ctx = &variables};
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    _cleanup_(problems_done) struct problems problems = {0};
    assert_int_equal(yaml_read(text, strlen(text), &root, NULL), 0);
    assert_int_equal(schema_decode(sample_fields, root, &source, sample, &problems), 0);
    problems_sort(&problems);
    for (size_t i = 0; i < problems.count; i++) {
        const struct problem *problem = &problems.items[i];
        assert_int_equal(buf_printf(ret_problems, "%u:%u: %s: %s\n", problem->line, problem->column,
                                    problem->path, problem->text),
                         0);
    }
}

static void sample_done(struct sample *sample)
{
    schema_done(sample_fields, sample);
}

#define _cleanup_sample_ _cleanup_(sample_done)

static void defaults_one(const char *text)
{
    _cleanup_sample_ struct sample sample = {0};
    _cleanup_buf_ struct buf problems = BUF_INIT(4096);
    decode(text, &sample, &problems);
    assert_string_equal(buf_str(&problems), "");
    assert_true(sample.flag);
    assert_int_equal(sample.count, 2);
    assert_int_equal(sample.delay, 1000);
    assert_int_equal(sample.colour, GREEN);
    assert_string_equal(sample.name, "nobody");
    assert_string_equal(sample.file, "/home/u/file");
    assert_int_equal(sample.list.count, 1);
    assert_string_equal(sample.list.items[0], "one");
    assert_int_equal(sample.map.count, 0);
    assert_string_equal(sample.custom, "abc");
    assert_string_equal(sample.inner, "deep");
}

static void missing_and_null_are_defaults(void **state)
{
    (void)state;
    defaults_one("");
    defaults_one("{flag: , count: ~, delay: null, colour: , name: , file: , list: , map: , "
                 "custom: , table: {inner: }}");
    defaults_one("table:\n");
}

static void values_are_read(void **state)
{
    (void)state;
    _cleanup_sample_ struct sample sample = {0};
    _cleanup_buf_ struct buf problems = BUF_INIT(4096);
    decode("{flag: false, count: 10, delay: 2m, colour: 'red', name: \"12\", file: \"\", list: [],"
           " map: {A: 010, B: \"true\"}, custom: \"xyz\", table: {inner: \"~\"}}",
           &sample, &problems);
    assert_string_equal(buf_str(&problems), "");
    assert_false(sample.flag);
    assert_int_equal(sample.count, 10);
    assert_int_equal(sample.delay, 120000);
    assert_int_equal(sample.colour, RED);
    assert_string_equal(sample.name, "12");
    assert_null(sample.file);
    assert_int_equal(sample.list.count, 0);
    assert_string_equal(strmap_get(&sample.map, "A"), "010");
    assert_string_equal(strmap_get(&sample.map, "B"), "true");
    assert_string_equal(sample.custom, "xyz");
    assert_string_equal(sample.inner, "~");
}

static void problem_one(const char *text, const char *expected)
{
    _cleanup_sample_ struct sample sample = {0};
    _cleanup_buf_ struct buf problems = BUF_INIT(8192);
    decode(text, &sample, &problems);
    assert_string_equal(buf_str(&problems), expected);
}

static void problems_name_place_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"[]", "1:1: : must be a mapping, is a list\n"},
        {"text", "1:1: : must be a mapping, is a single value\n"},
        {"nane: x", "1:1: nane: unknown key `nane`, did you mean `name`?\n"},
        {"wholly: x", "1:1: wholly: unknown key `wholly`\n"},
        {"table: {iner: x}", "1:9: table.iner: unknown key `iner`, did you mean `inner`?\n"},
        {"flag: yes", "1:7: flag: must be true or false\n"},
        {"flag: 'true'", "1:7: flag: must be true or false, without quotes\n"},
        {"flag: [true]", "1:7: flag: must be a single value, is a list\n"},
        {"count: 0", "1:8: count: must be between 1 and 10\n"},
        {"count: 11", "1:8: count: must be between 1 and 10\n"},
        {"count: 99999999999999999999", "1:8: count: must be between 1 and 10\n"},
        {"count: 0x5", "1:8: count: must be an integer in decimal digits\n"},
        {"count: 05", "1:8: count: must be an integer in decimal digits\n"},
        {"count: -1", "1:8: count: must be an integer in decimal digits\n"},
        {"count: \"5\"", "1:8: count: must be an integer, without quotes\n"},
        {"delay: 5", "1:8: delay: lacks its unit: one of ms, s, m, h\n"},
        {"delay: 5d",
         "1:8: delay: must be a duration: a whole number and ms, s, m or h, e.g. 10s\n"},
        {"delay: 1.5s",
         "1:8: delay: must be a duration: a whole number and ms, s, m or h, e.g. 10s\n"},
        {"delay: s",
         "1:8: delay: must be a duration: a whole number and ms, s, m or h, e.g. 10s\n"},
        {"delay: 9ms", "1:8: delay: must be between 10ms and 1h\n"},
        {"delay: 61m", "1:8: delay: must be between 10ms and 1h\n"},
        {"delay: 18446744073709551615h", "1:8: delay: must be between 10ms and 1h\n"},
        {"delay: 100000000000000000000000000000h", "1:8: delay: must be between 10ms and 1h\n"},
        {"colour: blue", "1:9: colour: must be one of red, green\n"},
        {"colour: gren", "1:9: colour: must be one of red, green; did you mean `green`?\n"},
        {"name: 12",
         "1:7: name: must be text, YAML reads a number or a boolean: put it in quotes\n"},
        {"name: 1.e3",
         "1:7: name: must be text, YAML reads a number or a boolean: put it in quotes\n"},
        {"name: true",
         "1:7: name: must be text, YAML reads a number or a boolean: put it in quotes\n"},
        {"name: Secret", "1:7: name: must be lower-case\n"},
        {"name: bad", "1:7: name: must not be that\n"},
        {"name: aaaaaaaaaaa", "1:7: name: must have at most 10 bytes\n"},
        {"name: \"a\\tb\"", "1:7: name: must not have control characters\n"},
        {"table: {inner: \"\"}", "1:16: table.inner: must not be empty\n"},
        {"table: x", "1:8: table: must be a mapping, is a single value\n"},
        {"list: one", "1:7: list: must be a list, is a single value\n"},
        {"list: [a, B, 1, d]", "1:7: list: must have at most 3 entries\n"},
        {"list: [a, B, ~]", "1:11: list[1]: must be letters\n"
                            "1:14: list[2]: must not be empty\n"},
        {"list:\n  - [a]\n  - ''\n", "2:5: list[0]: must be a single value, is a list\n"
                                     "3:5: list[1]: must not be empty\n"},
        {"map: [A]", "1:6: map: must be a mapping of names to values, is a list\n"},
        {"map: {A: , B: {C: 1}}", "1:10: map.A: has no value; \"\" is an empty one\n"
                                  "1:15: map.B: must be a single value, is a mapping\n"},
        {"map: {A=secret: 1, b: 2}", "1:7: map: the name must be upper-case\n"
                                     "1:20: map: the name must be upper-case\n"},
        {"map: {A: 1, B: 2, C: 3}", "1:6: map: must have at most 2 entries\n"},
        {"custom: abcd", "1:9: custom: must have three letters\n"},
        {"file: $NONE/x", "1:7: file: the variable NONE is not set\n"},
        {"flag: 1\nnope: 2\ncount: x\n", "1:7: flag: must be true or false\n"
                                         "2:1: nope: unknown key `nope`, did you mean `name`?\n"
                                         "3:8: count: must be an integer in decimal digits\n"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        problem_one(cases[i].text, cases[i].expected);
    }
}

static void a_default_can_fail(void **state)
{
    (void)state;
    _cleanup_(strmap_done) struct strmap variables = {0};
    struct schema_source source = {.directory = "/", .get = get, .ctx = &variables};
    _cleanup_sample_ struct sample sample = {0};
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    _cleanup_(problems_done) struct problems problems = {0};
    assert_int_equal(yaml_read("", 0, &root, NULL), 0);
    assert_int_equal(schema_decode(sample_fields, root, &source, &sample, &problems), 0);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].path, "file");
    assert_string_equal(problems.items[0].text, "the default ~/file: the variable HOME is not set");
    assert_null(sample.file);
}

static void path_one(const char *text, const char *expected)
{
    _cleanup_sample_ struct sample sample = {0};
    _cleanup_buf_ struct buf problems = BUF_INIT(8192);
    _cleanup_free_ char *document = str_printf("file: '%s'", text);
    decode(document, &sample, &problems);
    assert_string_equal(expected[0] == '/' ? buf_str(&problems) : "", "");
    assert_string_equal(expected[0] == '/' ? sample.file : buf_str(&problems), expected);
}

static void paths_are_expanded(void **state)
{
    (void)state;
    path_one("/a/b", "/a/b");
    path_one("a/b", "/etc/app/a/b");
    path_one(".", "/etc/app");
    path_one("../../../../b", "/b");
    path_one("/..", "/");
    path_one("//a/./b//../c/", "/a/c");
    path_one("/a/...", "/a/...");
    path_one("~", "/home/u");
    path_one("~/x", "/home/u/x");
    path_one("a~", "/etc/app/a~");
    path_one("$HOME/x", "/home/u/x");
    path_one("${HOME}x", "/home/ux");
    path_one("/y/$A/z", "/y/x/a$b/z");
    path_one("/$$HOME", "/$HOME");
    path_one("~root/x",
             "1:7: file: ~ stands for your own home directory only: write ~/ or the path\n");
    path_one("$EMPTY/x", "1:7: file: the variable EMPTY is not set\n");
    path_one("/a$", "1:7: file: has a $ without the name of a variable; $$ is a dollar sign\n");
    path_one("/a$1", "1:7: file: has a $ without the name of a variable; $$ is a dollar sign\n");
    path_one("/a${}", "1:7: file: has a $ without the name of a variable; $$ is a dollar sign\n");
    path_one("/a${HOME", "1:7: file: has a ${ that is not closed by a }\n");
    path_one("/${LATIN}", "1:7: file: is not valid UTF-8 once expanded\n");
}

static void print_one(const struct sample *sample)
{
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    assert_int_equal(schema_print(sample_fields, sample, out), 0);
    assert_int_equal(fclose(out), 0);

    _cleanup_sample_ struct sample again = {0};
    _cleanup_buf_ struct buf problems = BUF_INIT(8192);
    decode(text, &again, &problems);
    assert_string_equal(buf_str(&problems), "");
    assert_int_equal(sample->delay, again.delay);
    assert_int_equal(sample->colour, again.colour);
    assert_string_equal(sample->name, again.name);
    assert_true(str_equal(sample->file, again.file));
    assert_lists_equal(&sample->list, &again.list);
    assert_maps_equal(&sample->map, &again.map);
    assert_string_equal(sample->custom, again.custom);
    assert_string_equal(sample->inner, again.inner);
}

static void what_is_printed_reads_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "a: b",
        "a:",
        "- a",
        " a",
        "a ",
        "#a",
        "a #b",
        "~",
        "null",
        "true",
        "No",
        "12",
        "0x1f",
        "1e3",
        ".5",
        "'",
        "\"",
        "\\",
        "a\\\"b",
        "[a]",
        "{a}",
        "a, b",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "?",
        "-",
        "a\nb",
        "\n",
        "a\r\n",
        "\t",
        "\x7f",
        "é",
        "日本",
        "---",
        "a\x01",
        "...",
        "x  y",
        "$$HOME",
        "\xf0\x9f\x98\x80",
        "a.b:5",
        "=",
        "<<",
        "\xc2\x85",
        "\xe2\x80\xa8",
        "\xef\xbb\xbf",
        "\xef\xbf\xbf",
        "\xc2\xa0",
    };
    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        _cleanup_sample_ struct sample sample = {.delay = 61000, .colour = RED, .custom = "a'b"};
        sample.name = str_dup("a: b");
        sample.file = i == 0 ? NULL : str_dup("/a$b ~/#");
        sample.inner = str_dup(str_equal(texts[i], "") ? "x" : "- y: \"z\"");
        sample.count = 1;
        assert_int_equal(strmap_set(&sample.map, "A", texts[i]), 0);
        assert_int_equal(strmap_set(&sample.map, "NULL", "v"), 0);
        assert_int_equal(strv_add(&sample.list, "true"), 0);
        assert_int_equal(strv_add(&sample.list, "no"), 0);
        print_one(&sample);
    }
}

static void durations_are_formatted(void **state)
{
    (void)state;
    char out[SCHEMA_DURATION_MAX];
    assert_string_equal(schema_format_duration(0, out), "0ms");
    assert_string_equal(schema_format_duration(1, out), "1ms");
    assert_string_equal(schema_format_duration(1500, out), "1500ms");
    assert_string_equal(schema_format_duration(90000, out), "90s");
    assert_string_equal(schema_format_duration(7200000, out), "2h");
    assert_string_equal(schema_format_duration(UINT64_MAX, out), "18446744073709551615ms");
}

static void a_stream_that_fails_is_reported(void **state)
{
    (void)state;
    _cleanup_sample_ struct sample sample = {0};
    _cleanup_buf_ struct buf problems = BUF_INIT(64);
    decode("", &sample, &problems);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(schema_print(sample_fields, &sample, full), -ENOSPC);
    (void)fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_and_null_are_defaults),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(problems_name_place_and_reason),
        cmocka_unit_test(a_default_can_fail),
        cmocka_unit_test(paths_are_expanded),
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(durations_are_formatted),
        cmocka_unit_test(a_stream_that_fails_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
