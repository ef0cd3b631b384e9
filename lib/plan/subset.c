#include "lib/plan/subset.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/json_text.h"

#include <errno.h>
#include <string.h>

#define TEXT_BYTES_MAX (16u * 1024u * 1024u) // of a value
#define VALUE_MAX 120                        // characters of a value that are shown
#define VALUE_CONTEXT 20                     // of them, those before the first difference

#define HIDDEN "(hidden)"
#define PATH_BYTES_MAX (16u * 1024u * 1024u) // an answer has no longer one: it is no longer itself

// What is special about a field, by its path. "[]" stands for any element.
struct rule {
    const char *path;
    const char *keys[2]; // a list that is a map by them; without keys a list is one value
    bool exact;          // nothing more than declared may be in it
    bool recreate;       // a difference can only be repaired by making the object again
    bool hidden;         // the values are nobody's business
    bool implied;        // by the path that the object was asked for
};

#define CONTAINERS "spec.template.spec.containers"

// Tried with Kubernetes 1.20. What is below a list that is one value is exact as well.
static const struct rule rules[] = {
    {.path = CONTAINERS, .keys = {"name"}},
    {.path = CONTAINERS "[].env", .keys = {"name"}, .hidden = true},
    {.path = CONTAINERS "[].env[]", .exact = true},
    // Another manager's, beside our value: every apply is refused.
    {.path = CONTAINERS "[].env[].valueFrom", .recreate = true},
    {.path = CONTAINERS "[].ports", .keys = {"containerPort", "protocol"}},
    {.path = "spec.ports", .keys = {"port", "protocol"}},
    // Immutable in a Deployment; in a Service another manager's entries stay.
    {.path = "spec.selector", .exact = true, .recreate = true},
    {.path = "apiVersion", .implied = true},
    {.path = "kind", .implied = true},
    {.path = "addressType", .recreate = true},
    {.path = "immutable", .recreate = true},
};

static const struct rule no_rule;

// What holds for all that is below a field.
struct mode {
    bool exact;
    bool recreate;
    bool hidden;
};

static bool path_matches(const char *path, const char *pattern)
{
    while (*pattern != '\0') {
        if (*path != *pattern) {
            return false;
        }
        if (*path == '[') {
            path = strchr(path, ']');
            if (path == NULL) {
                return false;
            }
            pattern++;
        }
        path++;
        pattern++;
    }
    return *path == '\0';
}

static const struct rule *rule_of(const char *path)
{
    for (size_t i = 0; i < ELEMENTS(rules); i++) {
        if (path_matches(path, rules[i].path)) {
            return &rules[i];
        }
    }
    return &no_rule;
}

static struct mode mode_below(struct mode mode, const struct rule *rule)
{
    return (struct mode){
        .exact = mode.exact || rule->exact,
        .recreate = mode.recreate || rule->recreate,
        .hidden = mode.hidden || rule->hidden,
    };
}

// The API server leaves out a field that has its type's zero value (Go's omitempty).
static bool is_zero(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

// Hides the values of every environment in a copy that is to be shown. Returns 0 or -ENOMEM.
// NOLINTNEXTLINE(misc-no-recursion): no deeper than jansson reads (JSON_PARSER_MAX_DEPTH)
static int redact(json_t *value)
{
    const char *key = NULL;
    json_t *child = NULL;
    size_t i = 0;
    json_array_foreach (value, i, child) {
        int r = redact(child);
        if (r < 0) {
            return r;
        }
    }
    json_object_foreach (value, key, child) {
        bool secret = str_equal(key, "env") && !is_zero(child);
        int r = secret ? json_object_set_new(value, key, json_string(HIDDEN)) : redact(child);
        if (r < 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

// Compact JSON with sorted keys, ASCII alone, so that it may be cut anywhere. NULL: out of memory.
static char *text_of(const json_t *value)
{
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_BYTES_MAX);
    json_auto_t *copy = json_deep_copy(value);
    if (copy == NULL || redact(copy) < 0 ||
        json_print(&text, copy,
                   JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII) < 0) {
        return NULL;
    }
    return buf_take(&text);
}

// The part of a value that is shown: long ones from a little before where they begin to differ.
static char *excerpt(const char *text, const char *other)
{
    size_t start = 0;
    while (other != NULL && text[start] != '\0' && text[start] == other[start]) {
        start++;
    }
    start = start < VALUE_MAX / 2 ? 0 : start - VALUE_CONTEXT;
    bool cut = strlen(text + start) > VALUE_MAX;
    return str_printf("%s%.*s%s", start > 0 ? "…" : "", VALUE_MAX, text + start, cut ? "…" : "");
}

// is or should may be NULL: absent.
static int add(struct subset_diff *diff, struct mode mode, const char *path, const json_t *is,
               const json_t *should)
{
    const struct rule *rule = rule_of(path);
    diff->recreate = diff->recreate || mode.recreate || rule->recreate;
    if (mode.hidden || rule->hidden) {
        return field_diffs_add(&diff->fields, path, is == NULL ? NULL : HIDDEN,
                               should == NULL ? NULL : HIDDEN);
    }
    _cleanup_free_ char *is_text = is == NULL ? NULL : text_of(is);
    _cleanup_free_ char *should_text = should == NULL ? NULL : text_of(should);
    if ((is != NULL && is_text == NULL) || (should != NULL && should_text == NULL)) {
        return -ENOMEM;
    }
    _cleanup_free_ char *is_shown = is == NULL ? NULL : excerpt(is_text, should_text);
    _cleanup_free_ char *should_shown = should == NULL ? NULL : excerpt(should_text, is_text);
    if ((is != NULL && is_shown == NULL) || (should != NULL && should_shown == NULL)) {
        return -ENOMEM;
    }
    return field_diffs_add(&diff->fields, path, is_shown, should_shown);
}

static bool has_same(const json_t *a, const json_t *b, const char *key)
{
    const json_t *value = json_object_get(a, key);
    return value != NULL && json_equal(value, json_object_get(b, key));
}

// The element of the list with wanted's keys.
static json_t *element_with(const json_t *list, const json_t *wanted, const char *const keys[2])
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *element = json_array_get(list, i);
        if (has_same(element, wanted, keys[0]) &&
            (keys[1] == NULL || has_same(element, wanted, keys[1]))) {
            return element;
        }
    }
    return NULL;
}

// A comparison under way: where it is, and what it found so far.
struct walk {
    struct subset_diff *diff;
    struct buf path; // of the values at hand, "spec.ports[80].name"
};

// The path of a child is that of its parent with more behind it: push, look at the child, pop.
static int push_member(struct walk *walk, const char *key)
{
    int r = walk->path.length == 0 ? 0 : buf_append(&walk->path, ".", 1);
    return r < 0 ? r : buf_append_str(&walk->path, key);
}

// "containers" and its element {"name":"ui"}: "containers[ui]".
static int push_element(struct walk *walk, const json_t *element, const char *key)
{
    const json_t *value = json_object_get(element, key);
    return json_is_string(value)
               ? buf_printf(&walk->path, "[%s]", json_string_value(value))
               : buf_printf(&walk->path, "[%" JSON_INTEGER_FORMAT "]", json_integer_value(value));
}

static int push_index(struct walk *walk, size_t index)
{
    return buf_printf(&walk->path, "[%zu]", index);
}

static const struct rule *rule_here(const struct walk *walk)
{
    return rule_of(buf_str(&walk->path));
}

static int add_here(struct walk *walk, struct mode mode, const json_t *is, const json_t *should)
{
    return add(walk->diff, mode, buf_str(&walk->path), is, should);
}

// NOLINTBEGIN(misc-no-recursion): no deeper than what is declared
static int compare(struct walk *walk, struct mode mode, const json_t *is, const json_t *should);

// A name may not occur twice in these lists, so that applying the wanted element is refused while
// one with other keys has its name.
static int compare_keyed(struct walk *walk, struct mode mode, const struct rule *rule,
                         const json_t *is, const json_t *should)
{
    static const char *const by_name[2] = {"name"};
    size_t parent = walk->path.length;
    for (size_t i = 0; i < json_array_size(should); i++) {
        const json_t *wanted = json_array_get(should, i);
        int r = push_element(walk, wanted, rule->keys[0]);
        const json_t *found = element_with(is, wanted, rule->keys);
        if (r == 0 && found != NULL) {
            r = compare(walk, mode, found, wanted);
        } else if (r == 0) {
            const json_t *rival = element_with(is, wanted, by_name);
            mode.recreate = mode.recreate || rival != NULL;
            r = add_here(walk, mode, rival, wanted);
        }
        if (r < 0) {
            return r;
        }
        buf_truncate(&walk->path, parent);
    }
    return 0;
}

static int compare_array(struct walk *walk, struct mode mode, const json_t *is,
                         const json_t *should)
{
    const struct rule *rule = rule_here(walk);
    if (rule->keys[0] != NULL) {
        return compare_keyed(walk, mode, rule, is, should);
    }
    if (json_array_size(is) != json_array_size(should)) {
        return add_here(walk, mode, is, should);
    }
    mode.exact = true;
    size_t parent = walk->path.length;
    for (size_t i = 0; i < json_array_size(should); i++) {
        int r = push_index(walk, i);
        if (r == 0) {
            r = compare(walk, mode, json_array_get(is, i), json_array_get(should, i));
        }
        if (r < 0) {
            return r;
        }
        buf_truncate(&walk->path, parent);
    }
    return 0;
}

static int compare_object(struct walk *walk, struct mode mode, const json_t *is,
                          const json_t *should)
{
    const char *key = NULL;
    json_t *value = NULL;
    size_t parent = walk->path.length;
    json_object_foreach ((json_t *)should, key, value) {
        int r = push_member(walk, key);
        if (r == 0) {
            r = compare(walk, mode, json_object_get(is, key), value);
        }
        if (r < 0) {
            return r;
        }
        buf_truncate(&walk->path, parent);
    }
    if (!mode.exact) {
        return 0;
    }
    json_object_foreach ((json_t *)is, key, value) {
        if (is_zero(value) || json_object_get(should, key) != NULL) {
            continue;
        }
        int r = push_member(walk, key);
        if (r == 0) {
            r = add_here(walk, mode, value, NULL);
        }
        if (r < 0) {
            return r;
        }
        buf_truncate(&walk->path, parent);
    }
    return 0;
}

// json_equal tells 1 from 1.0.
static bool is_same_number(const json_t *is, const json_t *should)
{
    double distance = json_number_value(is) - json_number_value(should);
    return json_is_number(is) && json_is_number(should) && !(distance < 0) && !(distance > 0);
}

static int compare(struct walk *walk, struct mode mode, const json_t *is, const json_t *should)
{
    if ((is_zero(is) && is_zero(should)) || json_equal(is, should)) {
        return 0;
    }
    const struct rule *rule = rule_here(walk);
    if (rule->implied) {
        return 0;
    }
    mode = mode_below(mode, rule);
    if (json_is_object(is) && json_is_object(should)) {
        return compare_object(walk, mode, is, should);
    }
    if (json_is_array(is) && json_is_array(should)) {
        return compare_array(walk, mode, is, should);
    }
    return is_same_number(is, should) ? 0 : add_here(walk, mode, is, should);
}
// NOLINTEND(misc-no-recursion)

int subset_compare(const json_t *is, const json_t *should, struct subset_diff *ret)
{
    struct walk walk = {.diff = ret, .path = BUF_INIT(PATH_BYTES_MAX)};
    int r = compare(&walk, (struct mode){0}, is, should);
    buf_done(&walk.path);
    return r;
}

// NOLINTBEGIN(misc-no-recursion): no deeper than jansson reads (JSON_PARSER_MAX_DEPTH)
static int compare_managed(struct walk *walk, struct mode mode, const json_t *fields,
                           const json_t *is, const json_t *should);

// The values of one field of a FieldsV1 are at hand and its path is pushed.
static int compare_managed_value(struct walk *walk, struct mode mode, const json_t *below,
                                 const json_t *is, const json_t *should)
{
    bool declared_leaf = should != NULL && json_object_size(below) == 0;
    if (is_zero(is) || declared_leaf || mode.exact) { // compare() tells of more than there may be
        return 0;
    }
    mode = mode_below(mode, rule_here(walk));
    return should == NULL ? add_here(walk, mode, is, NULL)
                          : compare_managed(walk, mode, below, is, should);
}

// "k:{…}": the element with these keys of a list.
static int compare_managed_element(struct walk *walk, struct mode mode, const char *keys_text,
                                   const json_t *below, const json_t *is, const json_t *should)
{
    json_auto_t *keys = NULL;
    if (json_parse(keys_text, strlen(keys_text), &keys, NULL) == -ENOMEM) {
        return -ENOMEM;
    }
    const struct rule *rule = rule_here(walk);
    if (keys == NULL || rule->keys[0] == NULL) {
        return 0; // a list that nothing declared has
    }
    int r = push_element(walk, keys, rule->keys[0]);
    return r < 0 ? r
                 : compare_managed_value(walk, mode, below, element_with(is, keys, rule->keys),
                                         element_with(should, keys, rule->keys));
}

// The fields of a FieldsV1: "f:NAME" is a member, "k:{…}" an element, "." the parent itself.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
static int compare_managed(struct walk *walk, struct mode mode, const json_t *fields,
                           const json_t *is, const json_t *should)
{
    const char *field = NULL;
    json_t *below = NULL;
    size_t parent = walk->path.length;
    json_object_foreach ((json_t *)fields, field, below) {
        int r = 0;
        if (str_starts_with(field, "f:")) {
            const char *name = field + strlen("f:");
            r = push_member(walk, name);
            if (r == 0) {
                r = compare_managed_value(walk, mode, below, json_object_get(is, name),
                                          json_object_get(should, name));
            }
        } else if (str_starts_with(field, "k:")) {
            r = compare_managed_element(walk, mode, field + strlen("k:"), below, is, should);
        }
        if (r < 0) {
            return r;
        }
        buf_truncate(&walk->path, parent);
    }
    return 0;
}
// NOLINTEND(misc-no-recursion)

int subset_compare_managed(const json_t *is, const json_t *should, const char *manager,
                           struct subset_diff *ret)
{
    struct walk walk = {.diff = ret, .path = BUF_INIT(PATH_BYTES_MAX)};
    const json_t *entries = json_get_array(is, "metadata", "managedFields", NULL);
    int r = 0;
    for (size_t i = 0; i < json_array_size(entries) && r == 0; i++) {
        const json_t *entry = json_array_get(entries, i);
        if (str_equal(json_get_string(entry, "manager", NULL), manager) &&
            str_equal(json_get_string(entry, "operation", NULL), "Apply")) {
            r = compare_managed(&walk, (struct mode){0}, json_get_object(entry, "fieldsV1", NULL),
                                is, should);
        }
    }
    buf_done(&walk.path);
    return r;
}

void subset_diff_done(struct subset_diff *diff)
{
    field_diffs_done(&diff->fields);
}
