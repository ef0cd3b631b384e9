#include "lib/config/config_schema.h"

#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/config/config_values.h"

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

// Patterns, and what they stand for.
#define IMAGE                                                                                      \
    .max = IMAGE_MAX,                                                                              \
    .pattern = "^(" DOMAIN "/)?" COMPONENT "(/" COMPONENT ")*(:" TAG ")?(@" DIGEST ")?$",          \
    .expected = "an image reference: [HOST[:PORT]/]NAME[:TAG][@DIGEST], the name in lower case"
#define VARIABLES                                                                                  \
    .max = VARIABLES_MAX, .pattern = "^[A-Za-z_][A-Za-z0-9_]*$",                                   \
    .expected = "letters, digits and underscores, and not begin with a digit"

// ---- values that have one spelling ----

static int spell_name(const char *text, char **ret, struct error *err)
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

static int spell_address(const char *text, enum address_needs needs, char **ret, struct error *err)
{
    struct address address;
    int r = address_parse(text, needs, &address, err);
    if (r == 0) {
        *ret = address_format(&address);
    }
    return r;
}

int config_spell_alias(const char *text, char **ret, struct error *err)
{
    return spell_address(text, ADDRESS_NEEDS_PORT, ret, err);
}

static int spell_listen(const char *text, char **ret, struct error *err)
{
    return spell_address(text, ADDRESS_NEEDS_IP | ADDRESS_NEEDS_PORT, ret, err);
}

static int spell_url(const char *text, char **ret, struct error *err)
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
    _cleanup_free_ char *host = str_dup_n(origin, strcspn(origin, "/"));
    _cleanup_free_ char *authority = NULL;
    int r = spell_address(host, ADDRESS_NEEDS_NOTHING, &authority, err);
    if (r == 0) {
        *ret = str_printf("%s%s", scheme, authority);
    }
    return r;
}

// The API's URL of a cache's upstream; "" is its default.
static int spell_upstream_url(const char *text, char **ret, struct error *err)
{
    return str_empty(text) ? 0 : spell_url(text, ret, err);
}

// What image names begin with: a first component without a dot or a port is a part of the path.
static int spell_upstream(const char *text, char **ret, struct error *err)
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

static int spell_ui_path(const char *text, char **ret, struct error *err)
{
    if (str_equal(text, "/v2") || str_starts_with(text, "/v2/")) {
        return error_invalid(err, "must not be /v2/ or below it, the registry's API is there");
    }
    *ret = str_printf("%s%s", text, str_ends_with(text, "/") ? "" : "/");
    return 0;
}

int config_spell_docker_host(const char *text, char **ret, struct error *err)
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

// ---- the keys ----

static const struct schema_name restart_names[] = {
    [RESTART_ALWAYS] = {"always", RESTART_ALWAYS},
    [RESTART_UNLESS_STOPPED] = {"unless-stopped", RESTART_UNLESS_STOPPED},
    [RESTART_ON_FAILURE] = {"on-failure", RESTART_ON_FAILURE},
    [RESTART_NO] = {"no", RESTART_NO},
    {NULL, 0},
};

static const struct schema_name cure_names[] = {
    {"report", CURE_REPORT}, {"repair", CURE_REPAIR}, {NULL, 0}};

static const struct schema_name level_names[] = {
    {"debug", LOG_LEVEL_DEBUG},     {"info", LOG_LEVEL_INFO},   {"notice", LOG_LEVEL_NOTICE},
    {"warning", LOG_LEVEL_WARNING}, {"error", LOG_LEVEL_ERROR}, {NULL, 0},
};

// A row: the key, what it is, its member of the struct, its default, and what bounds it.
#define FIELD(object, name, kind, member, text, ...)                                               \
    {                                                                                              \
        .key = (name), .type = (kind), .offset = offsetof(struct object, member),                  \
        .fallback = (text), ##__VA_ARGS__                                                          \
    }
#define KEY(name, kind, member, ...) FIELD(config, name, kind, member, __VA_ARGS__)
#define CACHE_KEY(name, kind, member, ...) FIELD(config_cache, name, kind, member, __VA_ARGS__)
#define TABLE(name, rows)                                                                          \
    {                                                                                              \
        .key = (name), .type = SCHEMA_TABLE, .fields = (rows)                                      \
    }

static const struct schema_field registry_fields[] = {
    KEY("name", SCHEMA_STRING, registry.name, "hostk8s-registry", .spell = spell_name,
        .written = "^(?=.{2,253}$)(?!.*\\.[0-9]+$)" DNS_NAME "$"),
    KEY("image", SCHEMA_STRING, registry.image, "registry:2", IMAGE),
    KEY("listen", SCHEMA_STRING, registry.listen, "127.0.0.1:5002", .spell = spell_listen,
        .unquoted = true, .written = "^" IP PORT "$"),
    KEY("allowRemote", SCHEMA_BOOL, registry.allow_remote, "false"),
    KEY("storage", SCHEMA_PATH, registry.storage, "~/.local/share/hostk8s/registry", .min = 1,
        .pattern = "^/[^:]+$", .written = "^[^:]*[^:/][^:]*$",
        .expected = "a directory other than /, without a colon in its path"),
    KEY("restart", SCHEMA_ENUM, registry.restart, "always", .names = restart_names),
    KEY("delete", SCHEMA_BOOL, registry.delete_enabled, "true"),
    KEY("environment", SCHEMA_MAP, registry.environment, NULL, VARIABLES),
    {0},
};

static const struct schema_field cache_fields[] = {
    CACHE_KEY("upstream", SCHEMA_STRING, upstream, NULL, .spell = spell_upstream,
              .written = "^(?!(" HUB_NAMES ")(:|$))(?=.*[.:])" HOST "(" PORT ")?$"),
    CACHE_KEY("url", SCHEMA_STRING, url, "", .spell = spell_upstream_url,
              .written =
                  "^(?!https?://(localhost|127\\.|\\[::1\\]))(https?://" HOST "(" PORT ")?/?)?$"),
    CACHE_KEY("username", SCHEMA_STRING, username, "", .max = USERNAME_MAX),
    CACHE_KEY("passwordFile", SCHEMA_PATH, password_file, NULL),
    {0},
};

static const struct schema_field nodes_fields[] = {
    KEY("aliases", SCHEMA_LIST, nodes.aliases, "localhost:5000", .min = 1, .max = ALIASES_MAX,
        .spell = config_spell_alias, .written = "^" HOST PORT "$"),
    KEY("skipVerify", SCHEMA_BOOL, nodes.skip_verify, "true"),
    KEY("configPath", SCHEMA_ENUM, nodes.config_path, "report", .names = cure_names),
    {0},
};

static const struct schema_field ui_fields[] = {
    KEY("enabled", SCHEMA_BOOL, ui.enabled, "true"),
    KEY("namespace", SCHEMA_STRING, ui.name_space, "hostk8s", .pattern = "^" DNS_LABEL "$",
        .expected =
            "a Kubernetes namespace: at most 63 lower-case letters, digits and inner dashes"),
    KEY("image", SCHEMA_STRING, ui.image, "joxit/docker-registry-ui:2.6.0", IMAGE),
    KEY("replicas", SCHEMA_INTEGER, ui.replicas, "1", .min = 1, .max = REPLICAS_MAX),
    KEY("title", SCHEMA_STRING, ui.title, "HostK8s Registry", .max = TITLE_MAX),
    KEY("url", SCHEMA_STRING, ui.url, "http://localhost:8080", .spell = spell_url,
        .written = "^https?://" HOST "(" PORT ")?/?$"),
    // It stands as it is in an Ingress and in the configuration of the UI's nginx.
    KEY("path", SCHEMA_STRING, ui.path, "/registry/", .max = UI_PATH_MAX,
        .pattern = "^((/[A-Za-z0-9_-]+)+/?|/)$", .written = "^(?!/v2(/|$))", .spell = spell_ui_path,
        .expected = "/ or a path below it: names of letters, digits, _ and - "
                    "between single slashes"),
    KEY("ingressClass", SCHEMA_STRING, ui.ingress_class, "nginx", .max = KUBE_NAME_MAX,
        .pattern = "^" DNS_LABEL "(\\." DNS_LABEL ")*$",
        .expected = "a Kubernetes name: lower-case letters, digits, and inner dashes and dots"),
    KEY("check", SCHEMA_BOOL, ui.check, "true"),
    KEY("gateway", SCHEMA_STRING, ui.gateway, "",
        .pattern = "^(" DNS_LABEL "/" DNS_LABEL "(\\." DNS_LABEL ")*)?$",
        .expected = "NAMESPACE/NAME of a Gateway, or empty"),
    KEY("environment", SCHEMA_MAP, ui.environment, NULL, VARIABLES),
    {0},
};

static const struct schema_field tls_fields[] = {
    KEY("ca", SCHEMA_PATH, docker.ca, NULL),
    KEY("cert", SCHEMA_PATH, docker.cert, NULL),
    KEY("key", SCHEMA_PATH, docker.key, NULL),
    {0},
};

static const struct schema_field docker_fields[] = {
    KEY("host", SCHEMA_STRING, docker.host, "", .spell = config_spell_docker_host,
        .written = "^(unix:///.{0,106}|tcp://" HOST PORT ")?$"),
    TABLE("tls", tls_fields),
    {0},
};

static const struct schema_field kubernetes_fields[] = {
    KEY("kubeconfig", SCHEMA_PATH, kubeconfig, NULL),
    {0},
};

static const struct schema_field backoff_fields[] = {
    KEY("initial", SCHEMA_DURATION, reconcile.backoff.initial_ms, "500ms", .min = 10,
        .max = MINUTE),
    KEY("max", SCHEMA_DURATION, reconcile.backoff.max_ms, "60s", .min = 10, .max = HOUR),
    {0},
};

static const struct schema_field reconcile_fields[] = {
    KEY("poll", SCHEMA_DURATION, reconcile.poll_ms, "10s", .min = SECOND, .max = HOUR),
    KEY("timeout", SCHEMA_DURATION, reconcile.timeout_ms, "10s", .min = 100, .max = 10 * MINUTE),
    TABLE("backoff", backoff_fields),
    {0},
};

static const struct schema_field log_fields[] = {
    KEY("level", SCHEMA_ENUM, log_level, "info", .names = level_names),
    {0},
};

const struct schema_field config_schema[] = {
    TABLE("registry", registry_fields),
    KEY("caches", SCHEMA_ITEMS, caches, NULL, .max = CACHES_MAX, .fields = cache_fields,
        .size = sizeof(struct config_cache)),
    KEY("network", SCHEMA_STRING, network, "kind", .max = NAME_MAX_BYTES,
        .pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$",
        .expected = "the name of a network: letters, digits, _ . and -"),
    KEY("clusters", SCHEMA_LIST, clusters, "hostk8s", .max = CLUSTERS_MAX,
        .pattern = "^[a-z0-9.*?-]+$",
        .expected = "a kind cluster's name: lower-case letters, digits, . and -, with * and ?"),
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
    return restart_names[policy].name;
}
