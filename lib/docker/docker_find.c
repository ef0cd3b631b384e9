#include "lib/docker/docker_find.h"

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1024u * 1024u) // of config.json and of a context
#define CONTEXTS_MAX 1024              // directories that are read for the one of a name
#define CONSIDERED_MAX 2048
#define UNIX_SCHEME "unix://"
#define UNIX_PATH_MAX 107 // of sockaddr_un, without its NUL

struct search {
    const struct docker_hints *hints;
    struct docker_place *place;
    struct buf considered;
};

static void consider(struct search *search, const char *path, const char *why)
{
    (void)buf_printf(&search->considered, "%s%s (%s)", search->considered.length == 0 ? "" : ", ",
                     path, why);
}

// NULL, and why is in err.
static json_t *read_object(const char *path, struct error *err)
{
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    if (file_read(path, FILE_BYTES_MAX, FILE_REGULAR, &text, &length, err) < 0) {
        return NULL;
    }
    json_t *value = json_loadb(text, length, 0, NULL);
    if (!json_is_object(value)) {
        json_decref(value);
        (void)error_invalid(err, "is no JSON object");
        return NULL;
    }
    return value;
}

// ---- a context ----

// The client names a context's directories by a hash of its name, and the name is in the file: it
// is read rather than hashed. Returns the name of the directory, which the caller frees, or NULL.
static char *context_directory(const struct search *search, const char *name, json_t **ret_meta)
{
    _cleanup_free_ char *base = str_printf("%s/contexts/meta", search->hints->config_dir);
    DIR *directory = opendir(base);
    if (directory == NULL) {
        return NULL;
    }
    char *found = NULL;
    const struct dirent *entry;
    for (size_t i = 0; found == NULL && i < CONTEXTS_MAX && (entry = readdir(directory)) != NULL;
         i++) {
        _cleanup_free_ char *path = str_printf("%s/%s/meta.json", base, entry->d_name);
        json_auto_t *meta = entry->d_name[0] == '.' ? NULL : read_object(path, NULL);
        if (str_equal(json_get_string(meta, "Name", NULL), name)) {
            found = str_dup(entry->d_name);
            *ret_meta = TAKE_PTR(meta);
        }
    }
    (void)closedir(directory);
    return found;
}

// Owned by the caller, NULL when the context has no such file.
static char *context_file(const struct search *search, const char *directory, const char *name)
{
    _cleanup_free_ char *path =
        str_printf("%s/contexts/tls/%s/docker/%s", search->hints->config_dir, directory, name);
    return access(path, F_OK) == 0 ? TAKE_PTR(path) : NULL;
}

static int take_context(struct search *search, const char *name, const char *source,
                        struct error *err)
{
    struct docker_place *place = search->place;
    json_auto_t *meta = NULL;
    _cleanup_free_ char *directory = context_directory(search, name, &meta);
    if (directory == NULL) {
        return error_set(err, ERROR_TRANSIENT, ENOENT,
                         "there is no context %s (named by %s) in %s/contexts; `docker context ls` "
                         "lists those that are",
                         name, source, search->hints->config_dir);
    }
    const char *host = json_get_string(meta, "Endpoints", "docker", "Host", NULL);
    host = host == NULL ? "" : host;
    bool local = str_starts_with(host, UNIX_SCHEME);
    if (str_starts_with(host, "ssh://")) {
        return error_invalid(
            err,
            "the context %s is %s: an engine behind ssh cannot be watched; forward its socket "
            "(`ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock HOST`) and set docker.host to "
            "unix:///tmp/engine.sock, or run this program on that machine",
            name, host);
    }
    if (!local && !str_starts_with(host, "tcp://")) {
        return error_invalid(
            err, "the context %s is %s, which is neither unix:// nor tcp://; set docker.host", name,
            host[0] == '\0' ? "without a host" : host);
    }
    const char *path = host + strlen(UNIX_SCHEME);
    if (local && (path[0] != '/' || strlen(path) > UNIX_PATH_MAX)) {
        return error_invalid(err,
                             "the context %s is %s, which is not unix:// and an absolute path of "
                             "at most %d bytes; set docker.host",
                             name, host, UNIX_PATH_MAX);
    }
    place->ca = context_file(search, directory, "ca.pem");
    place->cert = context_file(search, directory, "cert.pem");
    place->key = context_file(search, directory, "key.pem");
    place->tls = place->ca != NULL || place->cert != NULL || place->key != NULL;
    if (place->tls && json_get_bool(meta, false, "Endpoints", "docker", "SkipTLSVerify", NULL)) {
        return error_invalid(err,
                             "the context %s skips the verification of its server; set docker.host "
                             "and docker.tls.ca",
                             name);
    }
    place->host = str_dup(host);
    place->source = str_printf("the context %s of %s", name, source);
    return 0;
}

// Returns 1 when a context is meant and taken, 0 when none is ("default" is none), or -errno.
static int find_context(struct search *search, struct error *err)
{
    const struct docker_hints *hints = search->hints;
    if (str_empty(hints->config_dir)) {
        return 0;
    }
    _cleanup_free_ char *file = str_printf("%s/config.json", hints->config_dir);
    const char *name = hints->context;
    const char *source = "DOCKER_CONTEXT";
    struct error unread = {0};
    json_auto_t *config = NULL;
    if (str_empty(name)) {
        config = read_object(file, &unread);
        name = json_get_string(config, "currentContext", NULL);
        source = file;
        if (config == NULL) {
            consider(search, file, unread.code == ENOENT ? "not there" : unread.text);
        }
    }
    if (str_empty(name) || str_equal(name, "default")) {
        if (str_empty(unread.text)) {
            consider(search, source, "names no context");
        }
        return 0;
    }
    int r = take_context(search, name, source, err);
    return r < 0 ? r : 1;
}

// ---- the sockets ----

static bool is_socket(struct search *search, const char *path)
{
    struct stat st;
    const char *why = stat(path, &st) < 0    ? errno == ENOENT ? "not there" : strerror(errno)
                         : S_ISSOCK(st.st_mode) ? NULL
                                             : "no socket";
    if (why != NULL) {
        consider(search, path, why);
    }
    return why == NULL;
}

static void find_socket(struct search *search)
{
    const struct strv *sockets = search->hints->sockets;
    size_t i = 0;
    while (i < sockets->count && !is_socket(search, sockets->items[i])) {
        i++;
    }
    bool found = i < sockets->count;
    search->place->host = str_printf(UNIX_SCHEME "%s", sockets->items[found ? i : 0]);
    search->place->source = str_dup(found ? "the first socket that is there"
                                          : "the default, since no socket was found");
}

// ----

static void take_given(const struct docker_hints *hints, struct docker_place *ret)
{
    ret->host = str_dup(hints->host);
    ret->tls = hints->tls;
    ret->ca = str_dup(hints->ca);
    ret->cert = str_dup(hints->cert);
    ret->key = str_dup(hints->key);
    ret->source = str_printf("named by %s", hints->host_source);
}

int docker_find(const struct docker_hints *hints, struct docker_place *ret, struct error *err)
{
    *ret = (struct docker_place){0};
    struct search search = {.hints = hints, .place = ret, .considered = BUF_INIT(CONSIDERED_MAX)};
    int r = 0;
    if (!str_empty(hints->host)) {
        take_given(hints, ret);
    } else if ((r = find_context(&search, err)) == 0) {
        find_socket(&search);
    }
    ret->considered = buf_take(&search.considered);
    return r < 0 ? r : 0;
}

char *docker_place_text(const struct docker_place *place)
{
    bool considered = !str_empty(place->considered);
    return str_printf("%s, %s%s%s", place->host, place->source, considered ? "; looked at " : "",
                      considered ? place->considered : "");
}

void docker_place_done(struct docker_place *place)
{
    free(place->host);
    free(place->ca);
    free(place->cert);
    free(place->key);
    free(place->source);
    free(place->considered);
    *place = (struct docker_place){0};
}
