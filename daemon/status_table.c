#include "daemon/status_table.h"

#include "daemon/terminal.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <string.h>
#include <sys/param.h>

#define MESSAGE_INDENT 4
#define GAP 2

enum column {
    COLUMN_RESOURCE,
    COLUMN_READY,
    COLUMN_REASON,
    COLUMN_AGE,
    _COLUMN_COUNT,
};

static const char *const keys[] = {"resource", "ready", "reason", "age"};

static char *print_age(long first, const char *unit, long second, const char *second_unit)
{
    return second > 0 ? str_printf("%ld%s%ld%s", first, unit, second, second_unit)
                      : str_printf("%ld%s", first, unit);
}

// "5s", "3m", "2h5m", "3d4h": the two largest units, of what is younger than an hour the largest.
// The caller frees it.
static char *age_of(const char *since, time_t now)
{
    struct tm tm = {0};
    if (since == NULL || strptime(since, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL) {
        return str_dup("?");
    }
    long seconds = now - timegm(&tm);
    seconds = MAX(seconds, 0); // negative after the clock was set back
    long minutes = seconds / 60;
    long hours = minutes / 60;
    long days = hours / 24;
    return days > 0      ? print_age(days, "d", hours % 24, "h")
           : hours > 0   ? print_age(hours, "h", minutes % 60, "m")
           : minutes > 0 ? print_age(minutes, "m", 0, "")
                         : print_age(seconds, "s", 0, "");
}

// Gives the resources their ages, and what stands above the columns as a first one.
static void complete(json_t *resources, time_t now)
{
    size_t i = 0;
    json_t *resource = NULL;
    json_array_foreach (resources, i, resource) {
        _cleanup_free_ char *age = age_of(json_get_string(resource, "since", NULL), now);
        (void)json_object_set_new(resource, "age", json_string(age));
    }
    (void)json_array_insert_new(resources, 0,
                                json_pack("{s:s, s:s, s:s, s:s}", "resource", "RESOURCE", "ready",
                                          "READY", "reason", "REASON", "age", "SINCE"));
}

static const char *text_of(const json_t *resource, enum column column)
{
    const char *text = json_get_string(resource, keys[column], NULL);
    return text == NULL ? "" : text;
}

struct layout {
    int widths[_COLUMN_COUNT];
    int gap;
};

static struct layout layout_of(const json_t *resources, int width)
{
    struct layout layout = {.gap = GAP};
    size_t i = 0;
    json_t *resource = NULL;
    int rest = width;
    for (enum column column = 0; column < _COLUMN_COUNT; column++) {
        json_array_foreach (resources, i, resource) {
            const char *text = text_of(resource, column);
            int length = terminal_columns_of(text, strlen(text));
            int *longest = &layout.widths[column];
            *longest = length > *longest ? length : *longest;
        }
        rest -= layout.widths[column];
    }
    int gaps = _COLUMN_COUNT - 1;
    layout.gap = rest < gaps * GAP ? 1 : GAP;
    rest -= gaps * layout.gap;
    int *resource_width = &layout.widths[COLUMN_RESOURCE];
    *resource_width += MIN(rest, 0);
    *resource_width = MAX(*resource_width, 0);
    return layout;
}

static void print_cell(enum column column, const char *text, const struct layout *layout,
                       bool styled, FILE *out)
{
    enum style style = str_equal(text, "True") ? STYLE_GREEN : STYLE_RED;
    (void)fprintf(out, "%s%s%s", styled ? terminal_style(style) : "", text,
                  styled ? terminal_style(STYLE_RESET) : "");
    int rest = layout->widths[column] - terminal_columns_of(text, strlen(text));
    if (rest < 0) {
        (void)putc('\n', out);
        rest = layout->widths[column];
    }
    if (column == COLUMN_AGE) {
        (void)putc('\n', out);
    } else {
        (void)fprintf(out, "%*s", rest + layout->gap, "");
    }
}

// What several have for one cause stands once, below the last of them.
static bool has_message(const json_t *resource, const json_t *next)
{
    const char *message = json_get_string(resource, "message", NULL);
    return message != NULL && !str_equal(message, json_get_string(next, "message", NULL));
}

void status_table_print(json_t *status, int width, time_t now, FILE *out)
{
    json_t *resources = json_get_array(status, "resources", NULL);
    const char *engine = json_get_string(status, "engine", "summary", NULL);
    const char *progress = json_get_string(status, "progress", NULL);
    size_t i = 0;
    json_t *resource = NULL;
    if (engine != NULL && !json_get_bool(status, false, "engine", "declared", NULL)) {
        terminal_wrap(fprintf(out, "engine:"), MESSAGE_INDENT, engine, width, out);
    }
    complete(resources, now);
    struct layout layout = layout_of(resources, width);
    json_array_foreach (resources, i, resource) {
        for (enum column column = 0; column < _COLUMN_COUNT; column++) {
            bool styled = column == COLUMN_READY && i > 0;
            print_cell(column, text_of(resource, column), &layout, styled, out);
        }
        if (has_message(resource, json_array_get(resources, i + 1))) {
            terminal_wrap(0, MESSAGE_INDENT, json_get_string(resource, "message", NULL), width,
                          out);
        }
    }
    (void)fprintf(out, "%s%s", progress == NULL ? "" : progress, progress == NULL ? "" : "\n");
}
