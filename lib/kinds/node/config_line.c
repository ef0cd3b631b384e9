#include "lib/kinds/node/config_line.h"

#include "lib/base/str.h"

#include <stdbool.h>
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

const char *config_registry(const char *line, const char **ret)
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
        if (take(ret, headings[i].heading)) {
            return headings[i].versions;
        }
    }
    return NULL;
}
