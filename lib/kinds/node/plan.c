// The difference of a node's files: a hosts.toml for every alias and every cache, and none of ours
// beside; and a config.toml by which containerd reads them.
#include "lib/kinds/node/plan.h"

#include "lib/base/str.h"
#include "lib/kinds/node/config_edit.h"
#include "lib/kinds/node/config_line.h"
#include "lib/kinds/node/current.h"
#include "lib/kinds/node/desired.h"

#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#define LINE_SHOWN_MAX 120

struct planner {
    const struct input *input;
    const struct engine_node *node;
    const struct node_current *current;
    const char *resource;
    struct plan *plan;
    struct action *actions[NODE_OPS]; // by their op, NULL until there is a file to change
    const struct config_cache *cache; // whose directory is planned, NULL: a name of the registry's
    const char *foreign; // the first thing that is in the way, in words; NULL: nothing is
    enum reason reason;  // of the trouble
    const char *trouble; // that is left when all files are as they should be; NULL: none
};

static const char *path_of(const struct planner *p, const char *dir, const char *file)
{
    return arena_printf(&p->plan->arena, NODE_CERTS_DIR "/%s%s", dir, file);
}

// The first line of text that is not in other.
static const char *differing_line(const struct planner *p, const char *text, const char *other)
{
    const char *line = text;
    for (size_t i = 0; text[i] != '\0' && text[i] == other[i]; i++) {
        line = text[i] == '\n' ? text + i + 1 : line;
    }
    size_t length = strcspn(line, "\n");
    return arena_dup_n(&p->plan->arena, line, MIN(length, LINE_SHOWN_MAX));
}

// The action of this op, of which there is one: it is one request to the engine, or one command.
static struct action *get_action(struct planner *p, enum node_op op)
{
    static const struct action actions[NODE_OPS] = {
        [NODE_HOSTS_WRITE] = {.name = "hosts-write", .verb = "write"},
        [NODE_HOSTS_REMOVE] = {.name = "hosts-remove", .verb = "remove", .destructive = true},
        [NODE_CONFIG_REPAIR] = {.name = "config-repair",
                                .verb = "repair",
                                .destructive = true,
                                .disruptive = true},
        [NODE_CONFIG_RESTORE] = {.name = "config-restore",
                                 .verb = "restore",
                                 .destructive = true,
                                 .disruptive = true},
    };
    if (p->actions[op] == NULL) {
        struct action action = actions[op];
        action.op = (int)op;
        action.resource = p->resource;
        action.cluster = p->node->cluster;
        action.target = p->node->id;
        p->actions[op] = plan_add_action(p->plan, &action);
    }
    return p->actions[op];
}

// current is the content that is there, and desired what it should be; NULL: none.
static void change_file(struct planner *p, const char *dir, const char *current,
                        const char *desired)
{
    struct action *action = get_action(p, desired != NULL ? NODE_HOSTS_WRITE : NODE_HOSTS_REMOVE);
    const char *before = current == NULL ? NULL : "present";
    const char *after = desired == NULL ? NULL : "present";
    if (before != NULL && after != NULL) {
        before = differing_line(p, current, desired);
        after = differing_line(p, desired, current);
    }
    plan_add_file(p->plan, action, dir, desired);
    plan_add_field(p->plan, action, path_of(p, dir, "/" NODE_HOSTS_FILE), before, after);
}

// Something of somebody else's is at the path. sort is what it is, NULL when that is no surprise
// there.
static void set_foreign(struct planner *p, const char *path, const char *sort)
{
    struct arena *arena = &p->plan->arena;
    if (p->foreign == NULL) {
        const char *key = p->cache == NULL ? "nodes.aliases" : "caches";
        const char *is = sort != NULL
                             ? arena_printf(arena, "is %s, which this program never makes", sort)
                             : "was not made by this program";
        p->foreign = arena_printf(arena,
                                  "%s %s; remove it in the node with `docker exec`, or take the "
                                  "name out of %s",
                                  path, is, key);
    }
}

// No script ever wrote into the directory of a cache's upstream.
static void plan_directory(struct planner *p, const char *name)
{
    const char *content = hosts_toml_desired(p->input->config, p->cache, &p->plan->arena);
    // containerd looks for HOST_PORT_ before HOST:PORT and takes the first directory that exists
    // (core/remotes/docker/config/config_unix.go).
    const char *colon = strrchr(name, ':');
    const char *shadow = colon == NULL ? ""
                                       : arena_printf(&p->plan->arena, "%.*s_%s_",
                                                      (int)(colon - name), name, colon + 1);
    const struct hosts_dir *shadowing = node_current_dir(p->current, shadow);
    if (shadowing != NULL) {
        set_foreign(p, path_of(p, shadow, ""), shadowing->not_directory);
    }

    static const struct hosts_dir absent = {0};
    const struct hosts_dir *found = node_current_dir(p->current, name);
    const struct hosts_dir *dir = found == NULL ? &absent : found;
    if (dir->not_directory != NULL) {
        set_foreign(p, path_of(p, name, ""), dir->not_directory);
    } else if (dir->not_file != NULL) {
        set_foreign(p, path_of(p, name, "/" NODE_HOSTS_FILE), dir->not_file);
    } else if (dir->content != NULL && !hosts_toml_is_own(dir->content) &&
               (p->cache != NULL || !hosts_toml_is_script(dir->content))) {
        set_foreign(p, path_of(p, name, "/" NODE_HOSTS_FILE), NULL);
    } else if (!str_equal(dir->content, content)) {
        change_file(p, name, dir->content, content);
    }
}

// ---- config.toml ----

#define FORMER_FILE NODE_CONFIG_DIR "/" NODE_CONFIG_FORMER
#define SETTING "config_path = \"" NODE_CERTS_DIR "\""

static const struct {
    const char *is;      // in config.toml
    const char *problem; // NULL: there is none
} states[] = {
    [CONFIG_PATH_UNKNOWN] = {NULL, NULL},
    [CONFIG_PATH_ENABLED] = {NULL, NULL},
    [CONFIG_PATH_UNSET] = {"no config_path", ""},
    [CONFIG_PATH_OTHER] = {"config_path of other directories", ""},
    [CONFIG_PATH_MIRRORS] = {"mirrors", " beside the mirrors that are set"},
    [CONFIG_PATH_REFUSED] = {"config_path and what excludes it",
                             ", and loads no CRI plugin with both config_path and what excludes "
                             "it: mirrors, or before containerd 2 the tls of configs"},
};

static void set_trouble(struct planner *p, enum reason reason, const char *message)
{
    p->reason = reason;
    p->trouble = message;
}

static void set_disabled(struct planner *p, const char *cure)
{
    set_trouble(p, REASON_CONFIG_PATH_DISABLED,
                arena_printf(&p->plan->arena, "the node's containerd reads no hosts.toml%s; %s",
                             states[p->current->config_path].problem, cure));
}

static void plan_repair(struct planner *p)
{
    const struct node_current *current = p->current;
    _cleanup_free_ char *edited = config_edit(current->config_toml);
    if (edited == NULL) {
        set_disabled(p, "edit " NODE_CONFIG_FILE " by hand, of whose version nothing is known");
    } else if (str_equal(edited, current->config_toml)) {
        set_disabled(p, NODE_CONFIG_FILE " itself needs no edit: mend what it imports, or what it "
                                         "says of registries in another spelling");
    } else if (str_equal(current->former, current->config_toml) && !current->staged) {
        set_disabled(p, NODE_CONFIG_FILE " was edited and is as before again: containerd did not "
                                         "come back with the edit, or somebody took it back; "
                                         "remove " FORMER_FILE " to have it edited once more");
    } else if (!current->set_up) {
        set_trouble(p, REASON_CONVERGING,
                    NODE_CONFIG_FILE " is edited once kubeadm has set the node up");
    } else {
        struct action *action = get_action(p, NODE_CONFIG_REPAIR);
        plan_add_field(p->plan, action, NODE_CONFIG_FILE, states[current->config_path].is, SETTING);
        plan_add_file(p->plan, action, NODE_CONFIG_FORMER, current->config_toml);
        plan_add_file(p->plan, action, NODE_CONFIG_STAGED, edited);
    }
}

static void plan_restore(struct planner *p)
{
    const struct node_current *current = p->current;
    _cleanup_free_ char *edited = config_edit(current->former);
    if (str_equal(current->config_toml, edited) ||
        str_equal(current->config_toml, current->former)) {
        plan_add_field(p->plan, get_action(p, NODE_CONFIG_RESTORE), NODE_CONFIG_FILE, SETTING,
                       "as it was");
    } else {
        set_trouble(p, REASON_FOREIGN_FILE,
                    NODE_CONFIG_FILE " was changed after this program edited it; see to it by "
                                     "hand, then remove " FORMER_FILE);
    }
}

static void plan_config(struct planner *p)
{
    bool disabled = states[p->current->config_path].problem != NULL;
    if (!p->input->desired && p->current->former != NULL) {
        plan_restore(p);
    } else if (p->input->desired && disabled &&
               p->input->config->nodes.config_path == CURE_REPAIR) {
        plan_repair(p);
    } else if (p->input->desired && disabled) {
        set_disabled(p, "set nodes.configPath to repair, or create the cluster with "
                        "containerdConfigPatches that set " SETTING
                        " below [plugins.\"" CONFIG_PLUGIN_2 "\".registry] and no mirrors, or with "
                        "a newer node image");
    }
}

// ---- proxies ----

// HTTPS_PROXY is in nobody's way: where skip_verify has containerd try HTTPS first, it goes on to
// `server`, which is plain HTTP.
static void plan_proxy(struct planner *p)
{
    const struct proxy *proxy = &p->current->proxy;
    const struct config *config = p->input->config;
    const char *name = config->registry.name;
    const char *whom = "the registry";
    const struct config_cache *cache = config->caches;
    while (name != NULL && proxy_exempts(proxy->no_proxy, name, REGISTRY_PORT)) {
        whom = "a cache";
        name = (cache++)->container; // NULL after the last one
    }
    if (name == NULL || proxy->variable == NULL || !p->input->desired || p->trouble != NULL) {
        return;
    }
    set_trouble(
        p, REASON_PROXY_IN_THE_WAY,
        arena_printf(&p->plan->arena,
                     "the node's %s sends pulls from %s to a proxy, since its NO_PROXY has "
                     "no entry %s; create the cluster anew with `NO_PROXY=$NO_PROXY,%s kind "
                     "create cluster ...`, or with that entry in noProxy of "
                     "~/.docker/config.json: a node keeps the variables it was made with",
                     proxy->variable, whom, name, name));
}

// ---- the whole ----

static void set_condition(const struct planner *p)
{
    struct plan *plan = p->plan;
    const char *cluster = p->node->cluster;
    if (p->foreign != NULL) {
        plan_set_condition(plan, p->resource, cluster, READY_FALSE, REASON_FOREIGN_FILE, "%s",
                           p->foreign);
    } else if (plan->action_count > 0) {
        plan_set_condition(plan, p->resource, cluster, READY_FALSE, REASON_CONVERGING,
                           "%s is pending", plan->actions[0]->verb);
    } else if (p->trouble != NULL) {
        plan_set_condition(plan, p->resource, cluster, READY_FALSE, p->reason, "%s", p->trouble);
    } else {
        plan_set_converged(plan, p->resource, cluster);
    }
}

void node_plan(const struct input *input, const void *current, struct plan *ret)
{
    const struct strv *aliases = &input->config->nodes.aliases;
    struct planner p = {
        .input = input,
        .node = engine_node(input->engine, input->name),
        .current = current,
        .resource = arena_printf(&ret->arena, NODE_PREFIX "%s", input->name),
        .plan = ret,
    };
    for (size_t i = 0; input->desired && i < aliases->count; i++) {
        plan_directory(&p, aliases->items[i]);
    }
    for (p.cache = input->config->caches; input->desired && p.cache->upstream != NULL; p.cache++) {
        plan_directory(&p, p.cache->upstream);
    }
    for (size_t i = 0; i < p.current->dir_count; i++) {
        const struct hosts_dir *dir = &p.current->dirs[i];
        bool desired = input->desired && (strv_contains(aliases, dir->name) ||
                                          config_cache_of(input->config, dir->name) != NULL);
        if (!desired && dir->content != NULL && hosts_toml_is_own(dir->content)) {
            change_file(&p, dir->name, dir->content, NULL);
        }
    }
    plan_config(&p);
    plan_proxy(&p);
    set_condition(&p);
}
