#include "lib/config/config_schema.h"

#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/config/config_values.h"

#include <errno.h>
#include <string.h>

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

#define REPLICAS_MAX 10
#define CLUSTERS_MAX 64
#define VARIABLES_MAX 512
#define IMAGE_MAX 512
#define USERNAME_MAX 256
#define NAME_MAX_BYTES 128
#define UI_PATH_MAX 128
#define TITLE_MAX 100
#define KUBE_NAME_MAX 253 // a DNS subdomain name
#define UNIX_PATH_MAX 107 // of sockaddr_un, without its NUL

// reference.go of github.com/distribution/reference: [DOMAIN/]PATH[:TAG][@DIGEST].
#define DOMAIN_PART "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
#define DOMAIN "(" DOMAIN_PART "(\\." DOMAIN_PART ")*|\\[[0-9a-fA-F:]+])(:[0-9]+)?"
#define COMPONENT "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
#define TAG "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
#define DIGEST "[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
#define DNS_LABEL "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"

// What the functions below ask of a text, as far as one pattern can tell.
#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define IP "((" OCTET "\\.){3}" OCTET "|\\[[0-9A-Fa-f:.]+\\])"
#define DNS_NAME DOMAIN_LABEL "(\\." DOMAIN_LABEL ")*"
#define DOMAIN_LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#define HOST "(" IP "|(?![^:/]*\\.[0-9]+([:/]|$))" DNS_NAME ")"
#define PORT                                                                                       \
    ":0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

// Docker Hub's, that no image name begins with.
#define HUB_NAMES                                                                                  \
    "(hub\\.)?docker\\.com|(index|registry-1)\\.docker\\.io|registry\\.hub\\.docker\\.com"

// A pattern, and what it stands for.
#define IMAGE                                                                                      \
    .max = IMAGE_MAX,                                                                              \
    .pattern = "^(" DOMAIN "/)?" COMPONENT "(/" COMPONENT ")*(:" TAG ")?(@" DIGEST ")?$",          \
    .expected = "an image reference: [HOST[:PORT]/]NAME[:TAG][@DIGEST], the name in lower case"
#define VARIABLES                                                                                  \
    .max = VARIABLES_MAX, .pattern = "^[A-Za-z_][A-Za-z0-9_]*$",                                   \
    .expected = "letters, digits and underscores, and not begin with a digit"
#define STORAGE                                                                                    \
    .min = 1, .pattern = "^/[^:]+$", .written = "^[^:]*[^:/][^:]*$",                               \
    .expected = "a directory other than /, without a colon in its path"
#define NETWORK                                                                                    \
    .max = NAME_MAX_BYTES, .pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$",                              \
    .expected = "the name of a network: letters, digits, _ . and -"
#define CLUSTERS                                                                                   \
    .max = CLUSTERS_MAX, .pattern = "^[a-z0-9.*?-]+$",                                             \
    .expected = "a kind cluster's name: lower-case letters, digits, . and -, with * and ?"
#define NAMESPACE                                                                                  \
    .pattern = "^" DNS_LABEL "$",                                                                  \
    .expected = "a Kubernetes namespace: at most 63 lower-case letters, digits and inner dashes"
#define KUBE_NAME                                                                                  \
    .max = KUBE_NAME_MAX, .pattern = "^" DNS_LABEL "(\\." DNS_LABEL ")*$",                         \
    .expected = "a Kubernetes name: lower-case letters, digits, and inner dashes and dots"
#define GATEWAY                                                                                    \
    .pattern = "^(" DNS_LABEL "/" DNS_LABEL "(\\." DNS_LABEL ")*)?$",                              \
    .expected = "NAMESPACE/NAME of a Gateway, or empty"
// It stands as it is in an Ingress and in the configuration of the UI's nginx.
#define UI_PATH                                                                                    \
    .max = UI_PATH_MAX, .pattern = "^((/[A-Za-z0-9_-]+)+/?|/)$", .written = "^(?!/v2(/|$))",       \
    .expected = "/ or a path below it: names of letters, digits, _ and - between single slashes"

// ---- values that have one spelling ----

static int spell_name(const char *text, _unused_ const struct path_source *source, char **ret,
                      struct error *err)
{
    // The engine asks for two characters at least, and the name is a DNS name on the network.
    if (strlen(text) < 2 || !address_name_is_valid(text)) {
        return error_invalid(
            err, "must be a container name that is a DNS name too: two or more letters, "
                 "digits, dashes and dots");
    }
    *ret = str_dup(text);
    return 0;
}

int config_spell_alias(const char *text, _unused_ const struct path_source *source, char **ret,
                       struct error *err)
{
    struct address address;
    int r = address_parse(text, ADDRESS_NEEDS_PORT, &address, err);
    if (r == 0) {
        *ret = address_format(&address);
    }
    return r;
}

static int spell_url(const char *text, _unused_ const struct path_source *source, char **ret,
                     struct error *err)
{
    // What an origin is not, in the order in which it is looked for, after the scheme.
    static const struct {
        const char *pattern;
        const char *reason;
    } faults[] = {
        {"/v2/?$", "must not end in /v2, the API's path is added"},
        {"@", "must not contain a user or a password"},
        {"[?#]", "must not have a query or a fragment"},
        {"/.", "must be the origin alone, scheme://host[:port] without a path"},
    };
    const char *scheme = str_starts_with(text, "https://") ? "https://" : "http://";
    if (!str_starts_with(text, scheme)) {
        return error_invalid(err, "must begin with http:// or https://");
    }
    const char *origin = text + strlen(scheme);
    for (size_t i = 0; i < ELEMENTS(faults); i++) {
        if (str_matches(origin, faults[i].pattern)) {
            return error_invalid(err, "%s", faults[i].reason);
        }
    }
    struct address address;
    _cleanup_free_ char *host = str_dup_n(origin, strcspn(origin, "/"));
    int r = address_parse(host, ADDRESS_NEEDS_NOTHING, &address, err);
    if (r == 0) {
        _cleanup_free_ char *authority = address_format(&address);
        *ret = str_printf("%s%s", scheme, authority);
    }
    return r;
}

// The API's URL of a cache's upstream; "" is its default.
static int spell_upstream_url(const char *text, const struct path_source *source, char **ret,
                              struct error *err)
{
    return str_empty(text) ? 0 : spell_url(text, source, ret, err);
}

// What image names begin with: a first component without a dot or a port is a part of the path.
static int spell_upstream(const char *text, _unused_ const struct path_source *source, char **ret,
                          struct error *err)
{
    struct address address;
    if (address_parse(text, ADDRESS_NEEDS_NOTHING, &address, NULL) < 0 ||
        (address.port == 0 && strpbrk(address.host, ".:") == NULL)) {
        return error_invalid(err, "must be what image names begin with, HOST or HOST:PORT without "
                                  "a scheme or a path, e.g. docker.io");
    }
    if (str_matches(address.host, "^(" HUB_NAMES ")$")) {
        return error_invalid(err, "is no name that images have, did you mean `docker.io`?");
    }
    *ret = address_format(&address);
    return 0;
}

static int spell_ui_path(const char *text, _unused_ const struct path_source *source, char **ret,
                         struct error *err)
{
    if (str_equal(text, "/v2") || str_starts_with(text, "/v2/")) {
        return error_invalid(err, "must not be /v2/ or below it, the registry's API is there");
    }
    *ret = str_printf("%s%s", text, str_ends_with(text, "/") ? "" : "/");
    return 0;
}

int config_spell_docker_host(const char *text, _unused_ const struct path_source *source,
                             char **ret, struct error *err)
{
    static const char unix_scheme[] = "unix://";
    static const char tcp_scheme[] = "tcp://";
    struct address address;
    int r = 0;
    if (!str_is_utf8(text)) { // of the environment
        return error_invalid(err, "is not valid UTF-8");
    }
    if (str_starts_with(text, unix_scheme)) {
        const char *path = text + strlen(unix_scheme);
        // A longer one does not fit the socket's address, and fails there with a misleading text.
        if (path[0] != '/' || strlen(path) > UNIX_PATH_MAX) {
            r = error_invalid(err, "must be unix:// and an absolute path of at most %d bytes",
                              UNIX_PATH_MAX);
        }
    } else if (str_starts_with(text, tcp_scheme)) {
        r = address_parse(text + strlen(tcp_scheme), ADDRESS_NEEDS_PORT, &address, err);
    } else if (text[0] != '\0') {
        r = error_invalid(
            err, "must be unix://PATH or tcp://HOST:PORT, other schemes are not supported");
    }
    if (r == 0) {
        *ret = str_dup(text);
    }
    return r;
}

// ---- registry.listen: two members of the struct ----

static int parse_listen(_unused_ const struct schema_field *field, const char *text, void *target,
                        struct error *err)
{
    struct config_registry *registry = target;
    struct address address;
    int r = address_parse(text, ADDRESS_NEEDS_IP | ADDRESS_NEEDS_PORT, &address, err);
    if (r == 0) {
        str_replace(&registry->listen_address, address.host);
        registry->listen_port = address.port;
    }
    return r;
}

static void print_listen(_unused_ const struct schema_field *field, const void *target,
                         _unused_ int indent, FILE *out)
{
    const struct config_registry *registry = target;
    _cleanup_free_ char *text = str_printf(
        "%s:%u", address_bracketed(registry->listen_address).text, registry->listen_port);
    schema_print_text(text, out);
}

static void done_listen(void *target)
{
    free(((struct config_registry *)target)->listen_address);
}

static const struct schema_type listen_type = {
    .written = "^" IP PORT "$",
    .parse = parse_listen,
    .print = print_listen,
    .done = done_listen,
};

// ---- the keys ----

static const struct schema_name restart_names[] = {
    {"always", RESTART_ALWAYS},
    {"unless-stopped", RESTART_UNLESS_STOPPED},
    {"on-failure", RESTART_ON_FAILURE},
    {"no", RESTART_NO},
    {NULL, 0},
};

static const struct schema_name cure_names[] = {
    {"report", CURE_REPORT},
    {"repair", CURE_REPAIR},
    {NULL, 0},
};

static const struct schema_name level_names[] = {
    {"debug", LOG_LEVEL_DEBUG},     {"info", LOG_LEVEL_INFO},   {"notice", LOG_LEVEL_NOTICE},
    {"warning", LOG_LEVEL_WARNING}, {"error", LOG_LEVEL_ERROR}, {NULL, 0},
};

// A row: the key, what it is, its member of struct config, its default, and what bounds it.
#define KEY(name, kind, member, text, ...)                                                         \
    {                                                                                              \
        .key = (name), .type = &(kind), .offset = offsetof(struct config, member),                 \
        .fallback = (text), ##__VA_ARGS__                                                          \
    }
#define TABLE(name, rows)                                                                          \
    {                                                                                              \
        .key = (name), .type = &schema_table, .fields = (rows)                                     \
    }

static const struct schema_field registry_fields[] = {
    KEY("name", schema_string, registry.name, "hostk8s-registry", .spell = spell_name,
        .written = "^(?=.{2,253}$)(?!.*\\.[0-9]+$)" DNS_NAME "$"),
    KEY("image", schema_string, registry.image, "registry:2", IMAGE),
    KEY("listen", listen_type, registry, "127.0.0.1:5002"),
    KEY("allowRemote", schema_bool, registry.allow_remote, "false"),
    KEY("storage", schema_path, registry.storage, "~/.local/share/hostk8s/registry", STORAGE),
    KEY("restart", schema_enum, registry.restart, "always", .names = restart_names),
    KEY("delete", schema_bool, registry.delete_enabled, "true"),
    KEY("environment", schema_map, registry.environment, NULL, VARIABLES),
    {0},
};

#define CACHE_KEY(name, kind, member, text, ...)                                                   \
    {                                                                                              \
        .key = (name), .type = &(kind), .offset = offsetof(struct config_cache, member),           \
        .fallback = (text), ##__VA_ARGS__                                                          \
    }
static const struct schema_field cache_fields[] = {
    CACHE_KEY("upstream", schema_string, upstream, NULL, .spell = spell_upstream,
              .written = "^(?!(" HUB_NAMES ")(:|$))(?=.*[.:])" HOST "(" PORT ")?$"),
    CACHE_KEY("url", schema_string, url, "", .spell = spell_upstream_url,
              .written =
                  "^(?!https?://(localhost|127\\.|\\[::1\\]))(https?://" HOST "(" PORT ")?/?)?$"),
    CACHE_KEY("username", schema_string, username, "", .max = USERNAME_MAX),
    CACHE_KEY("passwordFile", schema_path, password_file, NULL),
    {0},
};

static const struct schema_field nodes_fields[] = {
    KEY("aliases", schema_list, nodes.aliases, "localhost:5000", .min = 1, .max = ALIASES_MAX,
        .spell = config_spell_alias, .written = "^" HOST PORT "$"),
    KEY("skipVerify", schema_bool, nodes.skip_verify, "true"),
    KEY("configPath", schema_enum, nodes.config_path, "report", .names = cure_names),
    {0},
};

static const struct schema_field ui_fields[] = {
    KEY("enabled", schema_bool, ui.enabled, "true"),
    KEY("namespace", schema_string, ui.name_space, "hostk8s", NAMESPACE),
    KEY("image", schema_string, ui.image, "joxit/docker-registry-ui:2.6.0", IMAGE),
    KEY("replicas", schema_integer, ui.replicas, "1", .min = 1, .max = REPLICAS_MAX),
    KEY("title", schema_string, ui.title, "HostK8s Registry", .max = TITLE_MAX),
    KEY("url", schema_string, ui.url, "http://localhost:8080", .spell = spell_url,
        .written = "^https?://" HOST "(" PORT ")?/?$"),
    KEY("path", schema_string, ui.path, "/registry/", UI_PATH, .spell = spell_ui_path),
    KEY("ingressClass", schema_string, ui.ingress_class, "nginx", KUBE_NAME),
    KEY("check", schema_bool, ui.check, "true"),
    KEY("gateway", schema_string, ui.gateway, "", GATEWAY),
    KEY("environment", schema_map, ui.environment, NULL, VARIABLES),
    {0},
};

static const struct schema_field tls_fields[] = {
    KEY("ca", schema_path, docker.ca, NULL),
    KEY("cert", schema_path, docker.cert, NULL),
    KEY("key", schema_path, docker.key, NULL),
    {0},
};

static const struct schema_field docker_fields[] = {
    KEY("host", schema_string, docker.host, "", .spell = config_spell_docker_host,
        .written = "^(unix:///.{0,106}|tcp://" HOST PORT ")?$"),
    TABLE("tls", tls_fields),
    {0},
};

static const struct schema_field kubernetes_fields[] = {
    KEY("kubeconfig", schema_path, kubeconfig, NULL),
    {0},
};

static const struct schema_field backoff_fields[] = {
    KEY("initial", schema_duration, reconcile.backoff.initial_ms, "500ms", .min = 10,
        .max = MINUTE),
    KEY("max", schema_duration, reconcile.backoff.max_ms, "60s", .min = 10, .max = HOUR),
    {0},
};

static const struct schema_field reconcile_fields[] = {
    KEY("poll", schema_duration, reconcile.poll_ms, "10s", .min = SECOND, .max = HOUR),
    KEY("timeout", schema_duration, reconcile.timeout_ms, "10s", .min = 100, .max = 10 * MINUTE),
    TABLE("backoff", backoff_fields),
    {0},
};

static const struct schema_field log_fields[] = {
    KEY("level", schema_enum, log_level, "info", .names = level_names),
    {0},
};

const struct schema_field config_schema[] = {
    TABLE("registry", registry_fields),
    KEY("caches", schema_items, caches, NULL, .max = CACHES_MAX, .fields = cache_fields,
        .size = sizeof(struct config_cache)),
    KEY("network", schema_string, network, "kind", NETWORK),
    KEY("clusters", schema_list, clusters, "hostk8s", CLUSTERS),
    TABLE("nodes", nodes_fields),
    TABLE("ui", ui_fields),
    TABLE("docker", docker_fields),
    TABLE("kubernetes", kubernetes_fields),
    TABLE("reconcile", reconcile_fields),
    TABLE("log", log_fields),
    {0},
};

const char *restart_policy_name(enum restart_policy policy)
{
    for (const struct schema_name *name = restart_names; name->name != NULL; name++) {
        if (name->value == (int)policy) {
            return name->name;
        }
    }
    return "unknown";
}
