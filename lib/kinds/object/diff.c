#include "lib/kinds/object/diff.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <string.h>

#define VALUE_MAX 120    // characters of a value that are shown
#define VALUE_CONTEXT 20 // of them, those before the first difference
#define HIDDEN "(hidden)"
#define PATH_MAX_BYTES ((size_t)16 * 1024 * 1024) // longer than an answer can have one

// As `kubectl diff` leaves them out, and what the items of a list do not have.
static const char *const left_out[] = {
    "apiVersion",
    "kind",
    "status",
    "metadata.creationTimestamp",
    "metadata.generation",
    "metadata.managedFields",
    "metadata.resourceVersion",
    "metadata.selfLink",
    "metadata.uid",
};

struct walk {
    struct plan *plan;
    struct action *action; // NULL: the differences are not told
    bool subset;
    bool hidden;     // below an environment
    struct buf path; // of the values at hand, "spec.ports[http].port"
    bool differs;
};

// A mapping or a list with something in it.
static bool is_full(const json_t *value)
{
    return json_object_size(value) > 0 || json_array_size(value) > 0;
}

// The API server leaves out a field that has its type's zero value (Go's omitempty).
static bool is_zero(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_false(value) ||
           str_equal(json_string_value(value), "") ||
           ((json_is_object(value) || json_is_array(value)) && !is_full(value));
}

// A line of ASCII, so that it may be cut anywhere; NULL for NULL.
static char *text_of(const struct walk *walk, const json_t *value)
{
    return value == NULL    ? NULL
           : walk->hidden   ? str_dup(HIDDEN)
           : is_full(value) ? str_dup(json_is_object(value) ? "{...}" : "[...]")
                            : json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
}

// The part of a value that is shown: of a long one from a little before where it begins to differ.
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

static void add(struct walk *walk, const json_t *current, const json_t *desired)
{
    walk->differs = true;
    if (walk->action != NULL) {
        _cleanup_free_ char *a = text_of(walk, current);
        _cleanup_free_ char *b = text_of(walk, desired);
        _cleanup_free_ char *a_shown = a == NULL ? NULL : excerpt(a, b);
        _cleanup_free_ char *b_shown = b == NULL ? NULL : excerpt(b, a);
        plan_add_field(walk->plan, walk->action, buf_str(&walk->path), a_shown, b_shown);
    }
}

// The elements of a list by how a path names them, "[http]" or "[0]"; NULL when they are to be
// named and one has no name of its own.
static json_t *by_key(const json_t *list, bool named)
{
    json_t *elements = json_object();
    size_t i = 0;
    json_t *element = NULL;
    json_array_foreach (list, i, element) {
        const char *name = json_get_string(element, "name", NULL);
        _cleanup_free_ char *key =
            named ? str_printf("[%s]", name == NULL ? "" : name) : str_printf("[%zu]", i);
        if (!named || name != NULL) {
            (void)json_object_set(elements, key, element);
        }
    }
    if (json_object_size(elements) == json_array_size(list)) {
        return elements;
    }
    json_decref(elements);
    return NULL;
}

// NOLINTBEGIN(misc-no-recursion): no deeper than jansson reads (JSON_PARSER_MAX_DEPTH)
static void compare(struct walk *walk, const json_t *current, const json_t *desired);

static void compare_member(struct walk *walk, const char *dot, const char *key,
                           const json_t *current, const json_t *desired)
{
    size_t parent = walk->path.length;
    bool hidden = walk->hidden;
    bool skip = false;
    (void)buf_printf(&walk->path, "%s%s", parent == 0 ? "" : dot, key);
    for (size_t i = 0; i < ELEMENTS(left_out); i++) {
        skip = skip || str_equal(buf_str(&walk->path), left_out[i]);
    }
    if (!skip) {
        walk->hidden = hidden || str_equal(key, "env");
        compare(walk, current, desired);
        walk->hidden = hidden;
    }
    buf_truncate(&walk->path, parent);
}

static void compare_members(struct walk *walk, const char *dot, const json_t *current,
                            const json_t *desired)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)desired, key, value) {
        compare_member(walk, dot, key, json_object_get(current, key), value);
    }
    json_object_foreach ((json_t *)current, key, value) {
        if (!walk->subset && json_object_get(desired, key) == NULL) {
            compare_member(walk, dot, key, value, NULL);
        }
    }
}

// current or desired may be NULL: absent. What only one has is shown value by value.
static void compare(struct walk *walk, const json_t *current, const json_t *desired)
{
    const json_t *either = is_full(desired) ? desired : current;
    bool alike = current == NULL || desired == NULL || json_typeof(current) == json_typeof(desired);
    if (json_equal(current, desired) || (walk->subset && is_zero(current) && is_zero(desired))) {
        return;
    }
    if (!alike || !is_full(either)) {
        add(walk, current, desired);
    } else if (json_is_object(either)) {
        compare_members(walk, ".", current, desired);
    } else {
        json_auto_t *a = by_key(current, true);
        json_auto_t *b = by_key(desired, true);
        if (a == NULL || b == NULL) {
            json_decref(a);
            json_decref(b);
            a = by_key(current, false);
            b = by_key(desired, false);
        }
        compare_members(walk, "", a, b);
    }
}
// NOLINTEND(misc-no-recursion)

bool object_diff(struct plan *plan, struct action *action, const json_t *current,
                 const json_t *desired, bool subset)
{
    struct walk walk = {
        .plan = plan, .action = action, .subset = subset, .path = BUF_INIT(PATH_MAX_BYTES)};
    compare(&walk, current, desired);
    buf_done(&walk.path);
    return walk.differs;
}
