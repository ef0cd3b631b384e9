#include "tests/support/sim.h"

#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "lib/doc/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX (4u * 1024u * 1024u)
#define CERTS "/etc/containerd/certs.d"

// A cluster's admin.conf. The PEM texts are none: nobody connects.
#define PEM "LS0tLS1CRUdJTiBYLS0tLS0K"
static const char admin_conf[] = "clusters:\n"
                                 "- name: a\n"
                                 "  cluster:\n"
                                 "    certificate-authority-data: " PEM "\n"
                                 "    server: https://node:6443\n"
                                 "contexts:\n"
                                 "- name: a\n"
                                 "  context: {cluster: a, user: a}\n"
                                 "current-context: a\n"
                                 "users:\n"
                                 "- name: a\n"
                                 "  user:\n"
                                 "    client-certificate-data: " PEM "\n"
                                 "    client-key-data: " PEM "\n";

// ---- what is there ----

static void fill_node(struct sim_container *node)
{
    // It says nothing of config_path, so that containerd's version has to be asked for.
    sim_files_write(&node->files, "/etc/containerd/config.toml", "version = 2\n");
    sim_files_write(&node->files, CERTS "/registry.example:5000/hosts.toml",
                    "server = \"https://registry.example\"\n");
    if (node->api_port != 0) {
        sim_files_write(&node->files, "/etc/kubernetes/admin.conf", admin_conf);
    }
}

struct sim_container *sim_add_worker(struct sim *sim, const char *cluster, const char *name)
{
    struct sim_container *node = sim_engine_add_node(sim->engine, cluster, name, 0);
    fill_node(node);
    return node;
}

static void put(struct sim_kube *kube, enum kube_kind kind, const char *name_space,
                const char *name)
{
    json_t *object = json_pack("{s:{s:s}, s:{s:s}}", "metadata", "name", name, "data", "a", "b");
    if (name_space != NULL) {
        (void)json_object_set_new(json_object_get(object, "metadata"), "namespace",
                                  json_string(name_space));
    }
    model_cluster_put(sim_kube_model(kube), kind, object);
}

void sim_add_cluster(struct sim *sim, const char *name, uint16_t port)
{
    assert_true(sim->cluster_count < SIM_CLUSTERS_MAX);
    struct sim_cluster *cluster = &sim->clusters[sim->cluster_count++];
    *cluster = (struct sim_cluster){
        .name = str_dup(name), .port = port, .kube = sim_kube_new(sim->http, port, true)};
    assert_non_null(cluster->name);
    put(cluster->kube, KUBE_NAMESPACE, NULL, "kube-public");
    put(cluster->kube, KUBE_NAMESPACE, NULL, "tools");
    put(cluster->kube, KUBE_CONFIG_MAP, "kube-public", "cluster-info");
    put(cluster->kube, KUBE_CONFIG_MAP, "tools", "registry-ui");
    _cleanup_free_ char *node = str_printf("%s-control-plane", name);
    fill_node(sim_engine_add_node(sim->engine, name, node, port));
}

void sim_remove_cluster(struct sim *sim, const char *name)
{
    size_t i = 0;
    while (!str_equal(sim->clusters[i].name, name)) {
        i++;
        assert_true(i < sim->cluster_count);
    }
    for (size_t j = sim_engine_count(sim->engine); j-- > 0;) {
        struct sim_container *container = sim_engine_at(sim->engine, j);
        const json_t *labels = json_object_get(container->spec, "Labels");
        if (str_equal(json_get_string(labels, WORLD_LABEL_KIND_CLUSTER, NULL), name)) {
            sim_engine_remove(sim->engine, container);
        }
    }
    sim_kube_free(sim->clusters[i].kube);
    free(sim->clusters[i].name);
    sim->clusters[i] = sim->clusters[--sim->cluster_count];
}

struct sim_kube *sim_kube(const struct sim *sim, const char *cluster)
{
    for (size_t i = 0; i < sim->cluster_count; i++) {
        if (str_equal(sim->clusters[i].name, cluster)) {
            return sim->clusters[i].kube;
        }
    }
    return NULL;
}

struct sim *sim_new(void)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    assert_non_null(sim);
    sim->http = sim_http_new();
    sim->engine = sim_engine_new(sim->http);
    sim_engine_publish(sim->engine, 5002);
    sim_engine_publish(sim->engine, 5003);
    // Not over the registry's storage, and of no name that is wanted.
    struct sim_container *web =
        sim_engine_add(sim->engine, "web", json_pack("{s:s}", "Image", "nginx:1"));
    sim_engine_attach(sim->engine, web, "web");
    sim_engine_start(sim->engine, web);
    sim_add_cluster(sim, "hostk8s", 6443);
    return sim;
}

void sim_free(struct sim *sim)
{
    while (sim->cluster_count > 0) {
        sim_remove_cluster(sim, sim->clusters[0].name);
    }
    sim_engine_free(sim->engine);
    sim_http_free(sim->http);
    free(sim);
}

// ---- the texts ----

#define LINE(text, ...) assert_int_equal(buf_printf((text), __VA_ARGS__), 0)

static bool is_own_container(const struct sim_container *container)
{
    const json_t *labels = json_object_get(container->spec, "Labels");
    return json_get_string(labels, WORLD_LABEL_OWNER, NULL) != NULL;
}

static bool is_own_file(const struct sim_file *file)
{
    return str_starts_with(file->content, DESIRED_HOSTS_MARK);
}

static void add_container(struct buf *text, const struct sim_container *container, bool own)
{
    if (own || !is_own_container(container)) {
        _cleanup_free_ char *spec = json_dumps(container->spec, JSON_COMPACT | JSON_SORT_KEYS);
        LINE(text, "container %s %s %s %s %s\n", container->name, container->state,
             container->error, container->network_id == NULL ? "-" : container->alias, spec);
    }
    for (size_t i = 0; i < container->files.count; i++) {
        const struct sim_file *file = &container->files.items[i];
        if (file->content != NULL && (own || !is_own_file(file))) {
            LINE(text, "file %s %s %s\n", container->name, file->path, file->content);
        }
    }
}

// By name: in which order they were made may differ.
static void add_containers(struct buf *text, const struct sim_engine *engine, bool own)
{
    const struct sim_container *last = NULL;
    for (size_t n = 0; n < sim_engine_count(engine); n++) {
        const struct sim_container *next = NULL;
        for (size_t i = 0; i < sim_engine_count(engine); i++) {
            const struct sim_container *container = sim_engine_at(engine, i);
            if ((last == NULL || strcmp(container->name, last->name) > 0) &&
                (next == NULL || strcmp(container->name, next->name) < 0)) {
                next = container;
            }
        }
        add_container(text, next, own);
        last = next;
    }
}

// Appends s with what stands for the registry's address where it is right.
static void add_by_address(struct buf *text, const struct sim_engine *engine, const char *s)
{
    const struct sim_container *registry = sim_engine_find(engine, "hostk8s-registry");
    _cleanup_free_ char *address =
        str_printf("\"172.18.0.%u\"", registry == NULL ? 0 : registry->address);
    for (const char *at = strstr(s, address); at != NULL; at = strstr(s, address)) {
        LINE(text, "%.*s(the registry)", (int)(at - s), s);
        s = at + strlen(address);
    }
    LINE(text, "%s\n", s);
}

static void add_cluster(struct buf *text, const struct sim_engine *engine,
                        const struct sim_cluster *cluster)
{
    struct model_cluster *model = sim_kube_model(cluster->kube);
    json_auto_t *objects = json_object();
    for (size_t i = 0; i < model_cluster_count(model); i++) {
        enum kube_kind kind = KUBE_NAMESPACE;
        json_auto_t *object = json_deep_copy(model_cluster_at(model, i, &kind));
        json_t *metadata = json_object_get(object, "metadata");
        (void)json_object_del(metadata, "uid");
        const char *name_space = json_get_string(metadata, "namespace", NULL);
        _cleanup_free_ char *key =
            str_printf("%s/%s/%s", kube_kinds[kind].kind, name_space == NULL ? "" : name_space,
                       json_get_string(metadata, "name", NULL));
        assert_int_equal(json_object_set(objects, key, object), 0);
    }
    _cleanup_free_ char *dump = json_dumps(objects, JSON_INDENT(1) | JSON_SORT_KEYS);
    LINE(text, "cluster %s ", cluster->name);
    add_by_address(text, engine, dump);
}

static void add_foreign(struct buf *text, const struct sim_cluster *cluster)
{
    json_auto_t *objects = model_cluster_foreign(sim_kube_model(cluster->kube));
    _cleanup_free_ char *dump = json_dumps(objects, JSON_INDENT(1) | JSON_SORT_KEYS);
    LINE(text, "cluster %s %s\n", cluster->name, dump);
}

static char *text_of(const struct sim *sim, bool own)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    add_containers(&text, sim->engine, own);
    for (size_t i = 0; i < sim->cluster_count; i++) {
        if (own) {
            add_cluster(&text, sim->engine, &sim->clusters[i]);
        } else {
            add_foreign(&text, &sim->clusters[i]);
        }
    }
    char *taken = buf_take(&text);
    assert_non_null(taken);
    return taken;
}

char *sim_text(const struct sim *sim)
{
    return text_of(sim, true);
}

char *sim_foreign_text(const struct sim *sim)
{
    return text_of(sim, false);
}

static void assert_same(const char *is, const char *expected)
{
    size_t same = 0;
    size_t line = 0;
    while (is[same] != '\0' && is[same] == expected[same]) {
        line = is[same] == '\n' ? same + 1 : line;
        same++;
    }
    if (is[same] != expected[same]) {
        fail_msg("the machine has\n%.*s\nin the place of\n%.*s", (int)strcspn(is + line, "\n"),
                 is + line, (int)strcspn(expected + line, "\n"), expected + line);
    }
}

void sim_assert_text(const struct sim *sim, const char *expected)
{
    _cleanup_free_ char *text = sim_text(sim);
    assert_same(text, expected);
}

void sim_assert_foreign_text(const struct sim *sim, const char *expected)
{
    _cleanup_free_ char *text = sim_foreign_text(sim);
    assert_same(text, expected);
}
