#include "lib/doc/problem.h"

#include "lib/base/error.h"
#include "lib/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEY_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/<"

const char *doc_key_format(const char *key, char out[DOC_KEY_MAX])
{
    size_t length = strspn(key, KEY_CHARACTERS);
    bool whole = length < DOC_KEY_MAX && key[length] == '\0';
    if (length > DOC_KEY_MAX - sizeof("...")) {
        length = whole ? length : DOC_KEY_MAX - sizeof("...");
    }
    (void)snprintf(out, DOC_KEY_MAX, "%.*s%s", (int)length, key, whole ? "" : "...");
    return out;
}

// NOLINTNEXTLINE(misc-no-recursion): as many steps as the document has levels
void doc_path_format(const struct doc_path *path, char out[DOC_PATH_MAX])
{
    if (path == NULL) {
        out[0] = '\0';
        return;
    }
    doc_path_format(path->parent, out);
    size_t length = strlen(out);
    char key[DOC_KEY_MAX];
    if (path->key == NULL) {
        (void)snprintf(out + length, DOC_PATH_MAX - length, "[%zu]", path->index);
    } else {
        (void)snprintf(out + length, DOC_PATH_MAX - length, "%s%s", length == 0 ? "" : ".",
                       doc_key_format(path->key, key));
    }
}

int problems_add(struct problems *problems, unsigned line, unsigned column, const char *path,
                 const char *format, ...)
{
    if (problems->count == PROBLEMS_MAX) {
        return 0;
    }
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    str_make_printable(text);

    bool last = problems->count == PROBLEMS_MAX - 1;
    _cleanup_free_ char *new_path = str_dup(last ? "" : path);
    _cleanup_free_ char *new_text = str_dup(last ? "there are more problems than are shown" : text);
    if (new_path == NULL || new_text == NULL) {
        return -ENOMEM;
    }
    struct problem *items =
        reallocarray(problems->items, problems->count + 1, sizeof(*problems->items));
    if (items == NULL) {
        return -ENOMEM;
    }
    problems->items = items;
    items[problems->count++] = (struct problem){
        .line = line,
        .column = column,
        .path = TAKE_PTR(new_path),
        .text = TAKE_PTR(new_text),
    };
    return 0;
}

bool problems_has(const struct problems *problems, const char *path)
{
    for (size_t i = 0; i < problems->count; i++) {
        if (str_equal(problems->items[i].path, path)) {
            return true;
        }
    }
    return false;
}

static int problem_compare(const void *first, const void *second)
{
    const struct problem *a = first;
    const struct problem *b = second;
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    if (a->column != b->column) {
        return a->column < b->column ? -1 : 1;
    }
    int order = strcmp(a->path, b->path);
    return order != 0 ? order : strcmp(a->text, b->text);
}

void problems_sort(struct problems *problems)
{
    if (problems->count > 1) {
        qsort(problems->items, problems->count, sizeof(*problems->items), problem_compare);
    }
}

void problems_done(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].path);
        free(problems->items[i].text);
    }
    free(problems->items);
    *problems = (struct problems){0};
}
