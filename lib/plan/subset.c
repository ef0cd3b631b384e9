#include "lib/plan/subset.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/json_text.h"

#include <errno.h>
#include <string.h>

#define TEXT_BYTES_MAX (16u * 1024u * 1024u) // of a value
#define VALUE_MAX 120                        // characters of a value that are shown
#define VALUE_CONTEXT 20                     // of them, those before the first difference

#define HIDDEN "(hidden)"

// What is special about a field, by its path. "[]" stands for any element.
struct rule {
    const char *path;
    const char *keys[2]; // a list that is a map by them; without keys a list is one value
    bool exact;          // nothing more than declared may be in it
    bool recreate;       // a difference can only be repaired by making the object again
    bool hidden;         // the values are nobody's business
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

// "containers" and its element {"name":"ui"}: "containers[ui]". NULL: out of memory.
static char *element_path(const char *path, const json_t *element, const char *key)
{
    const json_t *value = json_object_get(element, key);
    return json_is_string(value)
               ? str_printf("%s[%s]", path, json_string_value(value))
               : str_printf("%s[%" JSON_INTEGER_FORMAT "]", path, json_integer_value(value));
}

static char *member_path(const char *path, const char *key)
{
    return str_printf("%s%s%s", path, path[0] == '\0' ? "" : ".", key);
}

static int compare(struct subset_diff *diff, struct mode mode, const char *path, const json_t *is,
                   const json_t *should);

// A name may not occur twice in these lists, so that applying the wanted element is refused while
// one with other keys has its name.
static int compare_keyed(struct subset_diff *diff, struct mode mode, const char *path,
                         const struct rule *rule, const json_t *is, const json_t *should)
{
    static const char *const by_name[2] = {"name"};
    for (size_t i = 0; i < json_array_size(should); i++) {
        const json_t *wanted = json_array_get(should, i);
        _cleanup_free_ char *child = element_path(path, wanted, rule->keys[0]);
        if (child == NULL) {
            return -ENOMEM;
        }
        const json_t *found = element_with(is, wanted, rule->keys);
        if (found == NULL) {
            const json_t *rival = element_with(is, wanted, by_name);
            mode.recreate = mode.recreate || rival != NULL;
            int r = add(diff, mode, child, rival, wanted);
            if (r < 0) {
                return r;
            }
            continue;
        }
        int r = compare(diff, mode, child, found, wanted);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int compare_array(struct subset_diff *diff, struct mode mode, const char *path,
                         const json_t *is, const json_t *should)
{
    const struct rule *rule = rule_of(path);
    if (rule->keys[0] != NULL) {
        return compare_keyed(diff, mode, path, rule, is, should);
    }
    if (json_array_size(is) != json_array_size(should)) {
        return add(diff, mode, path, is, should);
    }
    mode.exact = true;
    for (size_t i = 0; i < json_array_size(should); i++) {
        _cleanup_free_ char *child = str_printf("%s[%zu]", path, i);
        int r = child == NULL
                    ? -ENOMEM
                    : compare(diff, mode, child, json_array_get(is, i), json_array_get(should, i));
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int compare_object(struct subset_diff *diff, struct mode mode, const char *path,
                          const json_t *is, const json_t *should)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)should, key, value) {
        _cleanup_free_ char *child = member_path(path, key);
        int r =
            child == NULL ? -ENOMEM : compare(diff, mode, child, json_object_get(is, key), value);
        if (r < 0) {
            return r;
        }
    }
    json_object_foreach ((json_t *)is, key, value) {
        if (!mode.exact || is_zero(value) || json_object_get(should, key) != NULL) {
            continue;
        }
        _cleanup_free_ char *child = member_path(path, key);
        int r = child == NULL ? -ENOMEM : add(diff, mode, child, value, NULL);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static bool is_equal(const json_t *is, const json_t *should)
{
    if (json_is_number(is) && json_is_number(should)) {
        double distance = json_number_value(is) - json_number_value(should);
        return !(distance < 0) && !(distance > 0);
    }
    return json_equal(is, should);
}

static int compare(struct subset_diff *diff, struct mode mode, const char *path, const json_t *is,
                   const json_t *should)
{
    if (is_zero(is) && is_zero(should)) {
        return 0;
    }
    mode = mode_below(mode, rule_of(path));
    if (json_is_object(is) && json_is_object(should)) {
        return compare_object(diff, mode, path, is, should);
    }
    if (json_is_array(is) && json_is_array(should)) {
        return compare_array(diff, mode, path, is, should);
    }
    return is_equal(is, should) ? 0 : add(diff, mode, path, is, should);
}

int subset_compare(const json_t *is, const json_t *should, struct subset_diff *ret)
{
    return compare(ret, (struct mode){0}, "", is, should);
}

static int compare_managed(struct subset_diff *diff, struct mode mode, const char *path,
                           const json_t *fields, const json_t *is, const json_t *should);

// One field of a FieldsV1: "f:NAME" a member, "k:{…}" the element with these keys; "." is the
// parent itself.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
static int compare_managed_field(struct subset_diff *diff, struct mode mode, const char *path,
                                 const char *field, const json_t *below, const json_t *is,
                                 const json_t *should)
{
    _cleanup_free_ char *child = NULL;
    const json_t *is_child = NULL;
    const json_t *should_child = NULL;
    json_auto_t *keys = NULL;
    if (str_starts_with(field, "f:")) {
        child = member_path(path, field + 2);
        is_child = json_object_get(is, field + 2);
        should_child = json_object_get(should, field + 2);
    } else if (str_starts_with(field, "k:")) {
        if (json_parse(field + 2, strlen(field + 2), &keys, NULL) == -ENOMEM) {
            return -ENOMEM;
        }
        const struct rule *rule = rule_of(path);
        if (keys == NULL || rule->keys[0] == NULL) {
            return 0; // a list that nothing declared has
        }
        child = element_path(path, keys, rule->keys[0]);
        is_child = element_with(is, keys, rule->keys);
        should_child = element_with(should, keys, rule->keys);
    } else {
        return 0;
    }
    if (child == NULL) {
        return -ENOMEM;
    }
    if (is_zero(is_child) || mode.exact) { // compare() tells of more than there may be
        return 0;
    }
    mode = mode_below(mode, rule_of(child));
    return should_child == NULL ? add(diff, mode, child, is_child, NULL)
                                : compare_managed(diff, mode, child, below, is_child, should_child);
}

static int compare_managed(struct subset_diff *diff, struct mode mode, const char *path,
                           const json_t *fields, const json_t *is, const json_t *should)
{
    const char *field = NULL;
    json_t *below = NULL;
    json_object_foreach ((json_t *)fields, field, below) {
        int r = compare_managed_field(diff, mode, path, field, below, is, should);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int subset_compare_managed(const json_t *is, const json_t *should, const char *manager,
                           struct subset_diff *ret)
{
    const json_t *entries = json_get_array(is, "metadata", "managedFields", NULL);
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (!str_equal(json_get_string(entry, "manager", NULL), manager) ||
            !str_equal(json_get_string(entry, "operation", NULL), "Apply")) {
            continue;
        }
        int r = compare_managed(ret, (struct mode){0}, "", json_get_object(entry, "fieldsV1", NULL),
                                is, should);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

void subset_diff_done(struct subset_diff *diff)
{
    field_diffs_done(&diff->fields);
}
