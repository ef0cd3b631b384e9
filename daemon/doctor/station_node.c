// A node: its files, the registry's name in it, and pulls by its own containerd.
#include "daemon/doctor/image.h"
#include "daemon/doctor/name_fault.h"
#include "daemon/doctor/pull_fault.h"
#include "daemon/doctor/stations.h"

#include "lib/base/str.h"

#define GETENT_NOTHING 2 // exit status of getent(1): the name is not known

// By timeout(1), which may have had to kill.
static bool is_timed_out(int code)
{
    return code == 124 || code == 137;
}

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
    const char *name = doctor->config->registry.name;
    const char *const argv[] = {"sh", "-c", "timeout -k 1 10 getent ahosts \"$0\"", name, NULL};
    const char *address = NULL;
    int code = node == NULL ? -1 : doctor_exec(doctor, node->id, argv, API_READS, NULL);
    if (code > 0 && code != GETENT_NOTHING && !is_timed_out(code)) {
        doctor_skip(doctor, "the node has no getent that works");
    } else if (code >= 0) {
        const struct name_evidence evidence = {doctor->output, doctor->engine->registry_ipv4,
                                               doctor->engine->registry_ipv6, is_timed_out(code)};
        doctor_fault(doctor, name_fault(&doctor->arena, doctor->config, &evidence, &address));
        doctor_did(doctor, "%s is %s", name, address == NULL ? "unknown" : address);
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

// Whether it came to an end: one that hangs does so under every name.
static bool pull(struct doctor *doctor, const struct engine_node *node, const char *alias)
{
    struct arena *arena = &doctor->arena;
    const char *reference = arena_printf(arena, "%s/" IMAGE_REPOSITORY ":%s", alias, doctor->tag);
    const char *const argv[] = {pull_command[0], pull_command[1], pull_command[2], reference, NULL};
    bool wrong = doctor->observed && doctor->plan.conditions[0].ready != READY_TRUE;
    struct pull_evidence evidence = {
        .node = node->name, .alias = alias, .condition = wrong ? doctor->plan.conditions : NULL};
    strv_add_unique(&doctor->pulling, node->name);
    int code = doctor_exec(doctor, node->id, argv, API_CHANGES, NULL);
    if (code > 0) {
        evidence.said = doctor->output;
        evidence.timed_out = is_timed_out(code);
        doctor_fault(doctor, pull_fault(arena, doctor->config, &evidence));
    } else if (code == 0) {
        const char *did = doctor->result->did;
        doctor_did(doctor, "%s %s", did == NULL ? "pulled from" : arena_printf(arena, "%s,", did),
                   alias);
    }
    return code >= 0 && !evidence.timed_out;
}

void station_pull(struct doctor *doctor, const char *subject)
{
    const struct engine_node *node = running(doctor, subject);
    const struct strv *aliases = &doctor->config->nodes.aliases;
    size_t i = 0;
    while (node != NULL && i < aliases->count && pull(doctor, node, aliases->items[i])) {
        i++;
    }
}
