#include "lib/kinds/node/proxy.h"

#include "lib/base/str.h"

#include <string.h>
#include <strings.h>

#define SPACES " \t\r\n\v\f"

// The first of the two variables that is set to something, and its value.
static const char *find(const json_t *variables, const char *upper, const char *lower,
                        const char **ret_value)
{
    const char *names[] = {upper, lower};
    for (size_t i = 0; i < ELEMENTS(names); i++) {
        size_t length = strlen(names[i]);
        size_t index = 0;
        json_t *item = NULL;
        json_array_foreach (variables, index, item) {
            const char *text = json_string_value(item);
            if (text != NULL && str_starts_with(text, names[i]) && text[length] == '=' &&
                text[length + 1] != '\0') {
                *ret_value = text + length + 1;
                return names[i];
            }
        }
    }
    return NULL;
}

struct proxy proxy_decode(const json_t *variables, struct arena *arena)
{
    const char *value = NULL;
    struct proxy proxy = {.variable = find(variables, "HTTP_PROXY", "http_proxy", &value)};
    if (find(variables, "NO_PROXY", "no_proxy", &value) != NULL) {
        proxy.no_proxy = arena_dup(arena, value);
    }
    return proxy;
}

// NAME of itself and of what is below it, .NAME and *.NAME of the latter alone.
static bool name_exempts(const char *name, size_t length, const char *host)
{
    size_t host_length = strlen(host);
    bool star = length >= 2 && str_starts_with(name, "*.");
    name += star ? 1 : 0;
    length -= star ? 1 : 0;
    if (length == 0 || length > host_length ||
        strncasecmp(host + host_length - length, name, length) != 0) {
        return false;
    }
    return *name == '.' || length == host_length || host[host_length - length - 1] == '.';
}

static bool entry_exempts(const char *entry, size_t length, const char *host, const char *port)
{
    const char *colon = memchr(entry, ':', length);
    const char *last = memrchr(entry, ':', length);
    if (length == 1 && *entry == '*') {
        return true;
    }
    if (colon == NULL || colon != last) { // with several it is an address
        return name_exempts(entry, length, host);
    }
    size_t name_length = (size_t)(colon - entry);
    size_t port_length = length - name_length - 1;
    bool of_port = port_length == 0 ||
                   (port_length == strlen(port) && memcmp(colon + 1, port, port_length) == 0);
    return of_port && name_exempts(entry, name_length, host);
}

bool proxy_exempts(const char *no_proxy, const char *host, const char *port)
{
    bool exempts = str_equal(host, "localhost"); // without being asked to
    while (no_proxy != NULL && *no_proxy != '\0' && !exempts) {
        const char *entry = no_proxy + strspn(no_proxy, SPACES);
        size_t length = strcspn(entry, ",");
        no_proxy = entry + length + (entry[length] == ',' ? 1 : 0);
        while (length > 0 && strchr(SPACES, entry[length - 1]) != NULL) {
            length--;
        }
        exempts = entry_exempts(entry, length, host, port);
    }
    return exempts;
}
