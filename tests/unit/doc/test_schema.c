#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/strmap.h"
#include "lib/base/strv.h"
#include "lib/doc/schema.h"
#include "tests/support/unit.h"

#include <string.h>

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
    char *spelled;
    char *inner;
};

static int spell_short(const char *text, char **ret, struct error *err)
{
    if (strlen(text) != 3) {
        return error_invalid(err, "must have three letters");
    }
    *ret = str_printf("%.2s!", text);
    return 0;
}

static const struct schema_name colours[] = {{"red", RED}, {"green", GREEN}, {NULL, 0}};

#define ROW(name, kind, text, ...)                                                                 \
    {                                                                                              \
        .key = #name, .type = (kind), .offset = offsetof(struct sample, name), .fallback = (text), \
        ##__VA_ARGS__                                                                              \
    }

static const struct schema_field inner_fields[] = {
    ROW(inner, SCHEMA_STRING, "deep", .min = 1),
    {0},
};

static const struct schema_field sample_fields[] = {
    ROW(flag, SCHEMA_BOOL, "true"),
    ROW(count, SCHEMA_INTEGER, "2", .min = 1, .max = 10),
    ROW(delay, SCHEMA_DURATION, "1s", .min = 10, .max = 3600000),
    ROW(colour, SCHEMA_ENUM, "green", .names = colours),
    ROW(name, SCHEMA_STRING, "nobody", .max = 10, .pattern = "^[a-z0-9 .:~]*$",
        .expected = "lower-case"),
    ROW(file, SCHEMA_PATH, "~/file"),
    ROW(list, SCHEMA_LIST, "one", .max = 3, .min = 1, .pattern = "^[a-z]*$", .expected = "letters"),
    ROW(map, SCHEMA_MAP, NULL, .max = 2, .pattern = "^[A-Z]+$", .expected = "upper-case"),
    ROW(spelled, SCHEMA_STRING, "abc", .spell = spell_short, .pattern = "^[a-z]+!$",
        .expected = "lower-case"),
    {.key = "table", .type = SCHEMA_TABLE, .fields = inner_fields},
    {0},
};

static const char *get(void *ctx, const char *name)
{
    return strmap_get(ctx, name);
}

// Decodes with HOME set. The result is one line a problem, "" for none.
static void decode(const char *text, struct sample *sample, struct buf *ret_problems)
{
    _cleanup_(strmap_done) struct strmap variables = {0};
    strmap_set(&variables, "HOME", "/home/u");
    struct path_source source = {.directory = "/etc/app/", .get = get, .ctx = &variables};
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    _cleanup_(problems_done) struct problems problems = {0};
    assert_int_equal(yaml_read(text, strlen(text), &root, NULL), 0);
    schema_decode(sample_fields, root, &source, sample, &problems);
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
    assert_string_equal(sample.spelled, "ab!");
    assert_string_equal(sample.inner, "deep");
}

static void missing_and_null_are_defaults(_unused_ void **state)
{
    defaults_one("");
    defaults_one("{flag: , count: ~, delay: null, colour: , name: , file: , list: , map: , "
                 "spelled: , table: {inner: }}");
    defaults_one("table:\n");
}

static void values_are_read(_unused_ void **state)
{
    _cleanup_sample_ struct sample sample = {0};
    _cleanup_buf_ struct buf problems = BUF_INIT(4096);
    decode("{flag: false, count: 10, delay: 2m, colour: 'red', name: \"12\", file: \"\", list: [a, "
           "b, a],"
           " map: {A: 010, B: \"true\"}, spelled: \"xyz\", table: {inner: \"~\"}}",
           &sample, &problems);
    assert_string_equal(buf_str(&problems), "");
    assert_false(sample.flag);
    assert_int_equal(sample.count, 10);
    assert_int_equal(sample.delay, 120000);
    assert_int_equal(sample.colour, RED);
    assert_string_equal(sample.name, "12");
    assert_null(sample.file);
    assert_int_equal(sample.list.count, 2); // each once
    assert_string_equal(strmap_get(&sample.map, "A"), "010");
    assert_string_equal(strmap_get(&sample.map, "B"), "true");
    assert_string_equal(sample.spelled, "xy!");
    assert_string_equal(sample.inner, "~");
}

static void problem_one(const char *text, const char *expected)
{
    _cleanup_sample_ struct sample sample = {0};
    _cleanup_buf_ struct buf problems = BUF_INIT(8192);
    decode(text, &sample, &problems);
    assert_string_equal(buf_str(&problems), expected);
}

static void problems_name_place_and_reason(_unused_ void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"[]", "1:1: : must be a mapping, is a list\n"},
        {"text", "1:1: : must be a mapping, is a single value\n"},
        {"nane: x", "1:1: nane: unknown key `nane`, did you mean `name`?\n"},
        {"NAME: x", "1:1: NAME: unknown key `NAME`, did you mean `name`?\n"},
        {"coulor: x", "1:1: coulor: unknown key `coulor`, did you mean `colour`?\n"},
        {"wholly: x", "1:1: wholly: unknown key `wholly`\n"},
        {"\"who\\nlly\": x", "1:1: who...: unknown key `who...`\n"},
        {"nameeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee: x",
         "1:1: nameeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee: unknown key "
         "`nameeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee`\n"},
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
        {"delay: s",
         "1:8: delay: must be a duration: a whole number and ms, s, m or h, e.g. 10s\n"},
        {"delay: 9ms", "1:8: delay: must be between 10ms and 1h\n"},
        {"delay: 61m", "1:8: delay: must be between 10ms and 1h\n"},
        {"delay: 18446744073709551615h", "1:8: delay: must be between 10ms and 1h\n"},
        {"colour: blue", "1:9: colour: must be one of red, green\n"},
        {"colour: RED", "1:9: colour: must be one of red, green; did you mean `red`?\n"},
        {"colour: gren", "1:9: colour: must be one of red, green; did you mean `green`?\n"},
        {"name: 12",
         "1:7: name: must be text, YAML reads a number or a boolean: put it in quotes\n"},
        {"name: true",
         "1:7: name: must be text, YAML reads a number or a boolean: put it in quotes\n"},
        {"name: Secret", "1:7: name: must be lower-case\n"},
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
        {"spelled: abcd", "1:10: spelled: must have three letters\n"},
        {"spelled: ABC", "1:10: spelled: must be lower-case\n"},
        {"file: $NONE/x", "1:7: file: the variable NONE is not set\n"},
        {"flag: 1\nnope: 2\ncount: x\n", "1:7: flag: must be true or false\n"
                                         "2:1: nope: unknown key `nope`, did you mean `name`?\n"
                                         "3:8: count: must be an integer in decimal digits\n"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        problem_one(cases[i].text, cases[i].expected);
    }
}

static void a_default_can_fail(_unused_ void **state)
{
    _cleanup_(strmap_done) struct strmap variables = {0};
    struct path_source source = {.directory = "/", .get = get, .ctx = &variables};
    _cleanup_sample_ struct sample sample = {0};
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    _cleanup_(problems_done) struct problems problems = {0};
    assert_int_equal(yaml_read("", 0, &root, NULL), 0);
    schema_decode(sample_fields, root, &source, &sample, &problems);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].path, "file");
    assert_string_equal(problems.items[0].text, "the default ~/file: the variable HOME is not set");
    assert_null(sample.file);
}

static char *print(const struct sample *sample)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    schema_print(sample_fields, sample, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void print_one(const struct sample *sample)
{
    _cleanup_free_ char *text = print(sample);
    _cleanup_sample_ struct sample again = {0};
    _cleanup_buf_ struct buf problems = BUF_INIT(8192);
    decode(text, &again, &problems);
    assert_string_equal(buf_str(&problems), "");
    _cleanup_free_ char *printed_again = print(&again);
    assert_string_equal(text, printed_again);
    assert_string_equal(sample->name, again.name);
    assert_true(str_equal(sample->file, again.file));
    assert_true(str_equal(strmap_get(&sample->map, "A"), strmap_get(&again.map, "A")));
}

static void what_is_printed_reads_back(_unused_ void **state)
{
    static const char *const texts[] = {"", "a: b", "- \"x\"", "~", "true", "012", "a\n\x01\u2028"};
    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        _cleanup_sample_ struct sample sample = {.delay = 61000, .colour = RED};
        sample.name = str_dup("a: b");
        sample.file = i == 0 ? NULL : str_dup("/a$b ~/#");
        sample.spelled = str_dup("ab!");
        sample.inner = str_dup(i == 0 ? "x" : "- y: \"z\"");
        sample.count = 1;
        strmap_set(&sample.map, "A", texts[i]);
        strmap_set(&sample.map, "NULL", "v");
        strv_add(&sample.list, "true");
        strv_add(&sample.list, "no");
        print_one(&sample);
    }
}

static void values_are_printed_as_people_write_them(_unused_ void **state)
{
    static const struct {
        const char *line;
        const char *printed;
    } cases[] = {
        {"delay: 1500ms", "delay: 1500ms\n"},
        {"delay: 90s", "delay: 90s\n"},
        {"delay: 3600s", "delay: 1h\n"},
        {"count: 3", "count: 3\n"},
        {"flag: false", "flag: false\n"},
        {"file: ''", "file: \"\"\n"},
        {"colour: red", "colour: red\n"},
        {"list: []", "list: []\n"},
        {"list: [a]", "list:\n  - a\n"},
        {"map: {A: b}", "map:\n  A: b\n"},
        {"name: ok", "map: {}\n"},
        {"table: {inner: '1'}", "table:\n  inner: \"1\"\n"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_sample_ struct sample sample = {0};
        _cleanup_buf_ struct buf problems = BUF_INIT(64);
        decode(cases[i].line, &sample, &problems);
        _cleanup_free_ char *text = print(&sample);
        assert_non_null(strstr(text, cases[i].printed));
    }
}

static void a_map_is_bounded(_unused_ void **state)
{
    _cleanup_sample_ struct sample sample = {0};
    _cleanup_buf_ struct buf problems = BUF_INIT(256);
    _cleanup_free_ char *most = str_printf("map: {A: '%0*d'}", SCHEMA_MAP_BYTES_MAX - 1, 0);
    _cleanup_free_ char *more = str_printf("map: {A: '%0*d', B: ''}", SCHEMA_MAP_BYTES_MAX - 1, 0);
    decode(most, &sample, &problems);
    assert_string_equal(buf_str(&problems), "");
    decode(more, &sample, &problems);
    assert_string_equal(buf_str(&problems), "1:6: map: must have at most 65536 bytes in all\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_and_null_are_defaults),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(problems_name_place_and_reason),
        cmocka_unit_test(a_default_can_fail),
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(values_are_printed_as_people_write_them),
        cmocka_unit_test(a_map_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
