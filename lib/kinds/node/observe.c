// The files of a node. A HEAD of a file costs the engine a millisecond, a GET of an archive forty
// times as much, and an exec still more. So the paths that matter are stamped (size, modification
// time …). Only when a stamp is another than before are the files read, and the node's containerd
// asked where config.toml leaves a doubt. Stamps are taken before the content: what changes in
// between shows in the next observation. The container's variables are asked for once: they stay.
//
// That containerd could not say (no shell, a config.toml that it refuses) is kept like an answer:
// the end of an exec is an event that makes the key due, so that asking in each observation would
// never end.
#include "lib/kinds/node/observe.h"

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/io.h"
#include "lib/kinds/node/current.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

// kubeadm makes it when it has asked containerd all that it asks before kubelet does.
#define KUBELET_CONF "/etc/kubernetes/kubelet.conf"
#define STAMPS_BYTES_MAX (16u * 1024u * 1024u) // more than the engine's client lets through

struct observation {
    struct docker *docker;
    const struct engine_node *node;
    memory_t *memory; // struct node_current: what was read last
    observe_done_fn done;
    void *ctx;
    struct node_current *current; // that is being made
    size_t fixed;                 // so many of its paths matter always; imports follow
    size_t stamped;               // so many of its paths are
    struct buf stamps;            // their text
    size_t fixed_length;          // of that, of the fixed ones
    char *config_toml;            // NULL until the files were read
};

static void observation_free(struct observation *o)
{
    node_current_unref(o->current);
    buf_done(&o->stamps);
    free(o->config_toml);
    free(o);
}

// current NULL: with err.
static void end(struct observation *o, struct node_current *current, const struct error *err)
{
    o->done(o->ctx, current == NULL ? NULL : node_current_ref(current), err);
    observation_free(o);
}

// Keeps what was read for the next observation.
static void end_with_new(struct observation *o, enum config_path config_path)
{
    o->current->config_path = config_path;
    o->current->stamps = arena_dup(&o->current->arena, buf_str(&o->stamps));
    if (config_path != CONFIG_PATH_ENABLED || o->current->former != NULL) {
        o->current->config_toml = arena_dup(&o->current->arena, o->config_toml);
    }
    node_current_unref(*o->memory);
    *o->memory = node_current_ref(o->current);
    end(o, o->current, NULL);
}

static int observe_on(struct observation *o, struct error *err);

static void go_on(struct observation *o)
{
    struct error error = {0};
    if (observe_on(o, &error) < 0) {
        end(o, NULL, &error);
    }
}

static void on_stamp(void *ctx, const char *stamp, const struct error *err)
{
    struct observation *o = ctx;
    if (err != NULL) {
        end(o, NULL, err);
        return;
    }
    const char *path = o->current->paths[o->stamped];
    (void)buf_printf(&o->stamps, "%s %s\n", path, stamp == NULL ? "" : stamp);
    o->current->set_up |= stamp != NULL && str_equal(path, KUBELET_CONF);
    if (++o->stamped == o->fixed) {
        o->fixed_length = o->stamps.length;
    }
    go_on(o);
}

// ---- the files ----

static void add_import(struct observation *o, const char *path)
{
    if (o->current->path_count < o->fixed + CONFIG_IMPORTS_MAX) {
        node_current_add_path(o->current, path);
    }
}

// What is imported matters, too: each file, and for a pattern also the directory in which another
// one may appear. Which files outside of NODE_CONFIG_DIR match a pattern is not known.
static void add_imports(struct observation *o, const struct docker_file *files, size_t count)
{
    _cleanup_(strv_done) struct strv imports = {0};
    config_path_imports(o->config_toml, &imports);
    for (size_t i = 0; i < imports.count; i++) {
        const char *pattern = imports.items[i];
        size_t literal = strcspn(pattern, "*?[");
        bool is_pattern = pattern[literal] != '\0';
        while (is_pattern && literal > 1 && pattern[literal] != '/') {
            literal--;
        }
        _cleanup_free_ char *path = str_dup_n(pattern, literal);
        add_import(o, path);
        for (size_t j = 0; is_pattern && j < count; j++) {
            _cleanup_free_ char *file = str_printf("/etc/%s", files[j].path);
            if (fnmatch(pattern, file, FNM_PATHNAME) == 0) {
                add_import(o, file);
            }
        }
    }
}

// config.toml, what it was before, what it may import, and the directories of certs.d with their
// hosts.toml. The paths begin with the last part of NODE_CONFIG_DIR.
static bool is_selected(const char *path)
{
    static const char certs[] = "containerd/" NODE_CERTS "/";
    return str_ends_with(path, ".toml") ||
           str_starts_with(path, "containerd/" NODE_CONFIG_FORMER) ||
           (str_starts_with(path, certs) && strchr(path + strlen(certs), '/') == NULL);
}

static void on_files(void *ctx, const struct docker_file *files, size_t count,
                     const struct error *err)
{
    struct observation *o = ctx;
    if (err != NULL && err->status != 404) { // without that directory there is nothing
        end(o, NULL, err);
        return;
    }
    str_replace(&o->config_toml, "");
    for (size_t i = 0; i < count; i++) {
        const char *path = strchr(files[i].path, '/');
        const char *content = files[i].content;
        if (path != NULL && str_equal(path, "/config.toml") && content != NULL) {
            str_replace(&o->config_toml, content);
        } else if (path != NULL && str_equal(path, "/" NODE_CONFIG_FORMER)) {
            o->current->former = arena_dup(&o->current->arena, content);
        } else if (path != NULL && str_equal(path, "/" NODE_CONFIG_STAGED)) {
            o->current->staged = true;
        } else if (path != NULL) {
            node_current_add_file(o->current, path + 1, content, files[i].special);
        }
    }
    o->current->path_count = o->stamped = o->fixed;
    buf_truncate(&o->stamps, o->fixed_length);
    add_imports(o, files, count);
    go_on(o);
}

// ---- the variables ----

static void on_container(void *ctx, json_t *answer, const struct error *err)
{
    struct observation *o = ctx;
    if (err != NULL) {
        end(o, NULL, err);
        return;
    }
    o->current->proxy =
        proxy_decode(json_get_array(answer, "Config", "Env", NULL), &o->current->arena);
    o->current->has_proxy = true;
    go_on(o);
}

// ---- the whole ----

static void on_asked(void *ctx, int exit_code, const char *output, const struct error *err)
{
    struct observation *o = ctx;
    if (err != NULL && err->kind != ERROR_PERMANENT) {
        end(o, NULL, err);
    } else {
        bool answered = err == NULL && exit_code == 0;
        end_with_new(o, answered ? config_path_decode(output) : CONFIG_PATH_UNKNOWN);
    }
}

// The next request, or the end. Stamps are taken one after the other: the engine has a lock for
// each container, side by side they would only wait.
static int observe_on(struct observation *o, struct error *err)
{
    struct node_current *known = *o->memory;
    const char *id = o->node->id;
    if (o->stamped < o->current->path_count) {
        return docker_path_stamp(o->docker, id, o->current->paths[o->stamped], on_stamp, o, err);
    }
    if (o->config_toml == NULL) {
        // The files, if they are read, are no older than what was told of by now.
        o->current->writes = o->node->writes;
        if (known->writes == o->node->writes && str_equal(buf_str(&o->stamps), known->stamps)) {
            end(o, known, NULL);
            return 0;
        }
        return docker_archive_get(o->docker, id, NODE_CONFIG_DIR, is_selected, on_files, o, err);
    }
    if (!o->current->has_proxy) {
        return docker_ask(o->docker, DOCKER_INSPECT, id, NULL, NULL, on_container, o, err);
    } else if (config_path_is_plain(o->config_toml)) {
        end_with_new(o, CONFIG_PATH_ENABLED);
    } else {
        return docker_exec(o->docker, id, config_path_command, API_READS, on_asked, o, err);
    }
    return 0;
}

static void add_hosts_file(struct node_current *current, const char *name)
{
    _cleanup_free_ char *path = str_printf(NODE_CERTS_DIR "/%s/" NODE_HOSTS_FILE, name);
    node_current_add_path(current, path);
}

// What is stamped in any case.
static void add_fixed_paths(struct node_current *current, const struct config *config)
{
    const struct strv *aliases = &config->nodes.aliases;
    node_current_add_path(current, NODE_CONFIG_FILE);
    node_current_add_path(current, NODE_CERTS_DIR);
    for (size_t i = 0; i < aliases->count; i++) {
        add_hosts_file(current, aliases->items[i]);
    }
    for (const struct config_cache *cache = config->caches; cache->upstream != NULL; cache++) {
        add_hosts_file(current, cache->upstream);
    }
    if (config->nodes.config_path == CURE_REPAIR) {
        node_current_add_path(current, NODE_CONFIG_DIR "/" NODE_CONFIG_FORMER);
        node_current_add_path(current, KUBELET_CONF);
    }
}

int node_observe(struct io *io, memory_t *memory, const struct input *input, observe_done_fn done,
                 void *ctx, struct error *err)
{
    const struct engine_node *node = engine_node(input->engine, input->name);
    if (node == NULL || !node->running) {
        return error_set(err, ERROR_CONFLICT, EHOSTDOWN, "node %s is not running", input->name);
    }
    if (io->docker == NULL) {
        return error_set(err, ERROR_TRANSIENT, ENOTCONN, "engine: not connected");
    }
    const struct node_current *known = *memory;
    if (known == NULL || !str_equal(known->id, node->id)) {
        node_current_unref(TAKE_PTR(*memory));
        *memory = node_current_new(node->id); // so much is known, for a cancel
        known = *memory;
    }
    struct observation *o = xcalloc(1, sizeof(*o));
    *o = (struct observation){
        .docker = io->docker,
        .node = node,
        .memory = memory,
        .done = done,
        .ctx = ctx,
        .current = node_current_new(node->id),
        .stamps = BUF_INIT(STAMPS_BYTES_MAX),
    };
    add_fixed_paths(o->current, input->config);
    o->fixed = o->current->path_count;
    for (size_t i = o->fixed; i < known->path_count; i++) {
        node_current_add_path(o->current, known->paths[i]);
    }
    o->current->has_proxy = known->has_proxy;
    o->current->proxy = known->proxy;
    o->current->proxy.no_proxy = arena_dup(&o->current->arena, known->proxy.no_proxy);
    int r = observe_on(o, err);
    if (r < 0) {
        observation_free(o);
    }
    return r;
}
