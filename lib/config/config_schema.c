// Every key: its type, its default, its bounds.

#include "lib/config/internal.h"
#include "lib/config/values.h"

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

#define REPLICAS_MAX 10
#define CLUSTERS_MAX 64
#define VARIABLES_MAX 512
#define VARIABLE_NAME_MAX 256
#define IMAGE_MAX 512
#define NAME_MAX_BYTES 128
#define UI_PATH_MAX 128
#define TITLE_MAX 100

// reference.go of github.com/distribution/reference: [DOMAIN/]PATH[:TAG][@DIGEST].
#define DOMAIN_PART "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
#define DOMAIN "(" DOMAIN_PART "(\\." DOMAIN_PART ")*|\\[[0-9a-fA-F:]+])(:[0-9]+)?"
#define COMPONENT "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
#define TAG "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
#define DIGEST "[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
#define IMAGE "^(" DOMAIN "/)?" COMPONENT "(/" COMPONENT ")*(:" TAG ")?(@" DIGEST ")?$"
#define IMAGE_WORDS "an image reference: [HOST[:PORT]/]NAME[:TAG][@DIGEST], the name in lower case"

#define DNS_LABEL "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
#define VARIABLE "^[A-Za-z_][A-Za-z0-9_]*$"
#define VARIABLE_WORDS "letters, digits and underscores, and not begin with a digit"

#define AT(member) offsetof(struct config, member)

static const struct schema_name restart_names[] = {
    {"always", RESTART_ALWAYS},
    {"unless-stopped", RESTART_UNLESS_STOPPED},
    {"on-failure", RESTART_ON_FAILURE},
    {"no", RESTART_NO},
    {NULL, 0},
};

static const struct schema_name level_names[] = {
    {"debug", LOG_LEVEL_DEBUG},     {"info", LOG_LEVEL_INFO},   {"notice", LOG_LEVEL_NOTICE},
    {"warning", LOG_LEVEL_WARNING}, {"error", LOG_LEVEL_ERROR}, {NULL, 0},
};

static const struct schema_field registry_fields[] = {
    {
        .key = "name",
        .type = SCHEMA_STRING,
        .offset = AT(registry.name),
        .fallback = "hostk8s-registry",
        .check = config_check_registry_name,
    },
    {
        .key = "image",
        .type = SCHEMA_STRING,
        .offset = AT(registry.image),
        .fallback = "registry:2",
        .max = IMAGE_MAX,
        .pattern = IMAGE,
        .expected = IMAGE_WORDS,
    },
    {
        .key = "listen",
        .type = SCHEMA_CUSTOM,
        .offset = AT(registry),
        .fallback = "127.0.0.1:5002",
        .codec = &config_listen_codec,
    },
    {
        .key = "allowRemote",
        .type = SCHEMA_BOOL,
        .offset = AT(registry.allow_remote),
        .fallback = "false",
    },
    {
        .key = "storage",
        .type = SCHEMA_PATH,
        .offset = AT(registry.storage),
        .fallback = "~/.local/share/hostk8s/registry",
        .min = 1,
        .pattern = "^/[^:]+$",
        .expected = "a directory other than /, without a colon in its path",
    },
    {
        .key = "restart",
        .type = SCHEMA_ENUM,
        .offset = AT(registry.restart),
        .fallback = "always",
        .names = restart_names,
    },
    {
        .key = "delete",
        .type = SCHEMA_BOOL,
        .offset = AT(registry.delete_enabled),
        .fallback = "true",
    },
    {
        .key = "environment",
        .type = SCHEMA_STRING_MAP,
        .offset = AT(registry.environment),
        .max = VARIABLES_MAX,
        .pattern = VARIABLE,
        .expected = VARIABLE_WORDS,
    },
    {0},
};

static const struct schema_field nodes_fields[] = {
    {
        .key = "aliases",
        .type = SCHEMA_STRINGS,
        .offset = AT(nodes.aliases),
        .fallback = "localhost:5000",
        .min = 1,
        .max = ALIASES_MAX,
        .check = config_check_alias,
    },
    {
        .key = "skipVerify",
        .type = SCHEMA_BOOL,
        .offset = AT(nodes.skip_verify),
        .fallback = "true",
    },
    {0},
};

static const struct schema_field ui_fields[] = {
    {
        .key = "enabled",
        .type = SCHEMA_BOOL,
        .offset = AT(ui.enabled),
        .fallback = "true",
    },
    {
        .key = "namespace",
        .type = SCHEMA_STRING,
        .offset = AT(ui.name_space),
        .fallback = "hostk8s",
        .pattern = "^" DNS_LABEL "$",
        .expected = "a Kubernetes namespace: at most 63 lower-case letters, digits and inner "
                    "dashes",
    },
    {
        .key = "image",
        .type = SCHEMA_STRING,
        .offset = AT(ui.image),
        .fallback = "joxit/docker-registry-ui:static",
        .max = IMAGE_MAX,
        .pattern = IMAGE,
        .expected = IMAGE_WORDS,
    },
    {
        .key = "replicas",
        .type = SCHEMA_INTEGER,
        .offset = AT(ui.replicas),
        .fallback = "1",
        .min = 1,
        .max = REPLICAS_MAX,
    },
    {
        .key = "title",
        .type = SCHEMA_STRING,
        .offset = AT(ui.title),
        .fallback = "HostK8s Registry",
        .max = TITLE_MAX,
    },
    {
        .key = "url",
        .type = SCHEMA_CUSTOM,
        .offset = AT(ui.url),
        .fallback = "http://localhost:8080",
        .codec = &config_url_codec,
    },
    {
        // Becomes part of a regular expression in an Ingress, hence no dots.
        .key = "path",
        .type = SCHEMA_CUSTOM,
        .offset = AT(ui.path),
        .fallback = "/registry/",
        .max = UI_PATH_MAX,
        .pattern = "^(/[A-Za-z0-9_-]+)+/?$",
        .expected = "a path below /: names of letters, digits, _ and - between single slashes",
        .codec = &config_path_codec,
    },
    {
        .key = "ingressClass",
        .type = SCHEMA_STRING,
        .offset = AT(ui.ingress_class),
        .fallback = "nginx",
        .max = 253, // a DNS subdomain name in Kubernetes
        .pattern = "^" DNS_LABEL "(\\." DNS_LABEL ")*$",
        .expected = "a Kubernetes name: lower-case letters, digits, and inner dashes and dots",
    },
    {
        .key = "environment",
        .type = SCHEMA_STRING_MAP,
        .offset = AT(ui.environment),
        .max = VARIABLES_MAX,
        .pattern = VARIABLE,
        .expected = VARIABLE_WORDS,
    },
    {0},
};

static const struct schema_field tls_fields[] = {
    {.key = "ca", .type = SCHEMA_PATH, .offset = AT(docker.ca)},
    {.key = "cert", .type = SCHEMA_PATH, .offset = AT(docker.cert)},
    {.key = "key", .type = SCHEMA_PATH, .offset = AT(docker.key)},
    {0},
};

#define DOCKER_HOST_FIELD                                                                          \
    {                                                                                              \
        .key = "host", .type = SCHEMA_CUSTOM, .offset = AT(docker.host),                           \
        .fallback = "unix:///var/run/docker.sock", .codec = &config_docker_host_codec,             \
    }

const struct schema_field config_docker_host_field = DOCKER_HOST_FIELD;

static const struct schema_field docker_fields[] = {
    DOCKER_HOST_FIELD,
    {.key = "tls", .type = SCHEMA_TABLE, .fields = tls_fields},
    {0},
};

static const struct schema_field kubernetes_fields[] = {
    {.key = "kubeconfig", .type = SCHEMA_PATH, .offset = AT(kubeconfig)},
    {0},
};

static const struct schema_field backoff_fields[] = {
    {
        .key = "initial",
        .type = SCHEMA_DURATION,
        .offset = AT(reconcile.backoff.initial_ms),
        .fallback = "500ms",
        .min = 10,
        .max = MINUTE,
    },
    {
        .key = "max",
        .type = SCHEMA_DURATION,
        .offset = AT(reconcile.backoff.max_ms),
        .fallback = "60s",
        .min = 10,
        .max = HOUR,
    },
    {0},
};

static const struct schema_field reconcile_fields[] = {
    {
        .key = "poll",
        .type = SCHEMA_DURATION,
        .offset = AT(reconcile.poll_ms),
        .fallback = "10s",
        .min = SECOND,
        .max = HOUR,
    },
    {
        .key = "timeout",
        .type = SCHEMA_DURATION,
        .offset = AT(reconcile.timeout_ms),
        .fallback = "10s",
        .min = 100,
        .max = 10 * MINUTE,
    },
    {.key = "backoff", .type = SCHEMA_TABLE, .fields = backoff_fields},
    {0},
};

static const struct schema_field log_fields[] = {
    {
        .key = "level",
        .type = SCHEMA_ENUM,
        .offset = AT(log_level),
        .fallback = "info",
        .names = level_names,
    },
    {0},
};

const struct schema_field config_schema[] = {
    {.key = "registry", .type = SCHEMA_TABLE, .fields = registry_fields},
    {
        .key = "network",
        .type = SCHEMA_STRING,
        .offset = AT(network),
        .fallback = "kind",
        .max = NAME_MAX_BYTES,
        .pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$",
        .expected = "the name of a network: letters, digits, _ . and -",
    },
    {
        .key = "clusters",
        .type = SCHEMA_STRINGS,
        .offset = AT(clusters),
        .fallback = "hostk8s",
        .max = CLUSTERS_MAX,
        .pattern = "^[a-z0-9.*?-]+$",
        .expected = "a kind cluster's name: lower-case letters, digits, . and -, with * and ?",
    },
    {.key = "nodes", .type = SCHEMA_TABLE, .fields = nodes_fields},
    {.key = "ui", .type = SCHEMA_TABLE, .fields = ui_fields},
    {.key = "docker", .type = SCHEMA_TABLE, .fields = docker_fields},
    {.key = "kubernetes", .type = SCHEMA_TABLE, .fields = kubernetes_fields},
    {.key = "reconcile", .type = SCHEMA_TABLE, .fields = reconcile_fields},
    {.key = "log", .type = SCHEMA_TABLE, .fields = log_fields},
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
