// Whether a node's containerd reads hosts.toml files: a scan of its config.toml, line by line, for
// the few keys that decide. It is no TOML parser: it knows section headers, dotted keys in either
// quoting and comments, and takes every other line for one that does not matter. The rules are
// those of containerd's docs/hosts.md and, for the default since 2.2.0, of internal/cri/config
// (config_unix.go) and plugins/cri/images/plugin.go.
#include "lib/world/node_files.h"

#include "lib/base/str.h"

#include <ctype.h>
#include <string.h>

#define CERTS_DIR WORLD_CERTS_PARENT "/" WORLD_CERTS_DIR
#define DEFAULT_SINCE_MAJOR 2
#define DEFAULT_SINCE_MINOR 2
#define KEY_DEPTH_MAX 8

// A piece of the text; data is not terminated.
struct piece {
    const char *data;
    size_t length;
};

struct dotted_key {
    struct piece parts[KEY_DEPTH_MAX]; // those beyond are dropped: none of ours is so deep
    size_t count;
};

struct scan {
    bool mirrors;
    struct piece config_path; // data NULL: not set
};

static bool piece_equal(struct piece piece, const char *s)
{
    return piece.length == strlen(s) && memcmp(piece.data, s, piece.length) == 0;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r");
}

// Reads "…" or '…' at `at`; NULL when the line ends first. Escapes are kept as they are: no key or
// value of ours has one.
static const char *read_quoted(const char *at, struct piece *ret)
{
    const char *end = at + 1 + strcspn(at + 1, *at == '"' ? "\"\n" : "'\n");
    if (*end != *at) {
        return NULL;
    }
    *ret = (struct piece){at + 1, (size_t)(end - at - 1)};
    return end + 1;
}

// Reads a dotted key and appends its parts; returns the place after it, NULL when it is none.
static const char *read_key(const char *at, struct dotted_key *key)
{
    for (;;) {
        struct piece part = {0};
        at = skip_blanks(at);
        if (*at == '"' || *at == '\'') {
            at = read_quoted(at, &part);
            if (at == NULL) {
                return NULL;
            }
        } else {
            part = (struct piece){at, 0};
            while (isalnum((unsigned char)*at) || *at == '_' || *at == '-') {
                at++;
                part.length++;
            }
            if (part.length == 0) {
                return NULL;
            }
        }
        if (key->count < KEY_DEPTH_MAX) {
            key->parts[key->count++] = part;
        }
        at = skip_blanks(at);
        if (*at != '.') {
            return at;
        }
        at++;
    }
}

// Whether the key is plugins.PLUGIN.registry.NAME… for a plugin that pulls images.
static bool is_registry_key(const struct dotted_key *key, const char *name)
{
    return key->count >= 4 && piece_equal(key->parts[0], "plugins") &&
           (piece_equal(key->parts[1], "io.containerd.grpc.v1.cri") ||
            piece_equal(key->parts[1], "io.containerd.cri.v1.images")) &&
           piece_equal(key->parts[2], "registry") && piece_equal(key->parts[3], name);
}

// `containerd config default` writes an empty [….registry.mirrors]: only what is below it counts.
static void note_key(const struct dotted_key *key, const char *value, struct scan *scan)
{
    if (is_registry_key(key, "mirrors")) {
        bool empty_table = value != NULL && *value == '{' && *skip_blanks(value + 1) == '}';
        if (key->count > 4 || (value != NULL && !empty_table)) {
            scan->mirrors = true;
        }
    } else if (is_registry_key(key, "config_path") && key->count == 4 && value != NULL) {
        struct piece path = {0};
        if ((*value == '"' || *value == '\'') && read_quoted(value, &path) != NULL &&
            path.length > 0) {
            scan->config_path = path;
        }
    }
}

static void scan_line(const char *line, struct dotted_key *section, struct scan *scan)
{
    line = skip_blanks(line);
    if (*line == '[') {
        struct dotted_key header = {0};
        const char *end = read_key(line[1] == '[' ? line + 2 : line + 1, &header);
        *section = end != NULL && *end == ']' ? header : (struct dotted_key){0};
        note_key(section, NULL, scan);
        return;
    }
    struct dotted_key key = *section;
    const char *end = read_key(line, &key);
    if (end != NULL && *end == '=') {
        note_key(&key, skip_blanks(end + 1), scan);
    }
}

static struct scan scan_config(const char *config_toml)
{
    struct scan scan = {0};
    struct dotted_key section = {0};
    for (const char *line = config_toml; line != NULL && *line != '\0';) {
        scan_line(line, &section, &scan);
        line = strchr(line, '\n');
        if (line != NULL) {
            line++;
        }
    }
    return scan;
}

// The value is one directory or, as for PATH, several.
static bool names_certs_dir(struct piece value)
{
    const char *end = value.data + value.length;
    for (const char *at = value.data; at < end;) {
        const char *colon = memchr(at, ':', (size_t)(end - at));
        const char *stop = colon == NULL ? end : colon;
        struct piece one = {at, (size_t)(stop - at)};
        while (one.length > 0 && one.data[one.length - 1] == '/') {
            one.length--;
        }
        if (piece_equal(one, CERTS_DIR)) {
            return true;
        }
        at = stop + 1;
    }
    return false;
}

// "containerd github.com/containerd/containerd/v2 v2.0.2 COMMIT", or Debian's without the v.
static enum config_path default_of_version(const char *output)
{
    for (const char *at = output == NULL ? "" : output; *at != '\0';) {
        at += strspn(at, " \t\r\n");
        const char *number = *at == 'v' ? at + 1 : at;
        char *dot = NULL;
        unsigned long major = isdigit((unsigned char)*number) ? strtoul(number, &dot, 10) : 0;
        if (dot != NULL && dot[0] == '.' && isdigit((unsigned char)dot[1])) {
            unsigned long minor = strtoul(dot + 1, NULL, 10);
            bool has_default = major > DEFAULT_SINCE_MAJOR ||
                               (major == DEFAULT_SINCE_MAJOR && minor >= DEFAULT_SINCE_MINOR);
            return has_default ? CONFIG_PATH_ENABLED : CONFIG_PATH_DISABLED;
        }
        at += strcspn(at, " \t\r\n");
    }
    return CONFIG_PATH_UNKNOWN;
}

enum config_path world_config_path(const char *config_toml, const char *version_output)
{
    struct scan scan = scan_config(config_toml);
    if (scan.mirrors) {
        return CONFIG_PATH_DISABLED;
    }
    if (scan.config_path.data != NULL) {
        return names_certs_dir(scan.config_path) ? CONFIG_PATH_ENABLED : CONFIG_PATH_DISABLED;
    }
    return default_of_version(version_output);
}

bool world_config_path_needs_version(const char *config_toml)
{
    struct scan scan = scan_config(config_toml);
    return !scan.mirrors && scan.config_path.data == NULL;
}
