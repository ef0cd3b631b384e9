#include "lib/kinds/node/config_edit.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/kinds/node/config_line.h"
#include "lib/kinds/node/config_path.h"

#include <string.h>

#define NOTE " # set by hostk8s-registryd\n"
#define ADDED_BYTES_MAX 4096
#define DIRECTORIES_BYTES_MAX 1024 // that config_path named before

enum place {
    PLACE_OTHER,
    PLACE_REGISTRY, // in the registry's own table
    PLACE_MIRRORS,  // in one below it
};

struct edit {
    char version; // of the format
    enum place place;
    const char *value; // of config_path, NULL: it is not set
    bool done;
    struct buf out;
};

static enum place place_of(const char *heading, char version)
{
    const char *rest = NULL;
    if (config_registry(heading, version, &rest) == NULL) {
        return PLACE_OTHER;
    }
    bool mirrors = str_starts_with(rest, ".mirrors.") || str_starts_with(rest, ".mirrors]");
    return *rest == ']' ? PLACE_REGISTRY : mirrors ? PLACE_MIRRORS : PLACE_OTHER;
}

static bool is_heading(const char *line)
{
    return *config_skip_blanks(line) == '[';
}

// Directories that were named before stay, behind ours.
static void add_value(struct edit *edit)
{
    const char *value = edit->value == NULL ? "" : edit->value;
    bool quoted = *value == '"' || *value == '\'';
    const char *others = quoted ? value + 1 : "";
    size_t length = strcspn(others, *value == '"' ? "\"\\\n" : "'\n");
    if (length > DIRECTORIES_BYTES_MAX || (quoted && others[length] != *value)) {
        length = 0;
    }
    const char *quote = length > 0 && *value == '\'' ? "'" : "\"";
    (void)buf_printf(&edit->out, "%s" NODE_CERTS_DIR "%s%.*s%s" NOTE, quote, length > 0 ? ":" : "",
                     (int)length, others, quote);
    edit->done = true;
}

static void add_setting(struct edit *edit)
{
    (void)buf_append_str(&edit->out, "  config_path = ");
    add_value(edit);
}

static void add_line(struct edit *edit, const char *line, size_t length)
{
    edit->place = is_heading(line) ? place_of(line, edit->version) : edit->place;
    bool in_table = edit->place == PLACE_REGISTRY;
    bool mirrors = config_setting(line, "mirrors") != NULL ||
                   str_starts_with(config_skip_blanks(line), "mirrors.");
    if (edit->place == PLACE_MIRRORS || (in_table && mirrors)) {
        return;
    }
    // It may be empty, at the end of the text.
    bool has_value = edit->value != NULL && edit->value >= line && edit->value <= line + length;
    if (has_value && !edit->done) {
        (void)buf_append(&edit->out, line, (size_t)(edit->value - line));
        add_value(edit);
    } else {
        (void)buf_append(&edit->out, line, length);
    }
    if (in_table && is_heading(line) && edit->value == NULL && !edit->done) {
        (void)buf_append_str(&edit->out, line[length - 1] == '\n' ? "" : "\n");
        add_setting(edit);
    }
}

char *config_edit(const char *config_toml)
{
    // A file without one is of version 1, of which containerd 2.0 to 2.2 take nothing over.
    char version = config_scan(config_toml, '\0').version;
    if (version == '\0') {
        return NULL;
    }
    struct edit edit = {.version = version, .value = config_scan(config_toml, version).config_path};
    edit.done = edit.value != NULL && config_path_names_certs_dir(edit.value);
    edit.out.max = strlen(config_toml) + ADDED_BYTES_MAX;
    for (const char *line = config_toml; line != NULL;) {
        const char *next = config_next_line(line);
        add_line(&edit, line, next == NULL ? strlen(line) : (size_t)(next - line));
        line = next;
    }
    if (!edit.done) {
        bool ended = str_ends_with(buf_str(&edit.out), "\n");
        (void)buf_printf(&edit.out, "%s\n[plugins.\"%s\".registry]\n", ended ? "" : "\n",
                         edit.version == '2' ? CONFIG_PLUGIN_2 : CONFIG_PLUGIN_3);
        add_setting(&edit);
    }
    return buf_take(&edit.out);
}
