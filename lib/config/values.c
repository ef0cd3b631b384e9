#include "lib/config/values.h"

#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/config/config.h"

#include <errno.h>
#include <string.h>

#define UNIX_PATH_MAX 107 // of sockaddr_un, without its NUL

static int replace(char **target, const char *text, struct error *err)
{
    return str_replace(target, text) < 0 ? error_oom(err) : 0;
}

static char *format_text(const void *target)
{
    return str_dup(*(char *const *)target);
}

static int parse_listen(void *target, const char *text, struct error *err)
{
    struct config_registry *registry = target;
    struct address address = {0};
    int r = address_parse(text, &address, err);
    if (r < 0) {
        return r;
    }
    if (address.kind == ADDRESS_NAME || address.port == 0) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "must be ADDRESS:PORT with an IP address, e.g. 127.0.0.1:5002");
    }
    r = replace(&registry->listen_address, address.host, err);
    if (r == 0) {
        registry->listen_port = address.port;
    }
    return r;
}

static char *format_listen(const void *target)
{
    const struct config_registry *registry = target;
    return str_printf("%s:%u", address_bracketed(registry->listen_address).text,
                      registry->listen_port);
}

const struct schema_codec config_listen_codec = {parse_listen, format_listen};

// What an origin is not, in the order in which it is looked for, after the scheme.
static const struct {
    const char *characters;
    const char *reason;
} url_faults[] = {
    {"@", "must not contain a user or a password"},
    {"?#", "must not have a query or a fragment"},
    {"/", "must be the origin alone, without a path; the UI's own path is ui.path"},
};

static int parse_url(void *target, const char *text, struct error *err)
{
    static const char *const schemes[] = {"http://", "https://"};
    const char *rest = NULL;
    for (size_t i = 0; i < ELEMENTS(schemes); i++) {
        rest = str_starts_with(text, schemes[i]) ? text + strlen(schemes[i]) : rest;
    }
    if (rest == NULL) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "must begin with http:// or https://");
    }
    bool slash = str_ends_with(rest, "/");
    _cleanup_free_ char *url = str_dup_n(text, strlen(text) - slash);
    if (url == NULL) {
        return error_oom(err);
    }
    const char *origin = url + (rest - text);
    if (str_ends_with(origin, "/v2")) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "must not end in /v2, the API's path is added by the UI");
    }
    for (size_t i = 0; i < ELEMENTS(url_faults); i++) {
        if (strpbrk(origin, url_faults[i].characters) != NULL) {
            return error_set(err, ERROR_PERMANENT, EINVAL, "%s", url_faults[i].reason);
        }
    }
    struct address address = {0};
    int r = address_parse(origin, &address, err);
    if (r < 0) {
        return r;
    }
    free(*(char **)target);
    *(char **)target = TAKE_PTR(url);
    return 0;
}

const struct schema_codec config_url_codec = {parse_url, format_text};

static int parse_path(void *target, const char *text, struct error *err)
{
    if (str_equal(text, "/v2") || str_starts_with(text, "/v2/")) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "must not be /v2/ or below it, the registry's API is there");
    }
    char *path = str_printf("%s%s", text, str_ends_with(text, "/") ? "" : "/");
    if (path == NULL) {
        return error_oom(err);
    }
    free(*(char **)target);
    *(char **)target = path;
    return 0;
}

const struct schema_codec config_path_codec = {parse_path, format_text};

static int check_unix(const char *path, struct error *err)
{
    // A longer one does not fit the socket's address, and fails there with a misleading text.
    if (path[0] != '/' || strlen(path) > UNIX_PATH_MAX) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "must be unix:// and an absolute path of at most %d bytes", UNIX_PATH_MAX);
    }
    return 0;
}

static int check_tcp(const char *text, struct error *err)
{
    struct address address = {0};
    int r = address_parse(text, &address, err);
    if (r == 0 && address.port == 0) {
        r = error_set(err, ERROR_PERMANENT, EINVAL, "must be tcp://HOST:PORT, the port is missing");
    }
    return r;
}

static int parse_docker_host(void *target, const char *text, struct error *err)
{
    static const struct {
        const char *scheme;
        int (*check)(const char *text, struct error *err);
    } schemes[] = {{"unix://", check_unix}, {"tcp://", check_tcp}};
    for (size_t i = 0; i < ELEMENTS(schemes); i++) {
        if (str_starts_with(text, schemes[i].scheme)) {
            int r = schemes[i].check(text + strlen(schemes[i].scheme), err);
            return r < 0 ? r : replace(target, text, err);
        }
    }
    return error_set(err, ERROR_PERMANENT, EINVAL,
                     "must be unix://PATH or tcp://HOST:PORT, other schemes are not supported");
}

const struct schema_codec config_docker_host_codec = {parse_docker_host, format_text};

int config_check_registry_name(const char *text, struct error *err)
{
    // The engine asks for two characters at least, and the name is a DNS name on the network.
    if (strlen(text) < 2 || !address_name_is_valid(text)) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "must be a container name that is a DNS name too: two or more letters, "
                         "digits, dashes and dots");
    }
    return 0;
}

int config_check_alias(const char *text, struct error *err)
{
    struct address address = {0};
    int r = address_parse(text, &address, err);
    if (r == 0 && address.port == 0) {
        r = error_set(err, ERROR_PERMANENT, EINVAL, "must be HOST:PORT, the port is missing");
    }
    return r;
}
