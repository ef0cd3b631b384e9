#include "lib/kinds/node/config_line.h"

#include "lib/base/str.h"

#include <ctype.h>
#include <string.h>

const char *config_skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r");
}

const char *config_next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end == NULL ? NULL : end + 1;
}

// Takes word off the beginning of *at.
static bool take(const char **at, const char *word)
{
    if (!str_starts_with(*at, word)) {
        return false;
    }
    *at += strlen(word);
    return true;
}

const char *config_setting(const char *line, const char *key)
{
    const char *at = config_skip_blanks(line);
    if (!take(&at, key)) {
        return NULL;
    }
    at = config_skip_blanks(at);
    return *at == '=' ? config_skip_blanks(at + 1) : NULL;
}

const char *config_registry(const char *line, char version, const char **ret)
{
    static const struct {
        const char *heading;
        const char *versions;
    } headings[] = {
        {"[plugins.\"" CONFIG_PLUGIN_2 "\".registry", "2"},
        {"[plugins.'" CONFIG_PLUGIN_2 "'.registry", "2"},
        {"[plugins.\"" CONFIG_PLUGIN_3 "\".registry", "34"},
        {"[plugins.'" CONFIG_PLUGIN_3 "'.registry", "34"},
    };
    for (size_t i = 0; i < ELEMENTS(headings); i++) {
        *ret = config_skip_blanks(line);
        if (strchr(headings[i].versions, version) != NULL && take(ret, headings[i].heading)) {
            return headings[i].versions;
        }
    }
    return NULL;
}

// The version in a line "containerd github.com/containerd/containerd/v2 v2.2.0 REVISION"; Debian's
// has no v. NULL in another one.
static const char *containerd_version(const char *line)
{
    static const char word[] = "containerd ";
    if (!str_starts_with(line, word)) {
        return NULL;
    }
    line += strlen(word);
    line += strcspn(line, " \n");
    line += strspn(line, " v");
    return isdigit((unsigned char)*line) ? line : NULL;
}

struct config_scan config_scan(const char *text, char version)
{
    struct config_scan scan = {0};
    bool top = true;
    const char *section = NULL;
    const char *format = NULL;
    for (const char *line = text; line != NULL; line = config_next_line(line)) {
        if (*config_skip_blanks(line) == '[') {
            const char *rest = NULL;
            top = false;
            section = config_registry(line, version, &rest);
            // An empty table of mirrors has none.
            scan.mirrors |= section != NULL && str_starts_with(rest, ".mirrors.");
            scan.tls |= section != NULL && str_starts_with(rest, ".configs.") &&
                        memmem(rest, strcspn(rest, "\n"), ".tls]", strlen(".tls]")) != NULL;
            section = *rest == ']' ? section : NULL;
        } else if (top && format == NULL) {
            format = config_setting(line, "version");
        } else if (section != NULL && scan.config_path == NULL) {
            scan.config_path = config_setting(line, "config_path");
            scan.versions = section;
        }
        scan.containerd = scan.containerd == NULL ? containerd_version(line) : scan.containerd;
    }
    if (format != NULL && *format >= '2' && *format <= '4' && !isalnum((unsigned char)format[1])) {
        scan.version = *format;
    }
    return scan;
}
