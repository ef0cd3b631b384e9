#include "lib/doc/problem.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#define PATH_BYTES 512 // of a path as it is shown, with the NUL; a longer one is cut
#define KEY_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/<"

const char *doc_key_format(const char *key, char out[DOC_KEY_MAX])
{
    size_t length = strspn(key, KEY_CHARACTERS);
    bool whole = length < DOC_KEY_MAX && key[length] == '\0';
    size_t most = DOC_KEY_MAX - (whole ? 1 : sizeof("..."));
    length = MIN(length, most);
    (void)snprintf(out, DOC_KEY_MAX, "%.*s%s", (int)length, key, whole ? "" : "...");
    return out;
}

// Writes the path as a user reads it, "" for the root.
// NOLINTNEXTLINE(misc-no-recursion): as many steps as the document has levels
static void path_format(const struct doc_path *path, char out[PATH_BYTES])
{
    if (path == NULL) {
        out[0] = '\0';
        return;
    }
    path_format(path->parent, out);
    size_t length = strlen(out);
    char key[DOC_KEY_MAX];
    if (path->key == NULL) {
        (void)snprintf(out + length, PATH_BYTES - length, "[%zu]", path->index);
    } else {
        (void)snprintf(out + length, PATH_BYTES - length, "%s%s", length == 0 ? "" : ".",
                       doc_key_format(path->key, key));
    }
}

void problems_add(struct problems *problems, unsigned line, unsigned column,
                  const struct doc_path *path, const char *format, ...)
{
    if (problems->count == PROBLEMS_MAX) {
        return;
    }
    struct problem *added = ARRAY_GROW(problems->items, problems->count);
    *added = (struct problem){.line = line, .column = column};
    if (problems->count == PROBLEMS_MAX) {
        added->path = str_dup("");
        added->text = str_dup("there are more problems than are shown");
        return;
    }
    char name[PATH_BYTES];
    va_list args;
    path_format(path, name);
    added->path = str_dup(name);
    va_start(args, format);
    added->text = str_vprintf(format, args);
    va_end(args);
}

bool problems_has(const struct problems *problems, const struct doc_path *path)
{
    char name[PATH_BYTES];
    path_format(path, name);
    for (size_t i = 0; i < problems->count; i++) {
        if (str_equal(problems->items[i].path, name)) {
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
    bool more = problems->count == PROBLEMS_MAX;
    size_t count = problems->count - more;
    if (count > 0) {
        qsort(problems->items, count, sizeof(*problems->items), problem_compare);
    }
    if (more) { // the remark stays the last, at the place of what it follows
        problems->items[count].line = problems->items[count - 1].line;
        problems->items[count].column = problems->items[count - 1].column;
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
