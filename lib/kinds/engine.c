#include "lib/kinds/engine.h"

#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/doc/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#define ID_LENGTH 64
#define SHORT_ID_LENGTH 12
#define MOVING_S 3
// kubeadm waits for four minutes until the API server answers, and kind has begun before.
#define NEW_S (5 * 60)

static int compare_node(const void *name, const void *node)
{
    return strcmp(name, ((const struct engine_node *)node)->name);
}

const struct engine_node *engine_node(const struct engine *engine, const char *name)
{
    return engine->node_count == 0 ? NULL
                                   : bsearch(name, engine->nodes, engine->node_count,
                                             sizeof(*engine->nodes), compare_node);
}

const struct engine_node *engine_first_control_plane(const struct engine *engine,
                                                     const char *cluster)
{
    for (size_t i = 0; i < engine->node_count; i++) {
        const struct engine_node *node = &engine->nodes[i];
        if (node->role == NODE_CONTROL_PLANE && str_equal(node->cluster, cluster)) {
            return node;
        }
    }
    return NULL;
}

const struct engine_api *engine_api(const struct engine *engine, const char *cluster)
{
    for (size_t i = 0; i < engine->api_count; i++) {
        if (str_equal(engine->apis[i].cluster, cluster)) {
            return &engine->apis[i];
        }
    }
    return NULL;
}

bool engine_node_is_moving(const struct engine *engine, const struct engine_node *node)
{
    int64_t since_s = MAX(node->stopped_s, node->created_s);
    return !node->running && since_s > 0 && engine->now_s - since_s < MOVING_S;
}

bool engine_cluster_is_new(const struct engine *engine, const char *cluster)
{
    const struct engine_node *node = engine_first_control_plane(engine, cluster);
    return node != NULL && node->running && node->created_s > 0 &&
           engine->now_s - node->created_s < NEW_S;
}

bool engine_has_cluster(const struct engine *engine, const char *cluster)
{
    bool has = engine_api(engine, cluster) != NULL;
    for (size_t i = 0; i < engine->node_count && !has; i++) {
        has = str_equal(engine->nodes[i].cluster, cluster);
    }
    return has;
}

// "name=userns", "name=seccomp,profile=builtin"
static bool has_option(const json_t *info, const char *name)
{
    bool has = false;
    size_t index = 0;
    json_t *option = NULL;
    json_array_foreach (json_get_array(info, "SecurityOptions", NULL), index, option) {
        const char *text = json_string_value(option);
        has = has || (text != NULL && str_starts_with(text, "name=") &&
                      str_starts_with(text + strlen("name="), name) &&
                      strchr(",", text[strlen("name=") + strlen(name)]) != NULL);
    }
    return has;
}

// With user namespaces docker keeps what is its own in a directory of the name UID.GID
// (https://docs.docker.com/engine/security/userns-remap/).
static unsigned root_user(const json_t *info)
{
    const char *root = json_get_string(info, "DockerRootDir", NULL);
    const char *slash = root == NULL ? NULL : strrchr(root, '/');
    _cleanup_free_ char *number =
        slash == NULL ? NULL : str_dup_n(slash + 1, strcspn(slash + 1, "."));
    uint64_t user = 0;
    return number != NULL && str_to_u64(number, UINT32_MAX, &user) == 0 ? (unsigned)user : 0;
}

void engine_set_about(struct engine *engine, const char *host, const char *origin, bool podman,
                      const json_t *info)
{
    struct arena *arena = &engine->arena;
    const char *version = json_get_string(info, "ServerVersion", NULL);
    const char *system = json_get_string(info, "OperatingSystem", NULL);
    const char *machine = json_get_string(info, "Architecture", NULL);
    bool user_namespaces = has_option(info, "userns");
    engine->about = (struct engine_about){
        .host = arena_dup(arena, host),
        .origin = arena_dup(arena, origin),
        .product = podman ? "Podman" : "Docker",
        .version = arena_dup(arena, version == NULL ? "" : version),
        .system = arena_dup(arena, system == NULL ? "" : system),
        .machine = arena_dup(arena, machine == NULL ? "" : machine),
        .rootless = has_option(info, "rootless"),
        .user_namespaces = user_namespaces,
        .root_user = user_namespaces ? root_user(info) : 0,
        .selinux = has_option(info, "selinux"),
    };
}

char *engine_about_text(const struct engine_about *about)
{
    return str_printf(
        "%s; %s%s%s%s%s%s%s%s", about->origin, about->product, about->version[0] == '\0' ? "" : " ",
        about->version, about->system[0] == '\0' ? "" : " on ", about->system,
        about->rootless ? ", rootless" : "", about->user_namespaces ? ", user namespaces" : "",
        about->selinux ? ", SELinux" : "");
}

void engine_published_host(const char *engine_host, const char *address, char *host, size_t size)
{
    static const struct {
        const char *wildcard;
        const char *loopback;
    } wildcards[] = {{"", "127.0.0.1"}, {"0.0.0.0", "127.0.0.1"}, {"::", "::1"}};

    static const char scheme[] = "tcp://";
    const char *remote = engine_host;
    if (str_starts_with(remote, scheme)) {
        remote += strlen(scheme);
        const char *port = strrchr(remote, ':');
        size_t length = port == NULL ? strlen(remote) : (size_t)(port - remote);
        (void)snprintf(host, size, "%.*s", (int)length, remote);
        return;
    }
    for (size_t i = 0; i < ELEMENTS(wildcards); i++) {
        if (str_equal(address, wildcards[i].wildcard)) {
            address = wildcards[i].loopback;
            break;
        }
    }
    (void)snprintf(host, size, "%s", address_bracketed(address).text);
}

static const char *name_of(const struct engine *engine, const char *id)
{
    for (size_t i = 0; engine != NULL && i < engine->node_count; i++) {
        if (strncmp(engine->nodes[i].id, id, ID_LENGTH) == 0) {
            return engine->nodes[i].name;
        }
    }
    return NULL;
}

void engine_name_ids(const struct engine *engine, struct error *err)
{
    _cleanup_free_ char *text = str_dup(err->text);
    char *to = err->text;
    for (const char *from = text; *from != '\0';) {
        size_t length = strspn(from, "0123456789abcdef");
        const char *name = length == ID_LENGTH ? name_of(engine, from) : NULL;
        bool fits = name != NULL && strlen(name) <= ID_LENGTH;
        size_t kept = fits                  ? strlen(name)
                      : length == ID_LENGTH ? SHORT_ID_LENGTH
                      : length > 0          ? length
                                            : 1;
        memcpy(to, fits ? name : from, kept);
        to += kept;
        from += length > 0 ? length : 1;
    }
    *to = '\0';
}

struct engine *engine_ref(struct engine *engine)
{
    if (engine != NULL) {
        engine->refs++;
    }
    return engine;
}

void engine_unref(struct engine *engine)
{
    if (engine != NULL && --engine->refs == 0) {
        arena_done(&engine->arena);
        free(engine);
    }
}
