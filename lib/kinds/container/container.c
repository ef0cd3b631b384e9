#include "lib/kinds/container/container.h"

#include "lib/base/str.h"
#include "lib/kinds/container/observe.h"
#include "lib/kinds/container/planner.h"
#include "lib/kinds/explain.h"

#include <errno.h>
#include <string.h>

#define SETTLE_MS 20 // no event tells that a registry which was just started answers

static void container_keys_of(_unused_ const struct config *config,
                              _unused_ const struct engine *engine, _unused_ bool desired,
                              key_fn add, void *ctx)
{
    add(ctx, "", NULL);
}

static struct engine *container_engine_of(memory_t memory)
{
    const struct container_memory *kept = memory;
    return kept == NULL ? NULL : kept->engine;
}

static void container_free_current(void *current)
{
    current_free(current);
}

static void container_resources(const struct input *input, const struct condition *condition,
                                struct plan *ret)
{
    struct container_specs specs;
    container_specs_make(input->config, &specs);
    for (size_t i = 0; i < specs.count; i++) {
        plan_set_condition(ret, specs.items[i].resource, NULL, condition->ready, condition->reason,
                           "%s", condition->message);
        plan_set_condition(ret, specs.items[i].network_resource, NULL, condition->ready,
                           condition->reason, "%s", condition->message);
    }
    container_specs_done(&specs);
}

// "iptables failed: iptables --wait -t nat -A DOCKER …: No chain/target/match by that name", "Chain
// 'DOCKER-ISOLATION-STAGE-2' does not exist" (https://github.com/docker/cli/issues/6691).
static bool is_firewall_lost(const char *text)
{
    return strstr(text, "iptables failed") != NULL ||
           strstr(text, "DOCKER-ISOLATION-STAGE") != NULL;
}

static enum reason explain_action(const struct container_spec *spec, const struct action *action,
                                  const struct error *error, char *message, size_t size)
{
    const char *text = error->text;
    // A pull that takes too long says nothing about the engine.
    bool answered = !explain_is_unreachable(error) || error->code == ETIMEDOUT;
    if (action->op == CONTAINER_OP_START && planner_is_port_taken(text)) {
        return explain(message, size, REASON_PORT_IN_USE, PORT_TAKEN,
                       PORT_TAKEN_BY(spec, action->argument));
    }
    if (is_firewall_lost(text)) {
        return explain(message, size, REASON_ERROR,
                       "%s; the firewall was loaded again without the engine's rules: restart the "
                       "engine (`sudo systemctl restart docker`)",
                       text);
    }
    if ((action->op == CONTAINER_OP_CREATE || action->op == CONTAINER_OP_RENAME) &&
        error->status == 409) {
        return explain(message, size, REASON_NAME_CONFLICT,
                       "%s; rename or remove that container, or change %s.name", text,
                       spec->section);
    }
    if (action->op == CONTAINER_OP_CONNECT && error->status == 404) {
        return explain(message, size, REASON_NETWORK_MISSING, CONTAINER_NETWORK_MISSING,
                       spec->network);
    }
    if (action->op == CONTAINER_OP_STORAGE_MAKE && !error_is_own(error)) {
        return explain(message, size, REASON_STORAGE_NOT_WRITABLE,
                       "%s; make the directory writable or change %s.storage", text, spec->section);
    }
    if (action->op == CONTAINER_OP_IMAGE_PULL && answered && !explain_is_refusal(error) &&
        error->code != EACCES && !error_is_own(error)) {
        return explain(message, size, REASON_IMAGE_PULL_FAILED,
                       "%s; correct %s.image, or pull it by hand with `docker pull %s`", text,
                       spec->section, spec->image);
    }
    return explain_engine_error(error, message, size);
}

static enum reason container_explain(const struct input *input, const struct action *action,
                                     const struct error *error, char *message, size_t size)
{
    struct container_specs specs;
    container_specs_make(input->config, &specs);
    const struct container_spec *spec =
        action == NULL ? NULL : container_specs_find(&specs, action->resource);
    enum reason reason = spec == NULL ? explain_engine_error(error, message, size)
                                      : explain_action(spec, action, error, message, size);
    container_specs_done(&specs);
    return reason;
}

// Only an answer of the engine says something about a spec. A create that fails in the engine
// itself may succeed the next time, and the old container serves until then; a start that does so
// has stopped the old one, and a taken port is such a failure. But an engine that has no time has
// tried nothing.
static bool container_rejects(const struct action *action, const struct error *error)
{
    bool has_no_time = error->status == 408 || error->status == 429 || error->status == 503;
    bool refused = action->op == CONTAINER_OP_CREATE && error->kind == ERROR_PERMANENT;
    bool failed = action->op == CONTAINER_OP_START && error->kind != ERROR_CONFLICT;
    return error->status != 0 && (refused || (failed && !has_no_time));
}

static void container_cancel(struct io *io, memory_t memory, bool changes_too)
{
    struct container_memory *kept = memory;
    if (kept == NULL) {
        return;
    }
    container_observe_cancel(io, kept);
    if (changes_too && kept->has_work) {
        work_cancel(io->worker);
    }
    if (io->docker != NULL) {
        docker_cancel(io->docker, changes_too ? API_CHANGES : API_READS);
    }
}

static void container_invalidate(struct io *io, memory_t *memory)
{
    struct container_memory *kept = TAKE_PTR(*memory);
    if (kept != NULL) {
        kept->forgotten = true;
        container_cancel(io, kept, true);
        docker_free(TAKE_PTR(io->docker));
        memory_unref(kept);
    }
}

const struct kind container_kind = {
    .prefix = "engine",
    .slots = 1,
    .slot_timeout_ms = KIND_NEVER,
    .settle_ms = SETTLE_MS,
    .keys_of = container_keys_of,
    .engine_of = container_engine_of,
    .observe = container_observe,
    .free_current = container_free_current,
    .plan = container_plan,
    .resources = container_resources,
    .explain = container_explain,
    .rejects = container_rejects,
    .act = container_act,
    .watch = container_watch,
    .unwatch = container_unwatch,
    .cancel = container_cancel,
    .invalidate = container_invalidate,
};
