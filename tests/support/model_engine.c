#include "tests/support/model_engine.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/desired/desired.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct model_engine *model_engine_new(void)
{
    struct model_engine *model = calloc(1, sizeof(*model));
    assert_non_null(model);
    model->world = calloc(1, sizeof(*model->world));
    model->files = calloc(1, sizeof(*model->files));
    assert_non_null(model->world);
    assert_non_null(model->files);
    model->world->now_s = 1000000;
    return model;
}

void model_engine_free(struct model_engine *model)
{
    world_engine_free(model->world);
    world_node_files_free(model->files);
    free(model);
}

static void set(char **target, const char *value)
{
    assert_int_equal(str_replace(target, value), 0);
}

struct world_container *model_engine_add(struct model_engine *model, const char *name)
{
    struct world_engine *world = model->world;
    world->containers =
        reallocarray(world->containers, world->container_count + 1, sizeof(*world->containers));
    assert_non_null(world->containers);
    struct world_container *container = &world->containers[world->container_count++];
    *container = (struct world_container){.state = CONTAINER_CREATED};
    container->id = str_printf("id-%u", ++model->next_id);
    set(&container->name, name);
    set(&container->image, "");
    set(&container->restart_policy, "no");
    return container;
}

bool model_engine_is_up(const struct world_container *container)
{
    return container->state == CONTAINER_RUNNING || container->state == CONTAINER_PAUSED ||
           container->state == CONTAINER_RESTARTING;
}

int model_engine_attach(struct world_container *container, const char *network,
                        const char *network_id, const char *alias)
{
    if (world_container_endpoint(container, network) != NULL) {
        return -EEXIST;
    }
    container->endpoints = reallocarray(container->endpoints, container->endpoint_count + 1,
                                        sizeof(*container->endpoints));
    assert_non_null(container->endpoints);
    struct world_endpoint *endpoint = &container->endpoints[container->endpoint_count++];
    *endpoint = (struct world_endpoint){0};
    set(&endpoint->network, network);
    set(&endpoint->network_id, network_id);
    if (model_engine_is_up(container)) {
        set(&endpoint->ipv4, "172.18.0.9");
    }
    if (alias != NULL) {
        assert_int_equal(strv_add(&endpoint->aliases, alias), 0);
    }
    return 0;
}

static void detach(struct world_container *container, const char *network)
{
    for (size_t i = 0; i < container->endpoint_count; i++) {
        struct world_endpoint *endpoint = &container->endpoints[i];
        if (str_equal(endpoint->network, network)) {
            free(endpoint->network);
            free(endpoint->network_id);
            free(endpoint->ipv4);
            free(endpoint->ipv6);
            strv_done(&endpoint->aliases);
            *endpoint = container->endpoints[--container->endpoint_count];
            return;
        }
    }
}

struct world_node *model_engine_add_node(struct model_engine *model, const char *name, bool running)
{
    struct world_engine *world = model->world;
    world->nodes = reallocarray(world->nodes, world->node_count + 1, sizeof(*world->nodes));
    assert_non_null(world->nodes);
    struct world_node *node = &world->nodes[world->node_count++];
    *node = (struct world_node){.running = running};
    set(&node->id, name);
    set(&node->name, name);
    set(&node->cluster, "hostk8s");
    set(&node->status, running ? "running" : "exited");
    return node;
}

void model_engine_add_dir(struct model_engine *model, const char *name, const char *content)
{
    struct world_node_files *files = model->files;
    files->dirs = reallocarray(files->dirs, files->dir_count + 1, sizeof(*files->dirs));
    assert_non_null(files->dirs);
    struct world_hosts_dir *dir = &files->dirs[files->dir_count++];
    *dir = (struct world_hosts_dir){0};
    set(&dir->name, name);
    set(&dir->content, content);
}

static struct world_container *find(struct model_engine *model, const char *target)
{
    for (size_t i = 0; i < model->world->container_count; i++) {
        struct world_container *container = &model->world->containers[i];
        if (str_equal(container->id, target) || str_equal(container->name, target)) {
            return container;
        }
    }
    return NULL;
}

static void drop(struct model_engine *model, struct world_container *container)
{
    world_container_done(container);
    *container = model->world->containers[--model->world->container_count];
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static int act_create(struct model_engine *model, const struct action *action, struct error *err)
{
    if (find(model, action->target) != NULL) {
        return error_set(err, ERROR_CONFLICT, EEXIST, "name is in use");
    }
    assert_true(model->world->image_present);
    const json_t *host = json_object_get(action->body, "HostConfig");
    struct world_container *container = model_engine_add(model, action->target);
    set(&container->image, text_at(action->body, "Image"));
    set(&container->restart_policy, text_at(json_object_get(host, "RestartPolicy"), "Name"));

    const char *bind = json_string_value(json_array_get(json_object_get(host, "Binds"), 0));
    assert_true(str_ends_with(bind, ":" WORLD_REGISTRY_STORAGE));
    container->storage = str_dup_n(bind, strlen(bind) - strlen(":" WORLD_REGISTRY_STORAGE));

    const json_t *binding = json_array_get(
        json_object_get(json_object_get(host, "PortBindings"), WORLD_REGISTRY_PORT_KEY), 0);
    container->bindings = calloc(1, sizeof(*container->bindings));
    assert_non_null(container->bindings);
    container->binding_count = 1;
    set(&container->bindings->container_port, WORLD_REGISTRY_PORT_KEY);
    set(&container->bindings->host_address, text_at(binding, "HostIp"));
    set(&container->bindings->host_port, text_at(binding, "HostPort"));

    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (json_object_get(action->body, "Env"), index, item) {
        const char *text = json_string_value(item);
        _cleanup_free_ char *name = str_dup_n(text, strcspn(text, "="));
        assert_int_equal(strmap_set(&container->environment, name, strchr(text, '=') + 1), 0);
    }
    const char *key = NULL;
    json_object_foreach (json_object_get(action->body, "Labels"), key, item) {
        assert_int_equal(strmap_set(&container->labels, key, json_string_value(item)), 0);
    }
    assert_int_equal(model_engine_attach(container, "bridge", "net-bridge", NULL), 0);
    return 0;
}

static bool port_is_taken(const struct model_engine *model, const struct world_container *starting)
{
    if (starting->binding_count == 0) {
        return false;
    }
    const char *port = starting->bindings[0].host_port;
    for (size_t i = 0; i < model->world->container_count; i++) {
        const struct world_container *other = &model->world->containers[i];
        if (other != starting && model_engine_is_up(other) && other->binding_count > 0 &&
            str_equal(other->bindings[0].host_port, port)) {
            return true;
        }
    }
    return str_equal(model->taken_port, port);
}

// A container keeps its attachments by id; one that is there by name takes what has the name.
static bool lacks_network(const struct model_engine *model, const struct world_container *container)
{
    for (size_t i = 0; i < container->endpoint_count; i++) {
        const struct world_endpoint *endpoint = &container->endpoints[i];
        if (!str_equal(endpoint->network, "bridge") &&
            (!model->world->network_present ||
             !str_equal(endpoint->network_id, model->world->network_id))) {
            return true;
        }
    }
    return false;
}

static int refuse_start(struct world_container *container, struct error *err, const char *text)
{
    set(&container->state_error, text);
    container->exit_code = 128;
    return error_set(err, ERROR_TRANSIENT, EIO, "engine: start container: %s", text);
}

static int act_start(struct model_engine *model, struct world_container *container,
                     struct error *err)
{
    if (container->state == CONTAINER_RUNNING) {
        return 0;
    }
    // Neither may be started: the plan has to know.
    assert_int_not_equal(container->state, CONTAINER_PAUSED);
    assert_int_not_equal(container->state, CONTAINER_DEAD);
    if (lacks_network(model, container)) {
        return refuse_start(container, err, "network net-0 not found");
    }
    if (port_is_taken(model, container)) {
        return refuse_start(container, err, "Bind failed: port is already allocated");
    }
    set(&container->state_error, NULL);
    container->started_s = model->world->now_s;
    if (strstr(container->image, "crash") != NULL) {
        bool again = !str_equal(container->restart_policy, "no");
        container->state = again ? CONTAINER_RESTARTING : CONTAINER_EXITED;
        container->exit_code = 2;
        return 0;
    }
    container->state = CONTAINER_RUNNING;
    for (size_t i = 0; i < container->endpoint_count; i++) {
        set(&container->endpoints[i].ipv4, "172.18.0.9");
    }
    return 0;
}

static void stop(struct world_container *container)
{
    if (model_engine_is_up(container)) {
        container->state = CONTAINER_EXITED;
    }
    for (size_t i = 0; i < container->endpoint_count; i++) {
        set(&container->endpoints[i].ipv4, NULL);
    }
}

static int act_files(struct model_engine *model, const struct action *action)
{
    assert_true(action->file_count > 0);
    for (size_t i = 0; i < action->file_count; i++) {
        const struct plan_file *file = &action->files[i];
        size_t at = 0;
        while (at < model->files->dir_count &&
               !str_equal(model->files->dirs[at].name, file->alias)) {
            at++;
        }
        if (at == model->files->dir_count) {
            assert_int_equal(action->type, ACTION_HOSTS_WRITE);
            model_engine_add_dir(model, file->alias, file->content);
        } else {
            set(&model->files->dirs[at].content, file->content);
        }
    }
    return 0;
}

static int act_on_container(struct model_engine *model, const struct action *action,
                            struct world_container *container, struct error *err)
{
    if (action->type == ACTION_CONTAINER_START) {
        return act_start(model, container, err);
    }
    if (action->type == ACTION_CONTAINER_STOP) {
        stop(container);
        return 0;
    }
    if (action->type == ACTION_CONTAINER_UNPAUSE) {
        assert_int_equal(container->state, CONTAINER_PAUSED);
        container->state = CONTAINER_RUNNING;
        return 0;
    }
    if (action->type == ACTION_CONTAINER_RENAME) {
        assert_int_not_equal(container->state, CONTAINER_DEAD);
        if (find(model, action->argument) != NULL) {
            return error_set(err, ERROR_CONFLICT, EEXIST, "name is in use");
        }
        set(&container->name, action->argument);
        return 0;
    }
    if (action->type == ACTION_CONTAINER_UPDATE) {
        set(&container->restart_policy,
            text_at(json_object_get(action->body, "RestartPolicy"), "Name"));
        return 0;
    }
    if (action->type == ACTION_NETWORK_DISCONNECT) {
        detach(container, action->argument);
        return 0;
    }
    if (action->type == ACTION_NETWORK_CONNECT) {
        assert_true(model->world->network_present);
        return model_engine_attach(container, action->argument, model->world->network_id,
                                   container->name);
    }
    assert_int_equal(action->type, ACTION_CONTAINER_REMOVE);
    drop(model, container);
    return 0;
}

int model_engine_act(struct model_engine *model, const struct action *action, struct error *err)
{
    if (action->type == ACTION_STORAGE_MAKE) {
        assert_int_equal(model->world->storage_error, ENOENT);
        model->world->storage_error = 0;
        return 0;
    }
    if (action->type == ACTION_IMAGE_PULL) {
        model->world->image_present = true;
        return 0;
    }
    if (action->type == ACTION_HOSTS_WRITE || action->type == ACTION_HOSTS_REMOVE) {
        return act_files(model, action);
    }
    if (action->type == ACTION_CONTAINER_CREATE) {
        return act_create(model, action, err);
    }
    struct world_container *container = find(model, action->target);
    assert_non_null(container);
    return act_on_container(model, action, container, err);
}

struct world_container *model_engine_add_declared(struct model_engine *model,
                                                  const struct config *config)
{
    struct desired_container desired = {0};
    assert_int_equal(desired_container(config, &desired), 0);
    json_auto_t *spec = desired_container_spec(&desired);
    assert_non_null(spec);
    desired_container_done(&desired);

    struct action create = {.target = config->registry.name, .body = spec};
    bool image_present = model->world->image_present;
    model->world->image_present = true;
    assert_int_equal(act_create(model, &create, NULL), 0);
    model->world->image_present = image_present;

    struct world_container *container =
        &model->world->containers[model->world->container_count - 1];
    container->state = CONTAINER_RUNNING;
    container->started_s = model->world->now_s - 3600;
    assert_int_equal(model_engine_attach(container, config->network, model->world->network_id,
                                         config->registry.name),
                     0);
    return container;
}

bool model_engine_answers(const struct world_container *container, const struct config *config)
{
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", (unsigned)config->registry.listen_port);
    return container->state == CONTAINER_RUNNING && strstr(container->image, "mute") == NULL &&
           container->binding_count == 1 && str_equal(container->bindings[0].host_port, port);
}

void model_engine_observe(struct model_engine *model, const struct config *config)
{
    struct world_engine *world = model->world;
    for (size_t i = world->container_count; i-- > 0;) {
        if (world->containers[i].state == CONTAINER_REMOVING) {
            drop(model, &world->containers[i]);
        }
    }
    const struct world_container *main = world_engine_container(world, config->registry.name);
    world->probe = PROBE_NONE;
    if (!model->remote && main != NULL && main->state == CONTAINER_RUNNING) {
        world->probe = model_engine_answers(main, config) ? PROBE_ANSWERS : PROBE_SILENT;
    }
}

char *model_container_text(const struct world_container *container)
{
    struct buf text = BUF_INIT(64u * 1024u);
    assert_int_equal(buf_printf(&text, "%s %s %s %d %s %s\n", container->id, container->name,
                                container->image, (int)container->state, container->restart_policy,
                                container->storage == NULL ? "-" : container->storage),
                     0);
    strmap_foreach (&container->labels, label) {
        assert_int_equal(buf_printf(&text, "%s=%s\n", label->key, label->value), 0);
    }
    for (size_t i = 0; i < container->endpoint_count; i++) {
        assert_int_equal(buf_printf(&text, "%s %s %zu\n", container->endpoints[i].network,
                                    container->endpoints[i].network_id,
                                    container->endpoints[i].aliases.count),
                         0);
    }
    return buf_take(&text);
}
