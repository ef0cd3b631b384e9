#include "lib/plan/plan.h"

#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/plan/plan_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[_ACTION_TYPE_COUNT] = {
    [ACTION_STORAGE_MAKE] = "storage-make",
    [ACTION_IMAGE_PULL] = "image-pull",
    [ACTION_CONTAINER_CREATE] = "container-create",
    [ACTION_CONTAINER_START] = "container-start",
    [ACTION_CONTAINER_STOP] = "container-stop",
    [ACTION_CONTAINER_UNPAUSE] = "container-unpause",
    [ACTION_CONTAINER_RENAME] = "container-rename",
    [ACTION_CONTAINER_UPDATE] = "container-update",
    [ACTION_CONTAINER_REMOVE] = "container-remove",
    [ACTION_NETWORK_CONNECT] = "network-connect",
    [ACTION_NETWORK_DISCONNECT] = "network-disconnect",
    [ACTION_HOSTS_WRITE] = "hosts-write",
    [ACTION_HOSTS_REMOVE] = "hosts-remove",
    [ACTION_OBJECT_APPLY] = "object-apply",
    [ACTION_OBJECT_DELETE] = "object-delete",
};

const char *action_type_name(enum action_type type)
{
    return type_names[type];
}

void field_diffs_done(struct field_diffs *diffs)
{
    for (size_t i = 0; i < diffs->count; i++) {
        free(diffs->items[i].path);
        free(diffs->items[i].is);
        free(diffs->items[i].should);
    }
    free(diffs->items);
    *diffs = (struct field_diffs){0};
}

static void action_done(struct action *action)
{
    field_diffs_done(&(struct field_diffs){action->fields, action->field_count});
    for (size_t i = 0; i < action->file_count; i++) {
        free(action->files[i].alias);
        free(action->files[i].content);
    }
    free(action->files);
    free(action->resource);
    free(action->target);
    free(action->argument);
    json_decref(action->body);
    free(action->cluster);
    free(action->name_space);
    free(action->name);
    free(action->uid);
}

void plan_done(struct plan *plan)
{
    for (size_t i = 0; i < plan->action_count; i++) {
        action_done(&plan->actions[i]);
    }
    for (size_t i = 0; i < plan->condition_count; i++) {
        condition_done(&plan->conditions[i]);
    }
    free(plan->actions);
    free(plan->conditions);
    *plan = (struct plan){0};
}

void plan_drop_actions(struct plan *plan, const char *resource, bool and_later)
{
    size_t kept = 0;
    bool drops = false;
    for (size_t i = 0; i < plan->action_count; i++) {
        bool own = str_equal(plan->actions[i].resource, resource);
        drops = own || (drops && and_later);
        if (drops) {
            action_done(&plan->actions[i]);
        } else {
            plan->actions[kept++] = plan->actions[i];
        }
    }
    plan->action_count = kept;
}

struct action *plan_add_action(struct plan *plan, const struct action_template *template)
{
    struct action *actions =
        reallocarray(plan->actions, plan->action_count + 1, sizeof(*plan->actions));
    if (actions == NULL) {
        return NULL;
    }
    plan->actions = actions;

    struct action action = {
        .type = template->type,
        .verb = template->verb,
        .destructive = template->destructive,
        .step = template->step,
        .body = json_incref(template->body),
        .kind = template->kind,
    };
    if (str_replace(&action.resource, template->resource) < 0 ||
        str_replace(&action.target, template->target) < 0 ||
        str_replace(&action.argument, template->argument) < 0 ||
        str_replace(&action.cluster, template->cluster) < 0 ||
        str_replace(&action.name_space, template->name_space) < 0 ||
        str_replace(&action.name, template->name) < 0 ||
        str_replace(&action.uid, template->uid) < 0) {
        action_done(&action);
        return NULL;
    }
    actions[plan->action_count] = action;
    return &actions[plan->action_count++];
}

// What the engine or the API says may hold anything; what a user is shown is a line.
static int copy_line(char **target, const char *s)
{
    int r = str_replace(target, s);
    if (*target != NULL) {
        str_make_printable(*target);
    }
    return r;
}

int field_diffs_add(struct field_diffs *diffs, const char *path, const char *is, const char *should)
{
    struct field_diff *items = reallocarray(diffs->items, diffs->count + 1, sizeof(*diffs->items));
    if (items == NULL) {
        return -ENOMEM;
    }
    diffs->items = items;

    struct field_diff field = {0};
    if (copy_line(&field.path, path) < 0 || copy_line(&field.is, is) < 0 ||
        copy_line(&field.should, should) < 0) {
        free(field.path);
        free(field.is);
        free(field.should);
        return -ENOMEM;
    }
    items[diffs->count++] = field;
    return 0;
}

void action_take_diffs(struct action *action, struct field_diffs *diffs)
{
    action->fields = diffs->items;
    action->field_count = diffs->count;
    *diffs = (struct field_diffs){0};
}

int action_add_diff(struct action *action, const char *path, const char *is, const char *should)
{
    struct field_diffs diffs = {action->fields, action->field_count};
    int r = field_diffs_add(&diffs, path, is, should);
    action_take_diffs(action, &diffs);
    return r;
}

int action_add_file(struct action *action, const char *alias, const char *content)
{
    struct plan_file *files =
        reallocarray(action->files, action->file_count + 1, sizeof(*action->files));
    if (files == NULL) {
        return -ENOMEM;
    }
    action->files = files;

    struct plan_file file = {0};
    if (str_replace(&file.alias, alias) < 0 || str_replace(&file.content, content) < 0) {
        free(file.alias);
        free(file.content);
        return -ENOMEM;
    }
    files[action->file_count++] = file;
    return 0;
}

int plan_add_condition(struct plan *plan, const char *resource, const char *cluster,
                       enum ready ready, enum reason reason, const char *format, ...)
{
    struct condition *conditions =
        reallocarray(plan->conditions, plan->condition_count + 1, sizeof(*plan->conditions));
    if (conditions == NULL) {
        return -ENOMEM;
    }
    plan->conditions = conditions;

    va_list args;
    va_start(args, format);
    struct condition condition = {
        .ready = ready, .reason = reason, .message = str_vprintf(format, args)};
    va_end(args);
    if (condition.message == NULL || str_replace(&condition.resource, resource) < 0 ||
        str_replace(&condition.cluster, cluster) < 0) {
        condition_done(&condition);
        return -ENOMEM;
    }
    str_make_printable(condition.message);
    conditions[plan->condition_count++] = condition;
    return 0;
}

int plan_add_converged(struct plan *plan, const char *resource, const char *cluster)
{
    return plan_add_condition(plan, resource, cluster, READY_TRUE, REASON_CONVERGED, "%s", "");
}

bool plan_touches(const struct plan *plan, const char *resource)
{
    for (size_t i = 0; i < plan->action_count; i++) {
        if (str_equal(plan->actions[i].resource, resource)) {
            return true;
        }
    }
    return false;
}

void plan_listen_text(const struct config *config, char *text, size_t size)
{
    (void)snprintf(text, size, "%s:%u", address_bracketed(config->registry.listen_address).text,
                   (unsigned)config->registry.listen_port);
}

bool plan_port_is_taken(const char *engine_text)
{
    return strstr(engine_text, "port is already allocated") != NULL ||
           strstr(engine_text, "address already in use") != NULL;
}

// Of the registry's own containers one may have had it a moment ago.
static const char *port_holder(const struct plan_input *input)
{
    const char *name = input->config->registry.name;
    const char *holder = input->engine == NULL ? NULL : input->engine->port_holder;
    if (holder == NULL || !str_starts_with(holder, name)) {
        return holder;
    }
    const char *rest = holder + strlen(name);
    return *rest == '\0' || str_equal(rest, WORLD_PREVIOUS_SUFFIX) ? NULL : holder;
}

void plan_port_text(const struct plan_input *input, char *text, size_t size)
{
    char listen[PLAN_LISTEN_SIZE];
    plan_listen_text(input->config, listen, sizeof(listen));
    const char *holder = port_holder(input);
    (void)snprintf(text, size, "%s is taken by %s%s; change registry.listen or free the port",
                   listen, holder == NULL ? "another process" : "container ",
                   holder == NULL ? "" : holder);
}

char *resource_container(const struct config *config)
{
    return str_printf("container/%s", config->registry.name);
}

char *resource_network(const struct config *config)
{
    return str_printf("network/%s/%s", config->network, config->registry.name);
}

char *resource_node(const char *container)
{
    return str_printf("node/%s", container);
}

char *resource_object(const char *cluster, enum kube_kind kind, const char *name_space,
                      const char *name)
{
    const char *word = kube_kinds[kind].kind;
    return name_space == NULL ? str_printf("kube/%s/%s/%s", cluster, word, name)
                              : str_printf("kube/%s/%s/%s/%s", cluster, word, name_space, name);
}
