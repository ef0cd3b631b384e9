// Conditions without a world: of every resource that the plan before, or else the configuration,
// names.
#include "lib/plan/plan.h"

#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "lib/plan/outcome.h"
#include "lib/plan/plan_internal.h"

#include <errno.h>
#include <string.h>

#define MESSAGE_MAX (2 * ERROR_TEXT_MAX)

// The endpoints object has a name before the registry has an address: any address brings it.
#define ANY_ADDRESS "192.0.2.1" // RFC 5737

struct verdict {
    enum ready ready;
    enum reason reason;
    char message[MESSAGE_MAX];
};

static int add(struct plan *plan, char *resource, const char *cluster,
               const struct verdict *verdict)
{
    _cleanup_free_ char *owned = resource;
    if (owned == NULL) {
        return -ENOMEM;
    }
    return plan_add_condition(plan, owned, cluster, verdict->ready, verdict->reason, "%s",
                              verdict->message);
}

static int add_known(const struct plan *before, const struct verdict *verdict, struct plan *plan)
{
    int r = 0;
    for (size_t i = 0; i < before->condition_count && r == 0; i++) {
        const struct condition *known = &before->conditions[i];
        r = add(plan, str_dup(known->resource), known->cluster, verdict);
    }
    return r;
}

static int add_cluster(const struct plan_input *input, const char *cluster,
                       const struct verdict *verdict, struct plan *plan)
{
    const struct world_apis apis = {.endpoint_slice_v1 = true, .ingress_v1 = true};
    const struct desired_address address = {.text = ANY_ADDRESS};
    struct desired_ref refs[DESIRED_OBJECTS_MAX];
    size_t count = desired_refs(input->config, &apis, &address, refs);
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        char *resource = resource_object(cluster, refs[i].kind, refs[i].name_space, refs[i].name);
        r = add(plan, resource, cluster, verdict);
    }
    return r;
}

int plan_unobserved(const struct plan_input *input, const char *key, const struct plan *before,
                    const struct error *why, struct plan *ret, struct error *err)
{
    _cleanup_(plan_done) struct plan plan = {0};
    struct verdict verdict = {.ready = READY_UNKNOWN};
    verdict.reason =
        outcome_of_observation(input, key, why, verdict.message, sizeof(verdict.message));
    if (verdict.reason == REASON_CLUSTER_NOT_FOUND || verdict.reason == REASON_NODE_NOT_RUNNING) {
        verdict.ready = READY_FALSE; // that much is known
    }

    int r = 0;
    if (str_starts_with(key, "cluster/")) {
        r = before != NULL ? add_known(before, &verdict, &plan)
                           : add_cluster(input, key + strlen("cluster/"), &verdict, &plan);
    } else if (str_starts_with(key, "node/")) {
        const char *node = key + strlen("node/");
        const struct world_node *known =
            input->engine == NULL ? NULL : world_engine_node(input->engine, node);
        r = add(&plan, resource_node(node), known == NULL ? NULL : known->cluster, &verdict);
    } else {
        r = add(&plan, resource_container(input->config), NULL, &verdict);
        if (r == 0) {
            r = add(&plan, resource_network(input->config), NULL, &verdict);
        }
    }
    if (r < 0) {
        return error_oom(err);
    }
    *ret = TAKE_STRUCT(plan);
    return 0;
}
