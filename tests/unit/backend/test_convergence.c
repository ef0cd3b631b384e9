// The real backend, clients and reconciler together, over a simulated machine: the first
// convergence, what a pass with nothing to do costs, and repairs.
#include "tests/support/rig.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/fake_clock.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define POLL_MS 10000
#define LOG_MAX (64u * 1024u)
#define REGISTRY "hostk8s-registry"
#define NODE "hostk8s-control-plane"
#define HOSTS "/etc/containerd/certs.d/localhost:5002/hosts.toml"
#define STAT "HEAD /v1.41/containers/id000003/archive?path=%2Fetc%2Fcontainerd%2F"
#define OWN "?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dhostk8s-registryd\n"

static struct rig *converged_rig(void)
{
    struct rig *rig = rig_new();
    assert_int_equal(rig_start(rig, sample_config(), RECONCILE_KEEP), 0);
    rig_converge(rig);
    return rig;
}

static void test_first_convergence(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    _cleanup_free_ char *foreign = sim_foreign_text(rig->sim);
    assert_int_equal(rig_start(rig, sample_config(), RECONCILE_KEEP), 0);
    rig_converge(rig);
    assert_int_equal(reconciler_status(rig->reconciler)->count, 11);
    assert_string_equal(sim_engine_find(rig->sim->engine, REGISTRY)->state, "running");
    assert_non_null(sim_files_get(&sim_engine_find(rig->sim->engine, NODE)->files, HOSTS)->content);
    sim_assert_foreign_text(rig->sim, foreign);
    assert_int_equal(sim_http_streams(rig->sim->http), 7); // the engine's, one for each kind
    rig_free(rig);
}

// Whoever changes this list changes what the daemon costs at rest.
static const char idle_pass[] =
    "GET /v1.41/containers/json?all=1\n"
    "GET /v1.41/containers/id000004/json\n"
    "GET /v1.41/networks/kind\n"
    "GET /v1.41/images/registry%3A2/json\n"
    "GET /v2/\n"
    "GET /api/v1/namespaces" OWN "GET /api/v1/configmaps" OWN STAT "config.toml\n"
    "GET /apis/apps/v1/deployments" OWN "GET /api/v1/services" OWN STAT
    "certs.d%2Flocalhost%3A5000%2Fhosts.toml\n"
    "GET /api/v1/endpoints" OWN "GET /apis/discovery.k8s.io/v1/endpointslices" OWN STAT
    "certs.d%2Flocalhost%3A5002%2Fhosts.toml\n"
    "GET /apis/networking.k8s.io/v1/ingresses" OWN
    "GET /apis/networking.k8s.io/v1/ingressclasses/nginx\n" STAT
    "certs.d%2F127.0.0.1%3A5002%2Fhosts.toml\n" STAT
    "certs.d%2Fhostk8s-registry%3A5000%2Fhosts.toml\n";

static void test_idle_pass(void **state)
{
    (void)state;
    struct rig *rig = converged_rig();
    _cleanup_free_ char *before = sim_text(rig->sim);
    _cleanup_buf_ struct buf log = BUF_INIT(LOG_MAX);
    uint64_t due_ms = 0;
    assert_true(reconciler_next_due(rig->reconciler, &due_ms)); // the poll, after all that was told

    sim_http_record(rig->sim->http, &log);
    rig_advance(rig, due_ms - fake_clock_ms() - 1);
    assert_string_equal(buf_str(&log), "");
    rig_advance(rig, 1);
    assert_string_equal(buf_str(&log), idle_pass);
    sim_assert_text(rig->sim, before);
    rig_free(rig);
}

// ---- repairs ----

static struct sim_container *registry(const struct rig *rig)
{
    struct sim_container *container = sim_engine_find(rig->sim->engine, REGISTRY);
    assert_non_null(container);
    return container;
}

static void stop(struct rig *rig)
{
    sim_engine_stop(rig->sim->engine, registry(rig));
}

static void remove_container(struct rig *rig)
{
    sim_engine_remove(rig->sim->engine, registry(rig));
}

static void rename_away(struct rig *rig)
{
    sim_engine_rename(rig->sim->engine, registry(rig), "elsewhere");
}

static void detach(struct rig *rig)
{
    sim_engine_detach(rig->sim->engine, registry(rig));
}

static void renew_network(struct rig *rig)
{
    struct sim_container *node = sim_engine_find(rig->sim->engine, NODE);
    sim_engine_renew_network(rig->sim->engine);
    sim_engine_attach(rig->sim->engine, node, NODE);
    sim_engine_attach(rig->sim->engine, sim_engine_find(rig->sim->engine, "web"), "web");
}

static void restart_engine(struct rig *rig)
{
    sim_engine_restart(rig->sim->engine);
}

static void restart_policy(struct rig *rig)
{
    json_t *policy = json_get_object(registry(rig)->spec, "HostConfig", "RestartPolicy", NULL);
    assert_int_equal(json_object_set_new(policy, "Name", json_string("no")), 0);
}

static struct sim_files *node_files(const struct rig *rig)
{
    return &sim_engine_find(rig->sim->engine, NODE)->files;
}

static void remove_hosts(struct rig *rig)
{
    sim_files_remove(node_files(rig), HOSTS);
}

static void edit_hosts(struct rig *rig)
{
    sim_files_write(node_files(rig), HOSTS, "# managed by hostk8s-registryd\nserver = 1\n");
}

static void remove_certs(struct rig *rig)
{
    // All but what is somebody else's.
    static const char *const aliases[] = {"localhost:5000", "localhost:5002", "127.0.0.1:5002",
                                          REGISTRY ":5000"};
    for (size_t i = 0; i < ELEMENTS(aliases); i++) {
        _cleanup_free_ char *path = str_printf("/etc/containerd/certs.d/%s", aliases[i]);
        sim_files_remove_tree(node_files(rig), path);
    }
}

static void renew_cluster(struct rig *rig)
{
    sim_remove_cluster(rig->sim, "hostk8s");
    sim_add_cluster(rig->sim, "hostk8s", 6444);
}

// Deletes, or edits, every object of the program but the namespace, and but what a controller made.
static void each_object(struct rig *rig, void (*damage)(struct model_cluster *model, size_t index))
{
    struct model_cluster *model = sim_kube_model(sim_kube(rig->sim, "hostk8s"));
    for (size_t i = model_cluster_count(model); i-- > 0;) {
        enum kube_kind kind = KUBE_NAMESPACE;
        const json_t *object = model_cluster_at(model, i, &kind);
        if (model_is_owned(kind, object) && kind != KUBE_NAMESPACE && kind != KUBE_ENDPOINTS) {
            damage(model, i);
        }
    }
    sim_kube_tell_all(sim_kube(rig->sim, "hostk8s"));
}

static void delete_objects(struct rig *rig)
{
    each_object(rig, model_cluster_remove);
}

static void unlabel_object(struct model_cluster *model, size_t index)
{
    enum kube_kind kind = KUBE_NAMESPACE;
    json_t *labels =
        json_get_object(model_cluster_at(model, index, &kind), "metadata", "labels", NULL);
    assert_int_equal(json_object_set_new(labels, "app.kubernetes.io/managed-by", json_string("x")),
                     0);
}

static void unlabel_objects(struct rig *rig)
{
    each_object(rig, unlabel_object);
}

static void delete_namespace(struct rig *rig)
{
    struct model_cluster *model = sim_kube_model(sim_kube(rig->sim, "hostk8s"));
    for (size_t i = model_cluster_count(model); i-- > 0;) {
        enum kube_kind kind = KUBE_NAMESPACE;
        const json_t *object = model_cluster_at(model, i, &kind);
        if (kind == KUBE_NAMESPACE && model_is_owned(kind, object)) {
            model_cluster_remove(model, i);
            break;
        }
    }
    model_cluster_settle(model);
    sim_kube_tell_all(sim_kube(rig->sim, "hostk8s"));
}

static void expire_watches(struct rig *rig)
{
    sim_kube_expire(sim_kube(rig->sim, "hostk8s"));
}

static const struct repair {
    const char *name;
    void (*damage)(struct rig *rig);
    uint64_t within_ms; // what an event tells needs no poll
} repairs[] = {
    {"container stopped", stop, 1000},
    {"container removed", remove_container, 1000},
    {"container renamed", rename_away, 1000},
    {"network detached", detach, 1000},
    {"network made anew", renew_network, 1000},
    {"engine restarted", restart_engine, 2000},
    {"restart policy, no event", restart_policy, POLL_MS + 1000},
    {"hosts.toml removed, no event", remove_hosts, POLL_MS + 1000},
    {"hosts.toml edited, no event", edit_hosts, POLL_MS + 1000},
    {"directories removed, no event", remove_certs, POLL_MS + 1000},
    {"cluster made anew", renew_cluster, 2000},
    {"objects deleted", delete_objects, 1000},
    {"objects' labels changed", unlabel_objects, 1000},
    {"namespace deleted", delete_namespace, 1000},
    {"watches too old", expire_watches, 1000},
};

static void test_repairs(void **state)
{
    (void)state;
    struct rig *rig = converged_rig();
    _cleanup_free_ char *whole = sim_text(rig->sim);
    for (size_t i = 0; i < ELEMENTS(repairs); i++) {
        print_message("%s\n", repairs[i].name);
        repairs[i].damage(rig);
        rig_advance(rig, repairs[i].within_ms);
        rig_assert_ready(rig);
        sim_assert_text(rig->sim, whole);
        assert_int_equal(sim_http_streams(rig->sim->http), 7);
        rig_advance(rig, 60000); // what is repaired often would be contended
    }
    rig_free(rig);
}

// ---- what comes and goes ----

static void test_worker(void **state)
{
    (void)state;
    struct rig *rig = converged_rig();
    struct sim_container *worker = sim_add_worker(rig->sim, "hostk8s", "hostk8s-worker");
    sim_engine_stop(rig->sim->engine, worker);
    sim_engine_start(rig->sim->engine, worker);
    rig_advance(rig, 1000);
    rig_assert_ready(rig);
    assert_non_null(sim_files_get(&worker->files, HOSTS));
    assert_int_equal(reconciler_status(rig->reconciler)->count, 12);
    sim_engine_remove(rig->sim->engine, worker);
    rig_advance(rig, 1000);
    rig_assert_ready(rig);
    assert_int_equal(reconciler_status(rig->reconciler)->count, 11);
    rig_free(rig);
}

static const char *reason_of(const struct rig *rig, const char *resource)
{
    const struct status_entry *entry = status_get(reconciler_status(rig->reconciler), resource);
    return entry == NULL ? "absent" : reason_name(entry->condition.reason);
}

// One that is away keeps nothing else from converging, and is found again.
static void test_absences(void **state)
{
    (void)state;
    struct rig *rig = converged_rig();
    sim_kube_listen(sim_kube(rig->sim, "hostk8s"), false);
    edit_hosts(rig);
    rig_advance(rig, POLL_MS + 1000);
    assert_string_equal(reason_of(rig, "kube/hostk8s/Namespace/hostk8s"), "ApiUnreachable");
    assert_string_equal(reason_of(rig, "node/" NODE), "Converged");
    sim_kube_listen(sim_kube(rig->sim, "hostk8s"), true);
    rig_advance(rig, 60000);
    rig_assert_ready(rig);

    sim_engine_listen(rig->sim->engine, false);
    rig_advance(rig, POLL_MS + 1000);
    assert_string_equal(reason_of(rig, "container/" REGISTRY), "EngineUnreachable");
    assert_string_equal(reason_of(rig, "node/" NODE), "EngineUnreachable");
    sim_engine_listen(rig->sim->engine, true);
    rig_advance(rig, 60000);
    rig_assert_ready(rig);
    rig_free(rig);
}

// Another image makes the container again, other aliases rewrite files, the UI goes and comes.
static void test_reload(void **state)
{
    (void)state;
    struct rig *rig = converged_rig();
    _cleanup_free_ char *whole = sim_text(rig->sim);
    struct config *other = sample_config();
    assert_int_equal(str_replace(&other->registry.image, "registry:3"), 0);
    assert_int_equal(strv_add(&other->nodes.aliases, "registry.local:5000"), 0);
    other->ui.enabled = false;
    rig_reload(rig, other);
    rig_converge(rig);
    assert_int_equal(reconciler_status(rig->reconciler)->count, 4);
    assert_string_equal(json_get_string(registry(rig)->spec, "Image", NULL), "registry:3");
    assert_null(sim_engine_find(rig->sim->engine, REGISTRY "-previous"));
    assert_non_null(
        sim_files_get(node_files(rig), "/etc/containerd/certs.d/registry.local:5000/hosts.toml"));

    rig_reload(rig, sample_config());
    rig_converge(rig);
    sim_assert_text(rig->sim, whole);
    rig_free(rig);
}

// Without the UI its namespace goes, unless somebody else has anything in it.
static void test_residents(void **state)
{
    (void)state;
    static const enum kube_kind kinds[] = {KUBE_CONFIG_MAP, KUBE_DEPLOYMENT,     KUBE_SERVICE,
                                           KUBE_ENDPOINTS,  KUBE_ENDPOINT_SLICE, KUBE_INGRESS};
    for (size_t i = 0; i < ELEMENTS(kinds); i++) {
        struct rig *rig = converged_rig();
        model_cluster_put(sim_kube_model(sim_kube(rig->sim, "hostk8s")), kinds[i],
                          json_pack("{s:{s:s, s:s}, s:{}}", "metadata", "name", "theirs",
                                    "namespace", "hostk8s", "spec"));
        _cleanup_free_ char *foreign = sim_foreign_text(rig->sim);
        struct config *without = sample_config();
        without->ui.enabled = false;
        rig_reload(rig, without);
        rig_converge(rig);
        sim_assert_foreign_text(rig->sim, foreign);
        rig_free(rig);
    }
}

// A container that does not come up is put back.
static void test_put_back(void **state)
{
    (void)state;
    struct rig *rig = converged_rig();
    _cleanup_free_ char *whole = sim_text(rig->sim);
    struct config *crashing = sample_config();
    assert_int_equal(str_replace(&crashing->registry.image, "registry:crash"), 0);
    rig_reload(rig, crashing);
    assert_true(rig_settle(rig, 60000));
    assert_string_equal(reason_of(rig, "container/" REGISTRY), "Unavailable");
    sim_assert_text(rig->sim, whole);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_convergence), cmocka_unit_test(test_idle_pass),
        cmocka_unit_test(test_repairs),           cmocka_unit_test(test_worker),
        cmocka_unit_test(test_absences),          cmocka_unit_test(test_reload),
        cmocka_unit_test(test_residents),         cmocka_unit_test(test_put_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
