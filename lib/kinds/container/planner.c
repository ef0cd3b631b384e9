#include "lib/kinds/container/planner.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/container/maintenance.h"

#include <stdlib.h>
#include <string.h>

struct action *planner_add(struct planner *p, struct action action)
{
    static const char *const names[_CONTAINER_OP_COUNT] = {
        [CONTAINER_OP_STORAGE_MAKE] = "storage-make",
        [CONTAINER_OP_IMAGE_PULL] = "image-pull",
        [CONTAINER_OP_CREATE] = "container-create",
        [CONTAINER_OP_LOGIN_WRITE] = "login-write",
        [CONTAINER_OP_START] = "container-start",
        [CONTAINER_OP_STOP] = "container-stop",
        [CONTAINER_OP_UNPAUSE] = "container-unpause",
        [CONTAINER_OP_RENAME] = "container-rename",
        [CONTAINER_OP_UPDATE] = "container-update",
        [CONTAINER_OP_REMOVE] = "container-remove",
        [CONTAINER_OP_CONNECT] = "network-connect",
        [CONTAINER_OP_DISCONNECT] = "network-disconnect",
    };
    action.name = names[action.op];
    action.resource = action.resource == NULL ? p->spec->resource : action.resource;
    return plan_add_action(p->plan, &action);
}

bool planner_is_port_taken(const char *engine_text)
{
    // The engine has no code for it: it answers 500 (moby libnetwork/portallocator).
    return strstr(engine_text, "port is already allocated") != NULL ||
           strstr(engine_text, "address already in use") != NULL;
}

bool planner_is_stray(const struct planner *p, const struct container *container)
{
    return !maintenance_is_of(p->spec, container) && container != p->main &&
           container != p->previous && container != p->blocker && compare_is_labelled(container) &&
           compare_has_storage(p->spec, container) && !compare_holds_images(container);
}

// ---- the network ----
//
// A container's place on the clusters' network. The network is kind's: it is waited for.
//
// Who comes first to its addresses: the engine gives the lowest free one to whoever starts, and a
// node that comes up is known to its cluster by the one that it had. So while nodes of the declared
// clusters are on their way a container of ours keeps off the network, and leaves an address there
// that one of them had. A node that stays away is waited for as long as nobody else could use the
// registry, else for CONTAINER_NODES_SECONDS after its end; an end that is further in the future
// was noted before a clock was set back.
// https://github.com/educates/educates-training-platform/issues/850

static bool is_up(const struct engine_node *node)
{
    return node->running || str_equal(node->status, "paused"); // paused, it keeps its address
}

// A node that comes to the network before the container does, and that had the address (NULL: any);
// NULL when none is waited for.
static const struct engine_node *awaited_node(const struct planner *p, const char *address)
{
    const struct engine *engine = p->current->engine;
    const struct engine_node *any = NULL;     // that is waited for while none is up
    const struct engine_node *in_time = NULL; // that is waited for in any case
    bool none_up = true;
    for (size_t i = 0; i < engine->node_count; i++) {
        const struct engine_node *node = &engine->nodes[i];
        bool desired = config_has_cluster(p->input->config, node->cluster);
        none_up = none_up && !(desired && is_up(node));
        if (desired && !is_up(node) && (address == NULL || str_equal(node->address, address))) {
            bool late = llabs(engine->now_s - node->stopped_s) >= CONTAINER_NODES_SECONDS;
            any = any == NULL ? node : any;
            in_time = in_time == NULL && !late ? node : in_time;
        }
    }
    return none_up ? any : in_time;
}

// Whether it has, or would get by its start, an address that is to be left to a node.
static bool is_in_the_way(const struct planner *p, const struct container *container)
{
    return container->endpoint != NULL &&
           (container->state != CONTAINER_RUNNING
                ? awaited_node(p, NULL) != NULL
                : container->ipv4 != NULL && awaited_node(p, container->ipv4) != NULL);
}

// Whether a start would fail for the network: the one it was attached to is another of the same
// name. Engines keep attachments by id (https://github.com/moby/moby/issues/17160).
static bool has_stale_endpoint(const struct planner *p, const struct container *container)
{
    // One that was never started is attached by name, and podman tells the name in place of the id.
    return container->endpoint != NULL && p->current->network_present &&
           !str_empty(container->network_id) &&
           !str_equal(container->network_id, p->spec->network) &&
           !str_equal(container->network_id, p->current->network_id);
}

struct action *planner_disconnect(struct planner *p, const struct container *container,
                                  const char *verb)
{
    p->disconnects = true;
    return ADD_ACTION(p, DISCONNECT, .verb = verb, .resource = p->spec->network_resource,
                      .target = container->id, .argument = p->spec->network);
}

static void give_way(struct planner *p, const struct container *container)
{
    struct action *action = planner_disconnect(p, container, "give way");
    if (container->ipv4 != NULL) {
        plan_add_field(p->plan, action, "address", container->ipv4, NULL);
    }
}

// ---- gc ----

bool planner_is_maintained(struct planner *p)
{
    const struct container *found = NULL;
    for (size_t i = 0; i < p->current->container_count && found == NULL; i++) {
        const struct container *container = &p->current->containers[i];
        found = maintenance_is_of(p->spec, container) ? container : NULL;
    }
    if (found == NULL) {
        return false;
    }
    if (!maintenance_is_active(found, p->current->engine->now_s)) {
        planner_remove(p, found, "remove", false);
        return false;
    }
    SET_CONDITION(p, resource, MAINTENANCE, MAINTENANCE_SENTENCE, found->name);
    SET_CONDITION(p, network_resource, MAINTENANCE, MAINTENANCE_SENTENCE, found->name);
    return true;
}

// ---- steps ----

void planner_make_storage(struct planner *p)
{
    if (p->facts->storage.state == STORAGE_MISSING) {
        unsigned user = p->current->engine->about.root_user;
        ADD_ACTION(p, STORAGE_MAKE, .verb = "make storage", .target = p->spec->storage,
                   .argument = user == 0 ? NULL : arena_printf(&p->plan->arena, "%u", user));
    }
}

void planner_prepare(struct planner *p)
{
    planner_make_storage(p);
    if (!p->facts->image_present) {
        ADD_ACTION(p, IMAGE_PULL, .verb = "pull", .background = true, .target = p->spec->image);
    }
}

void planner_add_fields(struct planner *p, struct action *action, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct field_diff *field = &fields->items[i];
        plan_add_field(p->plan, action, field->path, field->current, field->desired);
    }
}

void planner_stop_others(struct planner *p, const struct container *container, const char *verb)
{
    for (size_t i = 0; i < p->current->container_count; i++) {
        const struct container *other = &p->current->containers[i];
        if (other != container && container_is_up(other) &&
            (other == p->previous || planner_is_stray(p, other))) {
            ADD_ACTION(p, STOP, .verb = verb, .part = true, .target = other->id);
        }
    }
}

// Into one that was never started: afterwards it is there.
static void write_login(struct planner *p, const struct container *container, const char *verb)
{
    if (p->spec->password_file != NULL) {
        ADD_ACTION(p, LOGIN_WRITE, .verb = verb, .part = true,
                   .target = container == NULL ? NULL : container->id,
                   .argument = p->spec->password_file);
    }
}

void planner_start(struct planner *p, const struct container *container, const char *verb,
                   bool tries_out)
{
    if (container != NULL && has_stale_endpoint(p, container)) {
        planner_disconnect(p, container, "attach");
    } else if (container != NULL && is_in_the_way(p, container)) {
        give_way(p, container);
    }
    if (container != NULL && container->state == CONTAINER_CREATED) {
        write_login(p, container, verb);
    }
    ADD_ACTION(p, START, .verb = verb, .part = true,
               .needs = p->disconnects ? p->spec->network_resource : NULL,
               .digest = tries_out ? p->spec->digest : NULL,
               .target = container == NULL ? NULL : container->id,
               .argument = p->facts->port_holder);
}

void planner_create(struct planner *p, const char *verb, const struct container *replaced,
                    const struct fields *fields, bool part)
{
    json_auto_t *body = container_spec_body(p->spec);
    json_t *labels = json_object_get(body, "Labels");
    if (replaced != NULL && !compare_is_labelled(replaced)) {
        json_object_set_new(labels, CONTAINER_LABEL_REPLACES, json_string(replaced->id));
    }
    if (fields->mends != NULL) {
        json_object_set_new(labels, CONTAINER_LABEL_MENDS, json_string(fields->mends));
    }
    struct action *action = ADD_ACTION(p, CREATE, .verb = verb, .part = part, .disruptive = true,
                                       .destructive = replaced != NULL && !part,
                                       .digest = replaced == NULL ? NULL : p->spec->digest,
                                       .target = p->spec->name, .body = body);
    if (!part) {
        planner_add_fields(p, action, fields);
    }
    write_login(p, NULL, "start");
    planner_stop_others(p, NULL, "stop");
    planner_start(p, NULL, "start", replaced != NULL);
    p->holder = NULL;
    p->creates = true;
}

void planner_take_name(struct planner *p, const struct container *container, const char *verb)
{
    ADD_ACTION(p, RENAME, .verb = verb, .part = true, .target = container->id,
               .argument = p->spec->name);
    if (container->state == CONTAINER_PAUSED) {
        ADD_ACTION(p, UNPAUSE, .verb = "unpause", .part = true, .target = container->id);
    } else if (!container_is_up(container)) {
        planner_stop_others(p, container, "stop");
        planner_start(p, container, verb, false);
    }
    p->holder = NULL;
}

struct action *planner_remove(struct planner *p, const struct container *container,
                              const char *verb, bool part)
{
    struct action *action = ADD_ACTION(p, REMOVE, .verb = verb, .part = part, .destructive = true,
                                       .target = container->id);
    plan_add_field(p->plan, action, container->name, "present", NULL);
    return action;
}

// ---- the actions and the condition of the network ----

static bool has_alias(const struct planner *p, const struct container *container)
{
    bool has = false;
    size_t index = 0;
    json_t *alias = NULL;
    json_array_foreach (json_get_array(container->endpoint, "Aliases", NULL), index, alias) {
        has = has || str_equal(json_string_value(alias), p->spec->name);
    }
    return has;
}

// Whether the holder is on the network as it should be.
static bool is_attached(const struct planner *p)
{
    const struct container *holder = p->holder;
    return holder != NULL && holder->endpoint != NULL && !p->disconnects &&
           !has_stale_endpoint(p, holder) && has_alias(p, holder) &&
           (holder->state != CONTAINER_RUNNING || holder->ipv4 != NULL || holder->ipv6 != NULL);
}

static void plan_attachment(struct planner *p, const struct engine_node *awaited)
{
    const struct container *holder = p->holder;
    bool stays = holder != NULL && holder->endpoint != NULL && !p->disconnects;
    if (!p->current->network_present || (holder == NULL && !p->creates)) {
        return;
    }
    if (awaited == NULL && !is_attached(p)) {
        if (stays) {
            planner_disconnect(p, holder, "attach");
        }
        ADD_ACTION(p, CONNECT, .verb = "attach", .part = true,
                   .resource = p->spec->network_resource,
                   .needs = holder == NULL ? p->spec->resource : NULL,
                   .target = holder == NULL ? NULL : holder->id, .argument = p->spec->network);
    } else if (stays && holder->state == CONTAINER_RUNNING && is_in_the_way(p, holder)) {
        give_way(p, holder);
    }
}

void planner_plan_network(struct planner *p)
{
    const struct engine_node *awaited = awaited_node(p, NULL);
    if (p->desired) {
        plan_attachment(p, awaited);
    }
    bool pending = plan_first_action(p->plan, p->spec->network_resource) != NULL;
    if (!p->desired) {
        if (pending) {
            SET_CONDITION(p, network_resource, CONVERGING, "detach is pending");
        }
    } else if (!p->current->network_present) {
        SET_CONDITION(p, network_resource, NETWORK_MISSING, CONTAINER_NETWORK_MISSING,
                      p->spec->network);
    } else if (awaited != NULL && (pending || !is_attached(p))) {
        SET_CONDITION(p, network_resource, NODE_NOT_RUNNING,
                      "waits for %s, which comes first to its address on the network; start it "
                      "with `docker start %s`",
                      awaited->name, awaited->name);
    } else if (pending) {
        SET_CONDITION(p, network_resource, CONVERGING, "attach is pending");
    } else if (p->holder == NULL || p->holder->state != CONTAINER_RUNNING) {
        SET_CONDITION(p, network_resource, CONVERGING, "waits for %s to run", p->spec->resource);
    }
    plan_set_converged(p->plan, p->spec->network_resource, NULL);
}
