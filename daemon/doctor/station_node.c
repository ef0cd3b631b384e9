// A node: its files, the registry's name in it, and pulls by its own containerd.
#include "daemon/doctor/image.h"
#include "daemon/doctor/name_fault.h"
#include "daemon/doctor/pull_fault.h"
#include "daemon/doctor/stations.h"

#include "lib/base/str.h"

#define GETENT_NOTHING 2   // exit status of getent(1): the name is not known
#define TIMEOUT_STATUS 124 // of timeout(1); likewise where it had to kill
#define KILLED_STATUS 137

void station_containerd(struct doctor *doctor, const char *subject)
{
    (void)doctor_observe(doctor, "node/", subject);
    doctor_add_conditions(doctor, &doctor->plan);
    doctor_did(doctor, "it reads a hosts.toml for each of %zu names",
               doctor->config->nodes.aliases.count);
}

// The node, or NULL where nothing can be asked of it.
static const struct engine_node *running(struct doctor *doctor, const char *subject)
{
    const struct engine_node *node = engine_node(doctor->engine, subject);
    if (node == NULL || !node->running) {
        doctor_skip(doctor, "needs a node that runs");
        return NULL;
    }
    return node;
}

void station_name(struct doctor *doctor, const char *subject)
{
    const struct engine_node *node = running(doctor, subject);
    const struct config *config = doctor->config;
    const char *const argv[] = {"sh", "-c", "getent ahosts \"$0\"", config->registry.name, NULL};
    struct name_evidence evidence = {
        .name = config->registry.name,
        .network = config->network,
        .ipv4 = doctor->engine->registry_ipv4,
        .ipv6 = doctor->engine->registry_ipv6,
    };
    const char *address = NULL;
    struct error err = {0};
    if (node == NULL) {
        return;
    }
    int code = doctor_exec(doctor, node->id, argv, API_READS, &evidence.output, &err);
    if (code < 0) {
        doctor_fail(doctor, &err, "see the engine's own log");
    } else if (code != 0 && code != GETENT_NOTHING) {
        doctor_skip(doctor, "the node has no getent that works");
    } else {
        doctor_fault(doctor, name_fault(&doctor->result->arena, &evidence, &address));
        doctor_did(doctor, "%s is %s", evidence.name, address == NULL ? "unknown" : address);
    }
}

// crictl does as the kubelet does; ctr reads no config_path of its own. Whichever it is, it ends
// before the engine's patience with a command does. What it says on stdout is ctr's progress, which
// would come behind its error.
static const char *const pull_command[] = {
    "sh",
    "-c",
    ("exec >/dev/null; if command -v crictl; then exec timeout -k 2 15 crictl pull \"$0\"; fi; "
     "exec timeout -k 2 15 ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d \"$0\""),
};

static void explain_pull(struct doctor *doctor, const struct engine_node *node,
                         struct pull_evidence *evidence)
{
    const struct condition *condition =
        doctor->plan.condition_count > 0 ? &doctor->plan.conditions[0] : NULL;
    bool wrong = doctor->observed && condition != NULL && condition->ready != READY_TRUE;
    evidence->node = node->name;
    evidence->name = doctor->config->registry.name;
    evidence->network = doctor->config->network;
    evidence->condition = wrong ? condition : NULL;
    doctor_fault(doctor, pull_fault(&doctor->result->arena, evidence));
}

static void pull(struct doctor *doctor, const struct engine_node *node, const char *alias)
{
    struct arena *arena = &doctor->result->arena;
    const char *reference = arena_printf(arena, "%s/" IMAGE_REPOSITORY ":%s", alias, doctor->tag);
    const char *const argv[] = {pull_command[0], pull_command[1], pull_command[2], reference, NULL};
    struct pull_evidence evidence = {.alias = alias};
    struct error err = {0};
    strv_add_unique(&doctor->pulling, node->name);
    int code = doctor_exec(doctor, node->id, argv, API_CHANGES, &evidence.said, &err);
    if (code < 0) {
        doctor_fail(doctor, &err, "see the engine's own log");
    } else if (code != 0) {
        evidence.timed_out = code == TIMEOUT_STATUS || code == KILLED_STATUS;
        explain_pull(doctor, node, &evidence);
    } else {
        const char *did = doctor->result->did;
        doctor_did(doctor, "%s %s", did == NULL ? "pulled from" : arena_printf(arena, "%s,", did),
                   alias);
    }
}

void station_pull(struct doctor *doctor, const char *subject)
{
    const struct engine_node *node = running(doctor, subject);
    const struct strv *aliases = &doctor->config->nodes.aliases;
    for (size_t i = 0; node != NULL && i < aliases->count; i++) {
        pull(doctor, node, aliases->items[i]);
    }
}
