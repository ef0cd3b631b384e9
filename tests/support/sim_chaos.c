#include "tests/support/sim_chaos.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/fake_storage.h"
#include "tests/support/meddle_cluster.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define REGISTRY "hostk8s-registry"
#define CLUSTER "hostk8s"
#define WORKER "hostk8s-worker"
#define SECOND "second"
#define SECOND_PORT 6450

// ---- changes ----

static struct sim_container *registry(const struct sim *sim)
{
    return sim_engine_find(sim->engine, REGISTRY);
}

static void stop_registry(struct sim *sim, _unused_ struct random *random)
{
    if (registry(sim) != NULL && !str_equal(registry(sim)->state, "exited")) {
        sim_engine_stop(sim->engine, registry(sim));
    }
}

static void pause_registry(struct sim *sim, _unused_ struct random *random)
{
    if (registry(sim) != NULL && str_equal(registry(sim)->state, "running")) {
        registry(sim)->state = "paused"; // not told
    }
}

static void remove_registry(struct sim *sim, _unused_ struct random *random)
{
    if (registry(sim) != NULL) {
        sim_engine_remove(sim->engine, registry(sim));
    }
}

static void rename_registry(struct sim *sim, _unused_ struct random *random)
{
    if (registry(sim) != NULL && sim_engine_find(sim->engine, "elsewhere") == NULL) {
        sim_engine_rename(sim->engine, registry(sim), "elsewhere");
    }
}

static void detach_registry(struct sim *sim, _unused_ struct random *random)
{
    if (registry(sim) != NULL && registry(sim)->network_id != NULL) {
        sim_engine_detach(sim->engine, registry(sim));
    }
}

static void renew_network(struct sim *sim, _unused_ struct random *random)
{
    sim_engine_renew_network(sim->engine);
}

static void restart_engine(struct sim *sim, _unused_ struct random *random)
{
    sim_engine_restart(sim->engine);
}

static struct sim_container *some_node(const struct sim *sim, struct random *random)
{
    static const char *const nodes[] = {CLUSTER "-control-plane", WORKER, SECOND "-control-plane"};
    return sim_engine_find(sim->engine, RANDOM_PICK(random, nodes));
}

static void edit_hosts(struct sim *sim, struct random *random)
{
    static const char *const aliases[] = {"localhost:5000", "localhost:5002", "elsewhere:5000"};
    static const char *const contents[] = {"# managed by hostk8s-registryd\n", "server = \"x\"\n"};
    struct sim_container *node = some_node(sim, random);
    _cleanup_free_ char *directory =
        str_printf("/etc/containerd/certs.d/%s", RANDOM_PICK(random, aliases));
    _cleanup_free_ char *path = str_printf("%s/hosts.toml", directory);
    if (node == NULL) {
        return;
    }
    if (random_chance(random, 50)) {
        sim_files_remove_tree(&node->files, directory);
    } else {
        sim_files_write(&node->files, path, RANDOM_PICK(random, contents));
    }
}

static void toggle_node(struct sim *sim, struct random *random)
{
    struct sim_container *node = some_node(sim, random);
    if (node != NULL && str_equal(node->state, "running")) {
        sim_engine_stop(sim->engine, node);
    } else if (node != NULL) {
        sim_engine_start(sim->engine, node);
    }
}

static void toggle_worker(struct sim *sim, _unused_ struct random *random)
{
    struct sim_container *worker = sim_engine_find(sim->engine, WORKER);
    if (worker != NULL) {
        sim_engine_remove(sim->engine, worker);
    } else {
        (void)sim_add_worker(sim, CLUSTER, WORKER);
    }
}

static void toggle_second(struct sim *sim, _unused_ struct random *random)
{
    if (sim_kube(sim, SECOND) != NULL) {
        sim_remove_cluster(sim, SECOND);
    } else {
        sim_add_cluster(sim, SECOND, SECOND_PORT);
    }
}

static void renew_cluster(struct sim *sim, struct random *random)
{
    sim_remove_cluster(sim, CLUSTER);
    sim_add_cluster(sim, CLUSTER, (uint16_t)(6443 + random_below(random, 2)));
}

static void edit_objects(struct sim *sim, struct random *random)
{
    struct sim_kube *kube = sim_kube(sim, CLUSTER);
    meddle_edit(random, sim_kube_model(kube));
    if (random_chance(random, 50)) {
        sim_kube_tell_all(kube);
    }
}

static void add_objects(struct sim *sim, struct random *random)
{
    meddle_add(random, sim_kube_model(sim_kube(sim, CLUSTER)));
}

static void delete_some(struct sim_kube *kube, struct random *random, uint32_t percent,
                        bool (*wanted)(enum kube_kind kind, const json_t *object))
{
    struct model_cluster *model = sim_kube_model(kube);
    for (size_t i = model_cluster_count(model); i-- > 0;) {
        enum kube_kind kind = KUBE_NAMESPACE;
        const json_t *object = model_cluster_at(model, i, &kind);
        if (wanted(kind, object) && random_chance(random, percent)) {
            model_cluster_remove(model, i);
        }
    }
    model_cluster_settle(model);
    sim_kube_tell_all(kube);
}

static void delete_objects(struct sim *sim, struct random *random)
{
    delete_some(sim_kube(sim, CLUSTER), random, 20, model_is_owned);
}

static void expire_watches(struct sim *sim, _unused_ struct random *random)
{
    sim_kube_expire(sim_kube(sim, CLUSTER));
}

void sim_change(struct sim *sim, struct random *random)
{
    static void (*const changes[])(struct sim * sim, struct random * random) = {
        stop_registry,   pause_registry, remove_registry, rename_registry,
        detach_registry, renew_network,  restart_engine,  edit_hosts,
        toggle_node,     toggle_worker,  toggle_second,   renew_cluster,
        edit_objects,    add_objects,    delete_objects,  expire_watches};
    RANDOM_PICK(random, changes)(sim, random);
}

// ---- faults ----

void sim_break(struct sim *sim, struct random *random)
{
    static const char *const lines[] = {"GET /",          "HEAD /",     "POST /",  "PUT /",
                                        "PATCH /",        "DELETE /",   "/v2/",    "/_ping",
                                        "/containers/",   "/networks/", "/images", "/archive",
                                        "/exec",          "/events",    "watch=1", "/apis",
                                        "labelSelector=", "/start",     "/create", "/namespaces/"};
    static const int statuses[] = {400, 401, 403, 404, 409, 410, 429, 500, 503};
    static const int storage_errors[] = {ENOENT, EROFS, ENOTDIR};
    switch (random_below(random, 8)) {
    case 0:
        sim_engine_listen(sim->engine, false);
        break;
    case 1:
        sim_kube_listen(sim_kube(sim, CLUSTER), false);
        break;
    case 2:
        fake_storage_set(RANDOM_PICK(random, storage_errors));
        break;
    default:
        sim_http_fault(sim->http, &(struct sim_fault){
                                      .line = RANDOM_PICK(random, lines),
                                      .kind = random_below(random, SIM_SHAPELESS + 1),
                                      .status = RANDOM_PICK(random, statuses),
                                      .count = 1 + random_below(random, 4),
                                  });
    }
}

// ---- and all is well again ----

static void start_nodes(struct sim *sim)
{
    for (size_t i = 0; i < sim_engine_count(sim->engine); i++) {
        struct sim_container *container = sim_engine_at(sim->engine, i);
        const json_t *labels = json_object_get(container->spec, "Labels");
        if (json_get_string(labels, WORLD_LABEL_KIND_CLUSTER, NULL) != NULL &&
            !str_equal(container->state, "running")) {
            // The network may be another one by now.
            sim_engine_detach(sim->engine, container);
            sim_engine_attach(sim->engine, container, container->name);
            sim_engine_start(sim->engine, container);
        }
    }
}

static bool is_in_the_way(enum kube_kind kind, const json_t *object)
{
    return kind != KUBE_NAMESPACE && !model_is_owned(kind, object) &&
           str_equal(json_get_string(object, "metadata", "namespace", NULL), "hostk8s");
}

static bool is_hosting(enum kube_kind kind, const json_t *object)
{
    return kind == KUBE_CONFIG_MAP && !model_is_owned(kind, object) &&
           str_equal(json_get_string(object, "metadata", "name", NULL), "local-registry-hosting");
}

static void remove_foreign_hosts(struct sim_container *node)
{
    static const char *const aliases[] = {"localhost:5000", "localhost:5002"};
    for (size_t i = 0; i < ELEMENTS(aliases); i++) {
        _cleanup_free_ char *path = str_printf("/etc/containerd/certs.d/%s/hosts.toml", aliases[i]);
        const struct sim_file *file = sim_files_get(&node->files, path);
        if (file != NULL && !str_starts_with(file->content, "# managed by hostk8s-registryd")) {
            sim_files_remove(&node->files, path);
        }
    }
}

void sim_heal_servers(struct sim *sim)
{
    sim_http_fault(sim->http, NULL);
    sim_engine_listen(sim->engine, true);
    fake_storage_set(0);
    for (size_t i = 0; i < sim->cluster_count; i++) {
        sim_kube_listen(sim->clusters[i].kube, true);
    }
}

void sim_reset_clusters(struct sim *sim)
{
    while (sim->cluster_count > 0) {
        sim_remove_cluster(sim, sim->clusters[0].name);
    }
    sim_add_cluster(sim, CLUSTER, 6443);
}

void sim_heal(struct sim *sim)
{
    struct random all = {0};
    sim_heal_servers(sim);
    start_nodes(sim);
    for (size_t i = 0; i < sim->cluster_count; i++) {
        delete_some(sim->clusters[i].kube, &all, 100, is_in_the_way);
        delete_some(sim->clusters[i].kube, &all, 100, is_hosting);
    }
    for (size_t i = 0; i < sim_engine_count(sim->engine); i++) {
        remove_foreign_hosts(sim_engine_at(sim->engine, i));
    }
}
