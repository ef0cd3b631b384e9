// A config.toml that is kept simple is understood here; every other one is left to the node's own
// containerd. That knows TOML, follows `imports`, migrates old names, and what its `config dump`
// prints is always written in one way.
//
// What the settings mean is in containerd's docs/hosts.md, internal/cri/config/config.go
// (ValidateImageConfig: an error for `mirrors` beside config_path) and, until 1.7,
// pkg/cri/config/config.go (for `configs.*.tls` as well). The default of config_path is in
// internal/cri/config/config_unix.go (2.2.0 and 2.2.1: a dump shows it, and `mirrors` are an error)
// and in plugins/cri/images/plugin.go (since 2.2.2: filled in at the start where there are no
// `mirrors`, a dump shows nothing).
#include "lib/kinds/node/config_path.h"

#include "lib/base/str.h"
#include "lib/kinds/node/config_line.h"

#include <string.h>

#define FILLED_IN_SINCE "2.2.2"

bool config_path_names_certs_dir(const char *value)
{
    if (*value != '"' && *value != '\'') {
        return false;
    }
    const char *end = value;
    do {
        const char *at = end + 1;
        end = at + strcspn(at, *value == '"' ? ":\"\n" : ":'\n");
        if (*end != ':' && *end != *value) {
            return false;
        }
        size_t length = (size_t)(end - at) - (end[-1] == '/' ? 1 : 0);
        if (length == strlen(NODE_CERTS_DIR) && memcmp(at, NODE_CERTS_DIR, length) == 0) {
            return true;
        }
    } while (*end == ':');
    return false;
}

bool config_path_is_plain(const char *config_toml)
{
    // What no simple file has. A string of several lines and an escape may be anything.
    static const char *const doubts[] = {"imports", "mirrors", "configs", "\"\"\"", "'''", "\\"};
    for (size_t i = 0; i < ELEMENTS(doubts); i++) {
        if (strstr(config_toml, doubts[i]) != NULL) {
            return false;
        }
    }
    const char *first = strstr(config_toml, "config_path");
    const struct config_scan scan = config_scan(config_toml, '\0');
    // Of a later version containerd 1.6 takes a file, too, and reads nothing of it.
    return scan.config_path != NULL && strstr(first + 1, "config_path") == NULL &&
           scan.version == '2' && strchr(scan.versions, '2') != NULL &&
           config_path_names_certs_dir(scan.config_path);
}

// The version comes last: with it the dump is whole.
const char *const config_path_command[] = {
    "sh", "-c", "containerd config dump 2>/dev/null && containerd --version", NULL};

enum config_path config_path_decode(const char *output)
{
    const struct config_scan scan = config_scan(output, '\0');
    if (scan.containerd == NULL) {
        return CONFIG_PATH_UNKNOWN;
    }
    const char *value = scan.config_path;
    bool empty = value == NULL || str_starts_with(value, "\"\"") || str_starts_with(value, "''");
    if (!empty && (scan.mirrors || (scan.tls && scan.containerd[0] == '1'))) {
        return CONFIG_PATH_REFUSED;
    }
    if (scan.mirrors) {
        return CONFIG_PATH_MIRRORS;
    }
    if (!empty) {
        return config_path_names_certs_dir(value) ? CONFIG_PATH_ENABLED : CONFIG_PATH_OTHER;
    }
    return strverscmp(scan.containerd, FILLED_IN_SINCE) >= 0 ? CONFIG_PATH_ENABLED
                                                             : CONFIG_PATH_UNSET;
}

void config_path_imports(const char *config_toml, struct strv *ret)
{
    for (const char *line = config_toml; line != NULL; line = config_next_line(line)) {
        const char *at = config_setting(line, "imports");
        // The list may go over several lines.
        while (at != NULL && *at != '\0' && *at != ']' && ret->count < CONFIG_IMPORTS_MAX) {
            const char *end = *at == '"' || *at == '\'' ? strchr(at + 1, *at) : NULL;
            if (end != NULL) {
                const char *dir = at[1] == '/' ? "" : NODE_CONFIG_DIR "/";
                _cleanup_free_ char *path = str_printf("%s%.*s", dir, (int)(end - at - 1), at + 1);
                strv_add(ret, path);
                at = end;
            }
            at++;
        }
    }
}
