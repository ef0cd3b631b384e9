// The text of hosts.toml, ours and that of the scripts which wrote it before us.
#include "lib/desired/desired.h"

#include "lib/base/str.h"

#include <ctype.h>
#include <string.h>

#define SCRIPT_BYTES_MAX 4096 // what a script writes is ten times smaller

// `server` is what containerd asks last: without it that is the image's own host, whose refusal
// would hide the registry's error. No `referrers` among the capabilities: containerd before 2.2
// drops a file with a word it does not know.
int desired_hosts_toml(const struct config *config, struct buf *ret)
{
    const char *name = config->registry.name;
    int r = buf_printf(ret,
                       "%s\n"
                       "server = \"http://%s:%d\"\n"
                       "\n"
                       "[host.\"http://%s:%d\"]\n"
                       "  capabilities = [\"pull\", \"resolve\"]\n",
                       DESIRED_HOSTS_MARK, name, WORLD_REGISTRY_PORT, name, WORLD_REGISTRY_PORT);
    if (r == 0 && config->nodes.skip_verify) {
        r = buf_append_str(ret, "  skip_verify = true\n");
    }
    return r;
}

// One line without its blanks at both ends.
static void trim(const char **line, size_t *length)
{
    while (*length > 0 && isspace((unsigned char)(*line)[0])) {
        (*line)++;
        (*length)--;
    }
    while (*length > 0 && isspace((unsigned char)(*line)[*length - 1])) {
        (*length)--;
    }
}

static bool line_starts(const char *line, size_t length, const char *prefix)
{
    return length >= strlen(prefix) && memcmp(line, prefix, strlen(prefix)) == 0;
}

static bool line_ends(const char *line, size_t length, const char *suffix)
{
    size_t n = strlen(suffix);
    return length >= n && memcmp(line + length - n, suffix, n) == 0;
}

// Whether the line is KEY = VALUE with the VALUE beginning so.
static bool is_setting(const char *line, size_t length, const char *key, const char *value)
{
    if (!line_starts(line, length, key)) {
        return false;
    }
    const char *rest = line + strlen(key);
    size_t rest_length = length - strlen(key);
    trim(&rest, &rest_length);
    if (rest_length == 0 || *rest != '=') {
        return false;
    }
    rest++;
    rest_length--;
    trim(&rest, &rest_length);
    return line_starts(rest, rest_length, value);
}

// The ADR's listing begins with a comment that names the file.
static bool is_before_host(const char *line, size_t length)
{
    return length == 0 || is_setting(line, length, "server", "\"http") ||
           line_starts(line, length, "# /etc/containerd/certs.d/");
}

static bool is_below_host(const char *line, size_t length)
{
    return length == 0 || is_setting(line, length, "capabilities", "[") ||
           is_setting(line, length, "skip_verify", "");
}

bool desired_hosts_is_script(const char *content)
{
    if (strlen(content) > SCRIPT_BYTES_MAX) {
        return false;
    }
    size_t hosts = 0;
    while (*content != '\0') {
        const char *line = content;
        size_t length = strcspn(content, "\n");
        content += length + (content[length] == '\n' ? 1 : 0);
        trim(&line, &length);
        if (line_starts(line, length, "[host.\"http://") && line_ends(line, length, ":5000\"]")) {
            hosts++;
        } else if (hosts == 0 ? !is_before_host(line, length) : !is_below_host(line, length)) {
            return false;
        }
    }
    return hosts == 1;
}
