#include "lib/kube/kubeconfig.h"

#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "lib/kube/kubeconfig_entry.h"

#include <errno.h>
#include <string.h>

#define SERVER_BYTES_MAX 2048
#define HOST_BYTES_MAX 253
#define DIGITS "0123456789"
#define ADDRESS_CHARACTERS "abcdefABCDEF" DIGITS ".:"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS ".-_"
#define HOST_CHARACTERS NAME_CHARACTERS ":"

// NOLINTNEXTLINE(misc-no-recursion): no deeper than YAML_DEPTH_MAX
static void wipe_node(struct yaml_node *node)
{
    if (node->text != NULL) {
        explicit_bzero(node->text, strlen(node->text));
    }
    for (size_t i = 0; i < node->count; i++) {
        wipe_node(&node->entries[i].value);
    }
}

static void wipe_tree(struct yaml_node **tree)
{
    if (*tree != NULL) {
        wipe_node(*tree);
        yaml_node_free(*tree);
    }
}

// The item of a list of {name: NAME, KEY: {…}}, NULL when there is none.
static const struct yaml_node *find_named(const struct yaml_node *root, const char *list,
                                          const char *name, const char *key)
{
    const struct yaml_node *items = yaml_get(root, list);
    if (items == NULL || items->kind != YAML_KIND_SEQUENCE) {
        return NULL;
    }
    yaml_foreach (items, item) {
        if (str_equal(yaml_get_text(&item->value, "name"), name)) {
            return yaml_get(&item->value, key);
        }
    }
    return NULL;
}

#define USE_CERTIFICATE "use client-certificate-data and client-key-data, or token"

static const struct kubeconfig_refusal cluster_refusals[] = {
    {"insecure-skip-tls-verify", "false",
     "an unverified server is refused; use certificate-authority-data"},
    {"proxy-url", NULL, "proxies are not supported; use a server address that is reached directly"},
};

static const struct kubeconfig_refusal user_refusals[] = {
    {"exec", NULL, "running a program for credentials is not supported; " USE_CERTIFICATE},
    {"auth-provider", NULL, "auth providers are not supported; " USE_CERTIFICATE},
    {"username", NULL, "basic authentication is not supported; " USE_CERTIFICATE},
    {"password", NULL, "basic authentication is not supported; " USE_CERTIFICATE},
    {"as", NULL, "impersonation is not supported; use that user's own credentials"},
    {"as-uid", NULL, "impersonation is not supported; use that user's own credentials"},
    {"as-groups", NULL, "impersonation is not supported; use that user's own credentials"},
    {"as-user-extra", NULL, "impersonation is not supported; use that user's own credentials"},
};

static const struct kubeconfig_source cluster_sources[] = {
    {"certificate-authority-data", SOURCE_BASE64, CONTENT_PEM,
     offsetof(struct kube_credentials, ca_pem)},
    {"certificate-authority", SOURCE_FILE, CONTENT_PEM, offsetof(struct kube_credentials, ca_pem)},
};

static const struct kubeconfig_source user_sources[] = {
    {"client-certificate-data", SOURCE_BASE64, CONTENT_PEM,
     offsetof(struct kube_credentials, cert_pem)},
    {"client-certificate", SOURCE_FILE, CONTENT_PEM, offsetof(struct kube_credentials, cert_pem)},
    {"client-key-data", SOURCE_BASE64, CONTENT_PEM, offsetof(struct kube_credentials, key_pem)},
    {"client-key", SOURCE_FILE, CONTENT_PEM, offsetof(struct kube_credentials, key_pem)},
    {"tokenFile", SOURCE_FILE, CONTENT_TOKEN, offsetof(struct kube_credentials, token)},
    {"token", SOURCE_TEXT, CONTENT_TOKEN, offsetof(struct kube_credentials, token)},
};

// Whether it is HOST[:PORT], an IPv6 address in brackets, with at most slashes behind: a path would
// lead the program's requests elsewhere.
static bool is_origin(const char *text)
{
    bool brackets = text[0] == '[';
    size_t length =
        brackets ? 1 + strspn(text + 1, ADDRESS_CHARACTERS) + 1 : strspn(text, NAME_CHARACTERS);
    if (length == 0 || (brackets && text[length - 1] != ']')) {
        return false;
    }
    text += length;
    if (*text == ':') {
        length = strspn(text + 1, DIGITS);
        if (length == 0) {
            return false;
        }
        text += 1 + length;
    }
    return text[strspn(text, "/")] == '\0';
}

static int load_server(const struct kubeconfig_entry *cluster, struct kube_credentials *credentials,
                       struct error *err)
{
    static const char scheme[] = "https://";
    const char *text = NULL;
    const struct yaml_node *at = NULL;
    int r = kubeconfig_get_text(cluster, "server", &text, &at, err);
    if (r < 0) {
        return r;
    }
    if (text == NULL) {
        return kubeconfig_refuse(cluster, "server", cluster->node, EINVAL, err, "is missing");
    }
    if (str_starts_with(text, "http://")) {
        return kubeconfig_refuse(cluster, "server", at, EOPNOTSUPP, err,
                                 "an http:// server is refused; use https://");
    }
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '/') {
        length--;
    }
    if (!str_starts_with(text, scheme) || length > SERVER_BYTES_MAX ||
        !is_origin(text + strlen(scheme))) {
        return kubeconfig_refuse(cluster, "server", at, EINVAL, err,
                                 "expected https://HOST[:PORT]");
    }
    credentials->server = str_dup_n(text, length);
    return credentials->server == NULL ? error_oom(err) : 0;
}

static int load_tls_server_name(const struct kubeconfig_entry *cluster,
                                struct kube_credentials *credentials, struct error *err)
{
    const char *name = NULL;
    const struct yaml_node *at = NULL;
    int r = kubeconfig_get_text(cluster, "tls-server-name", &name, &at, err);
    if (r < 0) {
        return r;
    }
    if (name != NULL &&
        (name[strspn(name, HOST_CHARACTERS)] != '\0' || strlen(name) > HOST_BYTES_MAX)) {
        return kubeconfig_refuse(cluster, "tls-server-name", at, EINVAL, err,
                                 "expected a host name or an address");
    }
    return str_replace(&credentials->tls_server_name, name) < 0 ? error_oom(err) : 0;
}

static int load_cluster(const struct kubeconfig_entry *cluster,
                        struct kube_credentials *credentials, struct error *err)
{
    int r = kubeconfig_check_refusals(cluster, cluster_refusals, ELEMENTS(cluster_refusals), err);
    if (r < 0) {
        return r;
    }
    r = load_server(cluster, credentials, err);
    if (r < 0) {
        return r;
    }
    r = load_tls_server_name(cluster, credentials, err);
    if (r < 0) {
        return r;
    }
    return kubeconfig_load_sources(cluster, cluster_sources, ELEMENTS(cluster_sources), credentials,
                                   err);
}

static int load_user(const struct kubeconfig_entry *user, struct kube_credentials *credentials,
                     struct error *err)
{
    int r = kubeconfig_check_refusals(user, user_refusals, ELEMENTS(user_refusals), err);
    if (r < 0) {
        return r;
    }
    r = kubeconfig_load_sources(user, user_sources, ELEMENTS(user_sources), credentials, err);
    if (r < 0) {
        return r;
    }
    bool has_cert = credentials->cert_pem != NULL;
    if (has_cert != (credentials->key_pem != NULL)) {
        const char *missing = has_cert ? "client-key-data" : "client-certificate-data";
        return kubeconfig_refuse(user, missing, user->node, EINVAL, err,
                                 "is missing: a certificate and its key come together");
    }
    return 0;
}

// Finds the mapping that the context names by `key`: a missing one is an error when it is named.
static int find_entry(const struct yaml_node *root, const struct kubeconfig_entry *context,
                      const char *list, const char *key, struct kubeconfig_entry *ret,
                      struct error *err)
{
    const char *name = NULL;
    const struct yaml_node *at = NULL;
    int r = kubeconfig_get_text(context, key, &name, &at, err);
    if (r < 0) {
        return r;
    }
    *ret = (struct kubeconfig_entry){.file = context->file, .list = list, .name = name, .key = key};
    if (name == NULL) {
        return 0;
    }
    ret->node = find_named(root, list, name, key);
    if (ret->node == NULL) {
        return kubeconfig_refuse(context, key, at, EINVAL, err, "%s has no entry %s", list, name);
    }
    return 0;
}

static int load_context(const struct yaml_node *root, const struct kubeconfig_entry *context,
                        struct kube_credentials *credentials, struct error *err)
{
    struct kubeconfig_entry cluster = {0};
    struct kubeconfig_entry user = {0};
    int r = find_entry(root, context, "clusters", "cluster", &cluster, err);
    if (r < 0) {
        return r;
    }
    if (cluster.node == NULL) {
        return kubeconfig_refuse(context, "cluster", context->node, EINVAL, err, "is missing");
    }
    r = load_cluster(&cluster, credentials, err);
    if (r < 0) {
        return r;
    }
    r = find_entry(root, context, "users", "user", &user, err);
    if (r < 0 || user.node == NULL) {
        return r;
    }
    return load_user(&user, credentials, err);
}

int kubeconfig_parse(const char *text, size_t length, const char *file, const char *context,
                     struct kube_credentials *ret, struct error *err)
{
    const char *shown = file == NULL ? "kubeconfig" : file;
    _cleanup_(wipe_tree) struct yaml_node *root = NULL;
    struct error inner = {0};
    int r = yaml_read(text, length, &root, &inner);
    if (r < 0) {
        return error_set(err, inner.kind, inner.code, "%s:%s", shown, inner.text);
    }
    const char *name = context == NULL ? yaml_get_text(root, "current-context") : context;
    if (str_empty(name)) {
        return error_set(err, ERROR_PERMANENT, ENOENT, "%s: current-context is not set", shown);
    }
    struct kubeconfig_entry entry = {
        .file = file, .list = "contexts", .name = name, .key = "context"};
    entry.node = find_named(root, entry.list, name, entry.key);
    if (entry.node == NULL) {
        return error_set(err, ERROR_PERMANENT, ENOENT, "%s: there is no context %s", shown, name);
    }
    _cleanup_(kube_credentials_done) struct kube_credentials credentials = {0};
    r = load_context(root, &entry, &credentials, err);
    if (r < 0) {
        return r;
    }
    *ret = TAKE_STRUCT(credentials);
    return 0;
}

void kube_credentials_done(struct kube_credentials *credentials)
{
    kubeconfig_wipe(credentials->server);
    kubeconfig_wipe(credentials->ca_pem);
    kubeconfig_wipe(credentials->cert_pem);
    kubeconfig_wipe(credentials->key_pem);
    kubeconfig_wipe(credentials->token);
    kubeconfig_wipe(credentials->tls_server_name);
    *credentials = (struct kube_credentials){0};
}
