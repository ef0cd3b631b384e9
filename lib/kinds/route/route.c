#include "lib/kinds/route/route.h"

#include "lib/base/str.h"
#include "lib/kinds/explain.h"
#include "lib/kinds/route/current.h"
#include "lib/kinds/route/observe.h"
#include "lib/kinds/route/plan.h"

#define SLOT_TIMEOUT_MS 500
#define SETTLE_MS 500

// A page is expected where a cluster is that could serve it.
static void keys_of(const struct config *config, const struct engine *engine, bool desired,
                    key_fn add, void *ctx)
{
    bool has_cluster = false;
    for (size_t i = 0; engine != NULL && i < engine->node_count; i++) {
        has_cluster = has_cluster || config_has_cluster(config, engine->nodes[i].cluster);
    }
    if (desired && has_cluster && config->ui.enabled && config->ui.check) {
        add(ctx, config->ui.url, NULL);
    }
}

static void resources(const struct input *input, const struct condition *condition,
                      struct plan *ret)
{
    _cleanup_free_ char *resource = str_printf(ROUTE_PREFIX "%s", input->name);
    plan_set_condition(ret, resource, NULL, condition->ready, condition->reason, "%s",
                       condition->message);
}

static enum reason explain_failure(_unused_ const struct input *input,
                                   _unused_ const struct action *action, const struct error *error,
                                   char *message, size_t size)
{
    return explain(message, size, REASON_ERROR, "%s", error->text);
}

const struct kind route_kind = {
    .prefix = ROUTE_PREFIX,
    .slots = 1,
    .slot_timeout_ms = SLOT_TIMEOUT_MS,
    .settle_ms = SETTLE_MS,
    .follows = true,
    .keys_of = keys_of,
    .observe = route_observe,
    .free_current = route_current_free,
    .plan = route_plan,
    .resources = resources,
    .explain = explain_failure,
    .cancel = route_cancel,
    .invalidate = route_invalidate,
};
