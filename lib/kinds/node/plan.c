// The difference of a node's files: a hosts.toml for every alias, and none of ours beside.
#include "lib/kinds/node/plan.h"

#include "lib/base/str.h"
#include "lib/kinds/node/current.h"
#include "lib/kinds/node/desired.h"

#include <string.h>

#define LINE_SHOWN_MAX 120

struct planner {
    const struct input *input;
    const struct engine_node *node;
    const struct node_current *current;
    const char *resource;
    const char *content; // that every hosts.toml should have
    struct plan *plan;
    struct action *actions[NODE_OPS]; // by their op, NULL until there is a file to change
    const char *foreign; // the first thing that is in the way, in words; NULL: nothing is
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
    return arena_dup_n(&p->plan->arena, line, length < LINE_SHOWN_MAX ? length : LINE_SHOWN_MAX);
}

// All files of one sort of change are one action, which is one request to the engine. current is
// the content that is there, NULL when there is none.
static void change_file(struct planner *p, enum node_op op, const char *dir, const char *current)
{
    bool writes = op == NODE_HOSTS_WRITE;
    struct plan *plan = p->plan;
    if (p->actions[op] == NULL) {
        const struct action action = {
            .op = (int)op,
            .name = writes ? "hosts-write" : "hosts-remove",
            .verb = writes ? "write" : "remove",
            .resource = p->resource,
            .cluster = p->node->cluster,
            .destructive = !writes,
            .target = p->node->id,
        };
        p->actions[op] = plan_add_action(plan, &action);
    }
    const char *path = path_of(p, dir, "/" NODE_HOSTS_FILE);
    plan_add_file(plan, p->actions[op], dir, writes ? p->content : NULL);
    if (!writes) {
        plan_add_field(plan, p->actions[op], path, "present", NULL);
    } else if (current == NULL) {
        plan_add_field(plan, p->actions[op], path, NULL, "present");
    } else {
        plan_add_field(plan, p->actions[op], path, differing_line(p, current, p->content),
                       differing_line(p, p->content, current));
    }
}

// Something of somebody else's is at the path. sort is what it is, NULL when that is no surprise
// there.
static void set_foreign(struct planner *p, const char *path, const char *sort)
{
    struct arena *arena = &p->plan->arena;
    if (p->foreign == NULL) {
        p->foreign = sort == NULL ? arena_printf(arena, "%s was not made by this program", path)
                                  : arena_printf(arena, "%s is %s, which this program never makes",
                                                 path, sort);
    }
}

static void plan_alias(struct planner *p, const char *alias)
{
    // containerd looks for HOST_PORT_ before HOST:PORT and takes the first directory that exists
    // (core/remotes/docker/config/config_unix.go).
    const char *colon = strrchr(alias, ':');
    const char *shadow = colon == NULL ? ""
                                       : arena_printf(&p->plan->arena, "%.*s_%s_",
                                                      (int)(colon - alias), alias, colon + 1);
    const struct hosts_dir *shadowing = node_current_dir(p->current, shadow);
    if (shadowing != NULL) {
        set_foreign(p, path_of(p, shadow, ""), shadowing->not_directory);
    }

    static const struct hosts_dir absent = {0};
    const struct hosts_dir *found = node_current_dir(p->current, alias);
    const struct hosts_dir *dir = found == NULL ? &absent : found;
    if (dir->not_directory != NULL) {
        set_foreign(p, path_of(p, alias, ""), dir->not_directory);
    } else if (dir->not_file != NULL) {
        set_foreign(p, path_of(p, alias, "/" NODE_HOSTS_FILE), dir->not_file);
    } else if (dir->content != NULL && !hosts_toml_is_own(dir->content) &&
               !hosts_toml_is_script(dir->content)) {
        set_foreign(p, path_of(p, alias, "/" NODE_HOSTS_FILE), NULL);
    } else if (!str_equal(dir->content, p->content)) {
        change_file(p, NODE_HOSTS_WRITE, alias, dir->content);
    }
}

static void set_condition(const struct planner *p)
{
    static const char *const problems[] = {
        [CONFIG_PATH_UNKNOWN] = NULL,
        [CONFIG_PATH_ENABLED] = NULL,
        [CONFIG_PATH_UNSET] = "",
        [CONFIG_PATH_OTHER] = "",
        [CONFIG_PATH_MIRRORS] = " beside the mirrors that are set",
    };
    struct plan *plan = p->plan;
    const char *cluster = p->node->cluster;
    const char *problem = p->input->desired ? problems[p->current->config_path] : NULL;
    if (p->foreign != NULL) {
        plan_set_condition(plan, p->resource, cluster, READY_FALSE, REASON_FOREIGN_FILE,
                           "%s; remove it or drop the alias", p->foreign);
    } else if (plan->action_count > 0) {
        plan_set_condition(plan, p->resource, cluster, READY_FALSE, REASON_CONVERGING,
                           "%s is pending", plan->actions[0]->verb);
    } else if (problem != NULL) {
        plan_set_condition(
            plan, p->resource, cluster, READY_FALSE, REASON_CONFIG_PATH_DISABLED,
            "the node's containerd reads no hosts.toml%s; create the cluster with "
            "containerdConfigPatches that set config_path = \"" NODE_CERTS_DIR "\" below "
            "[plugins.\"io.containerd.grpc.v1.cri\".registry] and no mirrors, or with a newer node "
            "image",
            problem);
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
        .content = hosts_toml_desired(input->config, &ret->arena),
        .plan = ret,
    };
    for (size_t i = 0; input->desired && i < aliases->count; i++) {
        plan_alias(&p, aliases->items[i]);
    }
    for (size_t i = 0; i < p.current->dir_count; i++) {
        const struct hosts_dir *dir = &p.current->dirs[i];
        bool desired = input->desired && strv_contains(aliases, dir->name);
        if (!desired && dir->content != NULL && hosts_toml_is_own(dir->content)) {
            change_file(&p, NODE_HOSTS_REMOVE, dir->name, dir->content);
        }
    }
    set_condition(&p);
}
