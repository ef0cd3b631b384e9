#include "daemon/status_table.h"

#include "daemon/terminal.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <string.h>

#define MESSAGE_INDENT 4
#define GAP 2
#define AGE_MAX 32

enum column {
    COLUMN_RESOURCE,
    COLUMN_READY,
    COLUMN_REASON,
    COLUMN_SINCE,
    _COLUMN_COUNT,
};

struct cell {
    char text[AGE_MAX];
};

static const char *const headers[] = {"RESOURCE", "READY", "REASON", "SINCE"};
static const char *const keys[] = {"resource", "ready", "reason", "since"};

// "5s", "3m", "2h5m", "3d4h": the two largest units, of what is younger than an hour the largest.
static struct cell age_of(const char *since, time_t now)
{
    static const struct {
        long seconds;
        const char *first;
        const char *second;
        long second_seconds; // 0: none
    } units[] = {{86400, "d", "h", 3600}, {3600, "h", "m", 60}, {60, "m", "", 0}, {1, "s", "", 0}};
    struct cell age = {"?"};
    struct tm tm = {0};
    if (strptime(since, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL) {
        return age;
    }
    long seconds = now - timegm(&tm);
    seconds = seconds > 0 ? seconds : 0; // negative after the clock was set back
    size_t i = 0;
    while (i < ELEMENTS(units) - 1 && seconds < units[i].seconds) {
        i++;
    }
    int n =
        snprintf(age.text, sizeof(age.text), "%ld%s", seconds / units[i].seconds, units[i].first);
    long rest =
        units[i].second_seconds == 0 ? 0 : seconds % units[i].seconds / units[i].second_seconds;
    if (rest > 0) {
        (void)snprintf(age.text + n, sizeof(age.text) - (size_t)n, "%ld%s", rest, units[i].second);
    }
    return age;
}

// Of UTF-8, a column for each character.
static int columns_of(const char *text, size_t length)
{
    int columns = 0;
    for (size_t i = 0; i < length; i++) {
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return columns;
}

static const char *text_of(const json_t *resource, enum column column, time_t now,
                           struct cell *cell)
{
    const char *text = json_get_string(resource, keys[column], NULL);
    *cell = column == COLUMN_SINCE ? age_of(text == NULL ? "" : text, now) : (struct cell){""};
    return column == COLUMN_SINCE ? cell->text : text == NULL ? "" : text;
}

// Wrapped between words; what follows first is indented.
static void print_message(const char *first, const char *text, int width, FILE *out)
{
    int at = (int)strlen(first);
    (void)fputs(first, out);
    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        int word = columns_of(text, length);
        if (at > 0 && at + 1 + word > width) {
            (void)putc('\n', out);
            at = 0;
        }
        int gap = at == 0 ? MESSAGE_INDENT : 1;
        (void)fprintf(out, "%*s%.*s", gap, "", (int)length, text);
        at += gap + word;
        text += length;
    }
    (void)fputs(at > 0 ? "\n" : "", out);
}

struct layout {
    int widths[_COLUMN_COUNT];
    int gap;
};

static struct layout layout_of(json_t *resources, int width, time_t now)
{
    struct layout layout = {.gap = GAP};
    struct cell cell;
    size_t i = 0;
    json_t *resource = NULL;
    int rest = width;
    for (enum column column = _COLUMN_COUNT; column-- > 0;) {
        int longest = (int)strlen(headers[column]);
        json_array_foreach (resources, i, resource) {
            const char *text = text_of(resource, column, now, &cell);
            int length = columns_of(text, strlen(text));
            longest = length > longest ? length : longest;
        }
        layout.widths[column] = longest;
        rest -= longest;
    }
    int gaps = _COLUMN_COUNT - 1;
    layout.gap = rest < gaps * GAP ? 1 : GAP;
    rest -= gaps * layout.gap;
    layout.widths[COLUMN_RESOURCE] += rest < 0 ? rest : 0;
    return layout;
}

static void print_cell(enum column column, const char *text, const struct layout *layout, FILE *out)
{
    bool styled = column == COLUMN_READY && !str_equal(text, headers[COLUMN_READY]);
    enum style style = str_equal(text, "True") ? STYLE_GREEN : STYLE_RED;
    (void)fprintf(out, "%s%s%s", styled ? terminal_style(style) : "", text,
                  styled ? terminal_style(STYLE_RESET) : "");
    int rest = layout->widths[column] - columns_of(text, strlen(text));
    if (rest < 0) {
        (void)putc('\n', out);
        rest = layout->widths[column];
    }
    if (column == COLUMN_SINCE) {
        (void)putc('\n', out);
    } else {
        (void)fprintf(out, "%*s", (rest > 0 ? rest : 0) + layout->gap, "");
    }
}

// What several have for one cause stands once, below the last of them.
static bool has_message(const json_t *resource, const json_t *next)
{
    const char *message = json_get_string(resource, "message", NULL);
    return message != NULL && !str_equal(message, json_get_string(next, "message", NULL));
}

void status_table_print(const json_t *status, int width, time_t now, FILE *out)
{
    json_t *resources = json_get_array(status, "resources", NULL);
    struct layout layout = layout_of(resources, width, now);
    struct cell cell;
    size_t i = 0;
    json_t *resource = NULL;
    const char *engine = json_get_string(status, "engine", "summary", NULL);
    if (engine != NULL && !json_get_bool(status, false, "engine", "declared", NULL)) {
        print_message("engine:", engine, width, out);
    }
    for (enum column column = 0; column < _COLUMN_COUNT; column++) {
        print_cell(column, headers[column], &layout, out);
    }
    json_array_foreach (resources, i, resource) {
        for (enum column column = 0; column < _COLUMN_COUNT; column++) {
            print_cell(column, text_of(resource, column, now, &cell), &layout, out);
        }
        if (has_message(resource, json_array_get(resources, i + 1))) {
            print_message("", json_get_string(resource, "message", NULL), width, out);
        }
    }
    const char *progress = json_get_string(status, "progress", NULL);
    (void)fprintf(out, "%s%s", progress == NULL ? "" : progress, progress == NULL ? "" : "\n");
}
