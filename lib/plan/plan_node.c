// The key "node/CONTAINER": a hosts.toml for every alias, and none of ours beside.
#include "lib/plan/plan.h"

#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "lib/plan/plan_internal.h"

#include <errno.h>
#include <string.h>

#define HOSTS_BYTES_MAX (64u * 1024u)
#define LINE_MAX_SHOWN 120

struct node_plan {
    const struct plan_input *input;
    const struct world_node *node;
    const struct world_node_files *files;
    const char *content; // what every alias is to have
    const char *resource;
    struct plan plan;
    // Borrowed from plan until the next action: every write comes before the first removal.
    struct action *write;
    struct action *removal;
    char *foreign; // what the first file or directory is that is in the way, and where
};

static bool is_own(const struct world_hosts_dir *dir)
{
    return dir->content != NULL && str_starts_with(dir->content, DESIRED_HOSTS_MARK);
}

static char *dir_path(const char *dir)
{
    return str_printf("%s/%s/%s", WORLD_CERTS_PARENT, WORLD_CERTS_DIR, dir);
}

static char *hosts_path(const char *dir)
{
    return str_printf("%s/%s/%s/%s", WORLD_CERTS_PARENT, WORLD_CERTS_DIR, dir, WORLD_HOSTS_FILE);
}

// instead: what it is when it is not what the path is for, NULL when it is. Frees path.
static int note_foreign(struct node_plan *p, char *path, const char *instead)
{
    if (path != NULL && p->foreign == NULL) {
        p->foreign = instead == NULL
                         ? str_printf("%s was not made by this program", path)
                         : str_printf("%s is %s, which this program never makes", path, instead);
    }
    free(path);
    return p->foreign == NULL ? -ENOMEM : 0;
}

static size_t line_length(const char *at)
{
    size_t length = strcspn(at, "\n");
    return length < LINE_MAX_SHOWN ? length : LINE_MAX_SHOWN;
}

// The first line that differs, of both texts.
static int add_line_diff(struct action *action, const char *path, const char *is,
                         const char *should)
{
    if (is == NULL) {
        return action_add_diff(action, path, NULL, "present");
    }
    while (*is != '\0' && *should != '\0' && strcspn(is, "\n") == strcspn(should, "\n") &&
           memcmp(is, should, strcspn(is, "\n")) == 0) {
        is += strcspn(is, "\n");
        should += strcspn(should, "\n");
        is += *is == '\n' ? 1 : 0;
        should += *should == '\n' ? 1 : 0;
    }
    _cleanup_free_ char *is_line = str_dup_n(is, line_length(is));
    _cleanup_free_ char *should_line = str_dup_n(should, line_length(should));
    if (is_line == NULL || should_line == NULL) {
        return -ENOMEM;
    }
    return action_add_diff(action, path, is_line, should_line);
}

// All files of one kind of change are one action: one request to the engine.
static struct action *node_action(struct node_plan *p, enum action_type type)
{
    bool writes = type == ACTION_HOSTS_WRITE;
    return plan_add_action(&p->plan, &(struct action_template){.type = type,
                                                               .verb = writes ? "write" : "remove",
                                                               .resource = p->resource,
                                                               .destructive = !writes,
                                                               .target = p->node->name,
                                                               .cluster = p->node->cluster});
}

static int add_write(struct node_plan *p, const char *alias, const char *is)
{
    _cleanup_free_ char *path = hosts_path(alias);
    if (path == NULL) {
        return -ENOMEM;
    }
    if (p->write == NULL) {
        p->write = node_action(p, ACTION_HOSTS_WRITE);
    }
    if (p->write == NULL || action_add_file(p->write, alias, p->content) < 0) {
        return -ENOMEM;
    }
    return add_line_diff(p->write, path, is, p->content);
}

static int add_removal(struct node_plan *p, const char *dir)
{
    _cleanup_free_ char *path = hosts_path(dir);
    if (path == NULL) {
        return -ENOMEM;
    }
    if (p->removal == NULL) {
        p->removal = node_action(p, ACTION_HOSTS_REMOVE);
    }
    if (p->removal == NULL || action_add_file(p->removal, dir, NULL) < 0) {
        return -ENOMEM;
    }
    return action_add_diff(p->removal, path, "present", NULL);
}

// containerd looks for HOST_PORT_ before HOST:PORT and takes the first directory there is
// (core/remotes/docker/config/config_unix.go).
static int check_shadow(struct node_plan *p, const char *alias)
{
    const char *colon = strrchr(alias, ':');
    if (colon == NULL) {
        return 0;
    }
    _cleanup_free_ char *name = str_printf("%.*s_%s_", (int)(colon - alias), alias, colon + 1);
    if (name == NULL) {
        return -ENOMEM;
    }
    const struct world_hosts_dir *dir = world_node_files_dir(p->files, name);
    return dir == NULL ? 0 : note_foreign(p, dir_path(name), dir->not_directory);
}

static int plan_alias(struct node_plan *p, const char *alias)
{
    int r = check_shadow(p, alias);
    if (r < 0) {
        return r;
    }
    const struct world_hosts_dir *dir = world_node_files_dir(p->files, alias);
    if (dir != NULL && dir->not_directory != NULL) {
        return note_foreign(p, dir_path(alias), dir->not_directory);
    }
    if (dir != NULL && dir->not_file != NULL) {
        return note_foreign(p, hosts_path(alias), dir->not_file);
    }
    if (dir == NULL || dir->content == NULL) {
        return add_write(p, alias, NULL);
    }
    if (str_equal(dir->content, p->content)) {
        return 0;
    }
    if (is_own(dir) || desired_hosts_is_script(dir->content)) {
        return add_write(p, alias, dir->content);
    }
    return note_foreign(p, hosts_path(alias), NULL);
}

static int plan_files(struct node_plan *p)
{
    const struct strv *aliases = &p->input->config->nodes.aliases;
    for (size_t i = 0; p->input->wanted && i < aliases->count; i++) {
        int r = plan_alias(p, aliases->items[i]);
        if (r < 0) {
            return r;
        }
    }
    for (size_t i = 0; i < p->files->dir_count; i++) {
        const struct world_hosts_dir *dir = &p->files->dirs[i];
        bool wanted = p->input->wanted && strv_contains(aliases, dir->name);
        int r = is_own(dir) && !wanted ? add_removal(p, dir->name) : 0;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int judge(struct node_plan *p)
{
    struct plan *plan = &p->plan;
    const char *cluster = p->node->cluster;
    if (p->foreign != NULL) {
        return plan_add_condition(plan, p->resource, cluster, READY_FALSE, REASON_FOREIGN_FILE,
                                  "%s; remove it or drop the alias", p->foreign);
    }
    if (plan->action_count > 0) {
        return plan_add_condition(plan, p->resource, cluster, READY_FALSE, REASON_CONVERGING,
                                  "%s is pending", plan->actions[0].verb);
    }
    if (p->input->wanted && p->files->config_path == CONFIG_PATH_DISABLED) {
        return plan_add_condition(
            plan, p->resource, cluster, READY_FALSE, REASON_CONFIG_PATH_DISABLED,
            "the node's containerd reads no hosts.toml; create the cluster with "
            "containerdConfigPatches that set config_path = \"%s/%s\" below "
            "[plugins.\"io.containerd.grpc.v1.cri\".registry] and no mirrors, or with a newer node "
            "image",
            WORLD_CERTS_PARENT, WORLD_CERTS_DIR);
    }
    return plan_add_converged(plan, p->resource, cluster);
}

static int plan_observed(struct node_plan *p)
{
    int r = plan_files(p);
    return r < 0 ? r : judge(p);
}

static void node_plan_done(struct node_plan *p)
{
    plan_done(&p->plan);
    free(p->foreign);
}

int plan_node(const struct plan_input *input, const char *node,
              const struct world_node_files *files, struct plan *ret, struct error *err)
{
    const struct world_node *known =
        input->engine == NULL ? NULL : world_engine_node(input->engine, node);
    _cleanup_free_ char *resource = resource_node(node);
    _cleanup_buf_ struct buf content = BUF_INIT(HOSTS_BYTES_MAX);
    if (resource == NULL || desired_hosts_toml(input->config, &content) < 0) {
        return error_oom(err);
    }
    _cleanup_(node_plan_done) struct node_plan p = {.input = input,
                                                    .node = known,
                                                    .files = files,
                                                    .content = buf_str(&content),
                                                    .resource = resource};
    bool absent = known == NULL || !known->running || files == NULL;
    int r = absent ? plan_add_condition(&p.plan, resource, known == NULL ? NULL : known->cluster,
                                        READY_FALSE, REASON_NODE_NOT_RUNNING, PLAN_NODE_NOT_RUNNING,
                                        node)
                   : plan_observed(&p);
    if (r < 0) {
        return error_oom(err);
    }
    *ret = TAKE_STRUCT(p.plan);
    return 0;
}
