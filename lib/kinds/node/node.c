#include "lib/kinds/node/node.h"

#include "lib/base/str.h"
#include "lib/kinds/explain.h"
#include "lib/kinds/io.h"
#include "lib/kinds/node/act.h"
#include "lib/kinds/node/current.h"
#include "lib/kinds/node/observe.h"
#include "lib/kinds/node/plan.h"

#define NODE_SLOTS 8
#define NODE_SETTLE_MS 500

// The same for a teardown: what an earlier configuration left is on these nodes, too.
static void node_keys_of(const struct config *config, const struct engine *engine,
                         _unused_ bool desired, key_fn add, void *ctx)
{
    for (size_t i = 0; engine != NULL && i < engine->node_count; i++) {
        const struct engine_node *node = &engine->nodes[i];
        if (config_has_cluster(config, node->cluster)) {
            add(ctx, node->name, node->cluster);
        }
    }
}

static bool node_exists(const struct engine *engine, const char *name)
{
    return engine_node(engine, name) != NULL;
}

static uint64_t node_due_in(const struct engine *before, const struct engine *after,
                            const char *name)
{
    const struct engine_node *a = engine_node(before, name);
    const struct engine_node *b = engine_node(after, name);
    if (a == NULL || b == NULL) {
        return a == b ? KIND_NEVER : 0;
    }
    bool same =
        str_equal(a->id, b->id) && a->running == b->running && str_equal(a->status, b->status);
    return same ? KIND_NEVER : 0;
}

static void node_resources(const struct input *input, const struct condition *condition,
                           struct plan *ret)
{
    _cleanup_free_ char *resource = str_printf(NODE_PREFIX "%s", input->name);
    plan_set_condition(ret, resource, condition->cluster, condition->ready, condition->reason, "%s",
                       condition->message);
}

// A conflict is the engine's 404 or 409, when it has listed the node as running a moment ago, or
// what node_observe found without asking.
static enum reason explain_conflict(const struct input *input, char *message, size_t size)
{
    const struct engine_node *node = engine_node(input->engine, input->name);
    if (node == NULL || node->running || engine_node_is_moving(input->engine, node)) {
        return explain(message, size, REASON_CONVERGING,
                       "the node is just starting, or going; it is looked at again");
    }
    if (str_equal(node->cluster, ENGINE_DESKTOP)) {
        return explain(message, size, REASON_NODE_NOT_RUNNING,
                       "the node is not running; start Kubernetes in Docker Desktop's settings");
    }
    return explain(message, size, REASON_NODE_NOT_RUNNING,
                   "the node is not running; start it with `docker start %s`", input->name);
}

static enum reason node_explain(const struct input *input, const struct action *action,
                                const struct error *error, char *message, size_t size)
{
    if (error->kind == ERROR_CONFLICT) {
        return explain_conflict(input, message, size);
    }
    bool repairs = action != NULL && action->op == NODE_CONFIG_REPAIR;
    if (repairs && error->kind == ERROR_PERMANENT && error->status == 0) {
        return explain(message, size, REASON_CONFIG_PATH_DISABLED, "%s", error->text);
    }
    return explain_engine_error(error, message, size);
}

// All kinds that talk to the engine share its client: the calls about this node's container end.
static void node_cancel(struct io *io, memory_t memory, bool changes_too)
{
    const struct node_current *kept = memory;
    if (io->docker != NULL && kept != NULL) {
        docker_cancel_container(io->docker, kept->id, changes_too ? API_CHANGES : API_READS);
    }
}

static void node_invalidate(_unused_ struct io *io, memory_t *memory)
{
    node_current_unref(TAKE_PTR(*memory));
}

const struct kind node_kind = {
    .prefix = NODE_PREFIX,
    .slots = NODE_SLOTS,
    .slot_timeout_ms = KIND_NEVER,
    .settle_ms = NODE_SETTLE_MS,
    .keys_of = node_keys_of,
    .exists = node_exists,
    .behind_engine = true,
    .due_in = node_due_in,
    .observe = node_observe,
    .free_current = node_current_unref,
    .plan = node_plan,
    .resources = node_resources,
    .explain = node_explain,
    .act = node_act,
    .cancel = node_cancel,
    .invalidate = node_invalidate,
};
