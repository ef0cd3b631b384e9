#include "lib/base/buf.h"
#include "lib/doc/yaml.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <string.h>

static struct yaml_node *read_ok(const char *text)
{
    struct yaml_node *root = NULL;
    struct error err = {0};
    int r = yaml_read(text, strlen(text), &root, &err);
    if (r != 0) {
        fail_msg("%s: %s", text, err.text);
    }
    return root;
}

static void tree_has_positions_and_quoting(_unused_ void **state)
{
    _cleanup_(yaml_node_freep) struct yaml_node *root = read_ok("# comment\n"
                                                                "a: 012\n"
                                                                "bé: {c: '012', \"d\": [x, y]}\n"
                                                                "e: |\n"
                                                                "  text\n"
                                                                "f:\n");
    assert_int_equal(root->kind, YAML_KIND_MAPPING);
    assert_int_equal(root->count, 4);
    const struct yaml_node *a = yaml_get(root, "a");
    assert_string_equal(a->text, "012");
    assert_true(a->plain);
    assert_int_equal(a->line, 2);
    assert_int_equal(a->column, 4);
    assert_int_equal(root->entries[0].line, 2);
    assert_int_equal(root->entries[0].column, 1);

    const struct yaml_node *b = yaml_get(root, "bé");
    assert_int_equal(b->column, 5); // characters, not bytes
    const struct yaml_node *c = yaml_get(b, "c");
    assert_string_equal(c->text, "012");
    assert_false(c->plain);
    const struct yaml_node *d = yaml_get(b, "d");
    assert_int_equal(d->kind, YAML_KIND_SEQUENCE);
    assert_int_equal(d->count, 2);
    assert_string_equal(d->entries[1].value.text, "y");
    assert_null(d->entries[1].key);
    assert_int_equal(d->entries[1].column, 25);

    assert_string_equal(yaml_get_text(root, "e"), "text\n");
    assert_false(yaml_get(root, "e")->plain);
    assert_true(yaml_is_null(yaml_get(root, "f")));
    assert_null(yaml_get_text(root, "f"));
    assert_null(yaml_get(root, "g"));
    assert_null(yaml_get(a, "g"));
    assert_null(yaml_get(NULL, "g"));
    assert_null(yaml_text(b));
}

static void empty_one(const char *text)
{
    _cleanup_(yaml_node_freep) struct yaml_node *root = read_ok(text);
    assert_int_equal(root->kind, YAML_KIND_MAPPING);
    assert_int_equal(root->count, 0);
    assert_int_equal(root->line, 1);
    assert_int_equal(root->column, 1);
}

static void empty_documents_are_empty_mappings(_unused_ void **state)
{
    empty_one("");
    empty_one("\n\n# only a comment\n");
    empty_one("---\n");
    empty_one("---\n...\n");
    empty_one("~\n");
    empty_one("\xef\xbb\xbf");
}

static void json_is_yaml(_unused_ void **state)
{
    _cleanup_(yaml_node_freep) struct yaml_node *root =
        read_ok("{\n\t\"a\":{\"b\":[1,true,null,\"x\\/\\n\\u00e9\"]},\n\t\"c\":\"\"\n}\n");
    const struct yaml_node *list = yaml_get(yaml_get(root, "a"), "b");
    assert_int_equal(list->count, 4);
    assert_true(list->entries[0].value.plain);
    assert_string_equal(yaml_text(&list->entries[1].value), "true");
    assert_null(yaml_text(&list->entries[2].value));
    assert_string_equal(yaml_text(&list->entries[3].value), "x/\né");
    assert_string_equal(yaml_get_text(root, "c"), "");
}

static void refused_one(const char *text, size_t length, const char *expected)
{
    struct yaml_node *root = NULL;
    struct error err = {0};
    assert_int_equal(yaml_read(text, length, &root, &err), -EINVAL);
    assert_null(root);
    assert_string_equal(err.text, expected);
    assert_int_equal(err.kind, ERROR_PERMANENT);
}

static void refuses(_unused_ void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"a: &x 1\n", "1:4: a: anchors (&) are not supported here"},
        {"a: *x\n", "1:4: a: aliases (*) are not supported here"},
        {"&a [*a]\n", "1:1: anchors (&) are not supported here"},
        {"a:\n  - !!str 1\n", "2:5: a[0]: tags (!) are not supported here"},
        {"a: !mine {b: 1}\n", "1:4: a: tags (!) are not supported here"},
        {"a: !mine [b]\n", "1:4: a: tags (!) are not supported here"},
        {"a:\n  <<: {b: 1}\n", "2:3: a: merge keys (<<) are not supported here"},
        {"? [1]\n: x\n", "1:3: a key must be a single value"},
        {"a: 1\nb: 2\na: 3\n", "3:1: a: duplicate key `a`, the first is in line 1"},
        {"x: {b: 1, b: 2}\n", "1:11: x.b: duplicate key `b`, the first is in line 1"},
        {"{FOO=secret: 1, FOO=secret: 2}\n",
         "1:17: FOO...: duplicate key `FOO...`, the first is in line 1"},
        {"a: 1\n---\nb: 2\n", "2:1: a second document begins here"},
        {"a: \"x\\0y\"\n", "1:4: a: NUL characters are not supported here"},
        {"\"x\\0y\": 1\n", "1:1: NUL characters are not supported here"},
        {"a:\n\tb: 1\n", "2:1: found character that cannot start any token (while scanning for the "
                         "next token that begins in line 2); the line is indented with a tab, use "
                         "spaces"},
        {"a: [1, 2\nb: 3\n", "2:2: did not find expected ',' or ']' (while parsing a flow sequence "
                             "that begins in line 1)"},
        {"a: 1\nb: x\xff\n", "2:5: invalid leading UTF-8 octet"},
        {"a: \x01\n", "1:4: control characters are not allowed"},
        {"a: 1\n b: 2\n", "2:3: mapping values are not allowed in this context"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        refused_one(cases[i].text, strlen(cases[i].text), cases[i].expected);
    }
    refused_one("a: 1\0b: 2", 9, "1:5: control characters are not allowed");
}

static void depth_one(const char *open, const char *close, size_t depth, bool good)
{
    _cleanup_buf_ struct buf text = BUF_INIT(YAML_BYTES_MAX);
    for (size_t i = 0; i < depth; i++) {
        assert_int_equal(buf_append_str(&text, open), 0);
    }
    for (size_t i = 0; i < depth; i++) {
        assert_int_equal(buf_append_str(&text, close), 0);
    }
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    struct error err = {0};
    int r = yaml_read(text.data, text.length, &root, &err);
    assert_int_equal(r, good ? 0 : -EINVAL);
    if (!good) {
        assert_non_null(strstr(err.text, "more than 32 levels of nesting"));
    }
}

static void depth_is_bounded(_unused_ void **state)
{
    depth_one("[", "]", YAML_DEPTH_MAX, true);
    depth_one("[", "]", YAML_DEPTH_MAX + 1, false);
    depth_one("{a: ", "}", YAML_DEPTH_MAX, true);
    depth_one("{a: ", "}", YAML_DEPTH_MAX + 1, false);
    depth_one("[", "]", YAML_BYTES_MAX / 2, false);
}

static void size_is_bounded(_unused_ void **state)
{
    _cleanup_free_ char *text = malloc(YAML_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, '\n', YAML_BYTES_MAX + 1);
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    assert_int_equal(yaml_read(text, YAML_BYTES_MAX, &root, NULL), 0);
    refused_one(text, YAML_BYTES_MAX + 1, "1:1: the document exceeds 1048576 bytes");
}

static void keys_are_bounded(_unused_ void **state)
{
    _cleanup_buf_ struct buf text = BUF_INIT(YAML_BYTES_MAX);
    for (unsigned i = 0; i < YAML_KEYS_MAX; i++) {
        assert_int_equal(buf_printf(&text, "k%u: %u\n", i, i % 10), 0);
    }
    _cleanup_(yaml_node_freep) struct yaml_node *root = read_ok(buf_str(&text));
    assert_int_equal(root->count, YAML_KEYS_MAX);
    assert_int_equal(buf_append_str(&text, "one: more\n"), 0);
    refused_one(text.data, text.length, "1025:1: more than 1024 keys");
}

static void goes_on_after_what_it_refuses(_unused_ void **state)
{
    static const char text[] = "a: &x 1\n"
                               "b: *x\n"
                               "c: {<<: {d: 1}, e: 2, e: [3], ? [4] : 5}\n"
                               "f: last\n";
    static const char *const expected[] = {
        "anchors (&) are not supported here",     "aliases (*) are not supported here",
        "merge keys (<<) are not supported here", "duplicate key `e`, the first is in line 3",
        "a key must be a single value",
    };
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    _cleanup_(problems_done) struct problems problems = {0};
    assert_int_equal(yaml_read_all(text, strlen(text), &root, &problems), 0);
    assert_int_equal(problems.count, ELEMENTS(expected));
    for (size_t i = 0; i < ELEMENTS(expected); i++) {
        assert_string_equal(problems.items[i].text, expected[i]);
    }
    assert_string_equal(yaml_get_text(root, "a"), "1");
    assert_true(yaml_is_null(yaml_get(root, "b")));
    const struct yaml_node *c = yaml_get(root, "c");
    assert_int_equal(c->count, 1);
    assert_string_equal(yaml_get_text(c, "e"), "2");
    assert_string_equal(yaml_get_text(root, "f"), "last");
}

static void problems_are_bounded(_unused_ void **state)
{
    _cleanup_buf_ struct buf text = BUF_INIT(YAML_BYTES_MAX);
    for (unsigned i = 0; i < 2 * PROBLEMS_MAX; i++) {
        assert_int_equal(buf_append_str(&text, "- *x\n"), 0);
    }
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    _cleanup_(problems_done) struct problems problems = {0};
    assert_int_equal(yaml_read_all(text.data, text.length, &root, &problems), 0);
    assert_int_equal(problems.count, PROBLEMS_MAX);
    assert_string_equal(problems.items[PROBLEMS_MAX - 1].text,
                        "there are more problems than are shown");
    assert_int_equal(root->count, 2 * PROBLEMS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_has_positions_and_quoting),
        cmocka_unit_test(empty_documents_are_empty_mappings),
        cmocka_unit_test(json_is_yaml),
        cmocka_unit_test(refuses),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(keys_are_bounded),
        cmocka_unit_test(goes_on_after_what_it_refuses),
        cmocka_unit_test(problems_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
