#include "lib/kube/kubeconfig.h"

#include "lib/base/base64.h"
#include "lib/base/file.h"
#include "lib/base/secret.h"
#include "lib/base/str.h"
#include "lib/doc/yaml.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define SERVER_BYTES_MAX 2048
#define HOST_BYTES_MAX 253
#define PEM_BYTES_MAX (1024u * 1024u)
#define TOKEN_BYTES_MAX (16u * 1024u)
#define PEM_MARK "-----BEGIN "
// An IPv6 address has brackets. A path would lead the program's requests elsewhere.
#define SERVER "^https://([A-Za-z0-9._-]+|\\[[0-9A-Fa-f.:]+])(:[0-9]+)?/*$"

// A named entry's mapping: `users[kind-a].user` is {FILE, "users", "kind-a", "user", …}.
struct entry {
    const char *file; // for error texts; NULL when the text is from no file
    const char *list;
    const char *name;
    const char *key;
    const struct yaml_node *node;
};

// ---- what a value has to be

static void cut_end(char *text, const char *characters)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(characters, text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
}

// Each returns what is wrong, NULL when nothing is, and may cut the end off.
static const char *check_server(char *text)
{
    if (str_starts_with(text, "http://")) {
        return "an http:// server is refused; use https://";
    }
    if (strlen(text) > SERVER_BYTES_MAX || !str_matches(text, SERVER)) {
        return "expected https://HOST[:PORT]";
    }
    cut_end(text, "/");
    return NULL;
}

static const char *check_host(char *text)
{
    bool good = str_matches(text, "^[A-Za-z0-9._:-]+$") && strlen(text) <= HOST_BYTES_MAX;
    return good ? NULL : "expected a host name or an address";
}

static const char *check_pem(char *text)
{
    return strstr(text, PEM_MARK) != NULL ? NULL
                                          : "is no PEM text: it lacks the line " PEM_MARK "...";
}

static const char *check_token(char *text)
{
    cut_end(text, "\r\n\t ");
    if (*text == '\0' || strlen(text) > TOKEN_BYTES_MAX) {
        return "is empty or too long";
    }
    // It becomes a header's value.
    return str_matches(text, "^[!-~]+$") ? NULL : "has a character that no token has";
}

// ---- the fields

#define USE_CERTIFICATE "use client-certificate-data and client-key-data, or token"
#define NO_BASIC "basic authentication is not supported; " USE_CERTIFICATE
#define NO_IMPERSONATION "impersonation is not supported; use that user's own credentials"

// What a field must not say, with the way out. The value is never named: it may be a password.
static const struct refusal {
    const char *list;
    const char *key;
    const char *allowed; // the plain value that is fine, NULL: none
    const char *reason;
} refusals[] = {
    {"clusters", "insecure-skip-tls-verify", "false",
     "an unverified server is refused; use certificate-authority-data"},
    {"clusters", "proxy-url", NULL,
     "proxies are not supported; use a server address that is reached directly"},
    {"users", "exec", NULL, "running a program for credentials is not supported; " USE_CERTIFICATE},
    {"users", "auth-provider", NULL, "auth providers are not supported; " USE_CERTIFICATE},
    {"users", "username", NULL, NO_BASIC},
    {"users", "password", NULL, NO_BASIC},
    {"users", "as", NULL, NO_IMPERSONATION},
    {"users", "as-uid", NULL, NO_IMPERSONATION},
    {"users", "as-groups", NULL, NO_IMPERSONATION},
    {"users", "as-user-extra", NULL, NO_IMPERSONATION},
};

// Of two fields for one credential the first wins, as in kubectl.
static const struct field {
    const char *list;
    const char *key;
    enum { PLAIN, BASE64, NAMED_FILE } form;
    size_t target;
    const char *(*check)(char *text);
} fields[] = {
#define TARGET(member) offsetof(struct kube_credentials, member)
    {"clusters", "server", PLAIN, TARGET(server), check_server},
    {"clusters", "tls-server-name", PLAIN, TARGET(tls_server_name), check_host},
    {"clusters", "certificate-authority-data", BASE64, TARGET(ca_pem), check_pem},
    {"clusters", "certificate-authority", NAMED_FILE, TARGET(ca_pem), check_pem},
    {"users", "client-certificate-data", BASE64, TARGET(cert_pem), check_pem},
    {"users", "client-certificate", NAMED_FILE, TARGET(cert_pem), check_pem},
    {"users", "client-key-data", BASE64, TARGET(key_pem), check_pem},
    {"users", "client-key", NAMED_FILE, TARGET(key_pem), check_pem},
    {"users", "tokenFile", NAMED_FILE, TARGET(token), check_token},
    {"users", "token", PLAIN, TARGET(token), check_token},
};

void kube_credentials_done(struct kube_credentials *credentials)
{
    for (size_t i = 0; i < ELEMENTS(fields); i++) {
        char **target = (char **)((char *)credentials + fields[i].target);
        secret_wipe(TAKE_PTR(*target));
    }
}

// Fails at a field with "FILE:LINE:COLUMN: users[NAME].user.KEY: reason". Returns -EINVAL.
static _printf_(5, 6) int refuse(const struct entry *entry, const char *key,
                                 const struct yaml_node *at, struct error *err, const char *format,
                                 ...)
{
    va_list args;
    va_start(args, format);
    _cleanup_free_ char *reason = str_vprintf(format, args);
    va_end(args);
    return error_invalid(err, "%s:%u:%u: %s[%s].%s.%s: %s",
                         entry->file == NULL ? "kubeconfig" : entry->file, at->line, at->column,
                         entry->list, entry->name, entry->key, key, reason);
}

static int refuse_kind(const struct entry *entry, const char *key, const struct yaml_node *at,
                       struct error *err)
{
    return refuse(entry, key, at, err, "expected a single value, not %s", yaml_kind_name(at->kind));
}

static int check_refusal(const struct entry *entry, const struct refusal *refusal,
                         struct error *err)
{
    const struct yaml_node *node = yaml_get(entry->node, refusal->key);
    if (node == NULL || yaml_is_null(node)) {
        return 0;
    }
    bool empty = node->kind == YAML_KIND_SCALAR ? node->text[0] == '\0' : node->count == 0;
    bool allowed = empty || (node->plain && str_equal(node->text, refusal->allowed));
    return allowed ? 0 : refuse(entry, refusal->key, node, err, "%s", refusal->reason);
}

// Reads the file that a value names, relative to the kubeconfig's directory.
static int read_named_file(const struct entry *entry, const struct field *field,
                           const struct yaml_node *node, const char *name, char **ret,
                           size_t *ret_length, struct error *err)
{
    bool token = field->check == check_token;
    struct error reason;
    if (entry->file == NULL) {
        return refuse(entry, field->key, node, err,
                      "a file cannot be read from here; use the %s itself",
                      token ? "token entry" : "-data entry");
    }
    const char *slash = name[0] == '/' ? NULL : strrchr(entry->file, '/');
    int directory_length = slash == NULL ? 0 : (int)(slash - entry->file + 1);
    _cleanup_free_ char *path = str_printf("%.*s%s", directory_length, entry->file, name);
    int r = file_read(path, token ? TOKEN_BYTES_MAX : PEM_BYTES_MAX, FILE_REGULAR, ret, ret_length,
                      &reason);
    // The name stays out: it may be a key in the wrong place.
    return r == 0 ? 0 : refuse(entry, field->key, node, err, "that file %s", reason.text);
}

static int load_field(const struct entry *entry, const struct field *field,
                      struct kube_credentials *credentials, struct error *err)
{
    char **target = (char **)((char *)credentials + field->target);
    const struct yaml_node *node = yaml_get(entry->node, field->key);
    _cleanup_(secret_wipep) char *value = NULL;
    size_t length = 0;
    if (node != NULL && node->kind != YAML_KIND_SCALAR) {
        return refuse_kind(entry, field->key, node, err);
    }
    const char *text = yaml_text(node);
    if (str_empty(text) || *target != NULL) {
        return 0;
    }
    if (field->form == NAMED_FILE) {
        int r = read_named_file(entry, field, node, text, &value, &length, err);
        if (r < 0) {
            return r;
        }
    } else if (field->form == PLAIN) {
        value = str_dup(text);
        length = strlen(value);
    } else if (base64_decode(text, strlen(text), &value, &length) < 0) {
        return refuse(entry, field->key, node, err, "is not valid base64");
    }
    assert(value != NULL);
    const char *problem = strlen(value) != length ? "has a NUL character" : field->check(value);
    if (problem != NULL) {
        return refuse(entry, field->key, node, err, "%s", problem);
    }
    *target = TAKE_PTR(value);
    return 0;
}

// ---- the entries

// The mapping KEY of the item NAME in a list of {name: NAME, KEY: {…}}, NULL when there is none.
static const struct yaml_node *find_named(const struct yaml_node *root, const struct entry *entry)
{
    const struct yaml_node *items = yaml_get(root, entry->list);
    if (items == NULL || items->kind != YAML_KIND_SEQUENCE) {
        return NULL;
    }
    yaml_foreach (items, item) {
        if (str_equal(yaml_get_text(&item->value, "name"), entry->name)) {
            return yaml_get(&item->value, entry->key);
        }
    }
    return NULL;
}

// Loads the entry that the context names by `key`, if it names one. After an error some credentials
// may be set.
static int load_entry(const struct yaml_node *root, const struct entry *context, const char *list,
                      const char *key, struct kube_credentials *credentials, struct error *err)
{
    const struct yaml_node *named = yaml_get(context->node, key);
    struct entry entry = {
        .file = context->file, .list = list, .name = yaml_text(named), .key = key};
    int r = 0;
    if (named != NULL && named->kind != YAML_KIND_SCALAR) {
        return refuse_kind(context, key, named, err);
    }
    if (str_empty(entry.name)) {
        return 0;
    }
    entry.node = find_named(root, &entry);
    if (entry.node == NULL) {
        return refuse(context, key, named, err, "%s has no entry %s", list, entry.name);
    }
    for (size_t i = 0; i < ELEMENTS(refusals) && r == 0; i++) {
        r = str_equal(refusals[i].list, list) ? check_refusal(&entry, &refusals[i], err) : 0;
    }
    for (size_t i = 0; i < ELEMENTS(fields) && r == 0; i++) {
        r = str_equal(fields[i].list, list) ? load_field(&entry, &fields[i], credentials, err) : 0;
    }
    if (r == 0 && credentials->server == NULL) {
        r = refuse(&entry, "server", entry.node, err, "is missing");
    }
    bool has_cert = credentials->cert_pem != NULL;
    if (r == 0 && has_cert != (credentials->key_pem != NULL)) {
        r = refuse(&entry, has_cert ? "client-key-data" : "client-certificate-data", entry.node,
                   err, "is missing: a certificate and its key come together");
    }
    return r;
}

int kubeconfig_parse(const char *text, size_t length, const char *file, const char *context,
                     struct kube_credentials *ret, struct error *err)
{
    const char *shown = file == NULL ? "kubeconfig" : file;
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    struct error inner = {0};
    int r = yaml_read(text, length, &root, &inner);
    if (r < 0) {
        return error_set(err, inner.kind, inner.code, "%s:%s", shown, inner.text);
    }
    struct entry entry = {
        .file = file,
        .list = "contexts",
        .name = context == NULL ? yaml_get_text(root, "current-context") : context,
        .key = "context",
    };
    if (str_empty(entry.name)) {
        return error_set(err, ERROR_PERMANENT, ENOENT, "%s: current-context is not set", shown);
    }
    entry.node = find_named(root, &entry);
    if (entry.node == NULL) {
        return error_set(err, ERROR_PERMANENT, ENOENT, "%s: there is no context %s", shown,
                         entry.name);
    }
    _cleanup_(kube_credentials_done) struct kube_credentials credentials = {0};
    r = load_entry(root, &entry, "clusters", "cluster", &credentials, err);
    if (r == 0 && credentials.server == NULL) {
        r = refuse(&entry, "cluster", entry.node, err, "is missing");
    }
    r = r < 0 ? r : load_entry(root, &entry, "users", "user", &credentials, err);
    if (r == 0) {
        *ret = TAKE_STRUCT(credentials);
    }
    return r;
}
