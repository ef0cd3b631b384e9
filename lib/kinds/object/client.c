#include "lib/kinds/object/client.h"

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/io.h"

#include <errno.h>
#include <string.h>

#define ADMIN_CONF "/etc/kubernetes/admin.conf"
#define KUBECONFIG_BYTES_MAX (1024u * 1024u)

// ---- what is kept ----

struct object_memory *object_memory_get(memory_t *memory)
{
    if (*memory == NULL) {
        *memory = object_memory_ref(xcalloc(1, sizeof(struct object_memory)));
    }
    return *memory;
}

struct object_memory *object_memory_ref(struct object_memory *memory)
{
    memory->refs++;
    return memory;
}

static void drop_lists(struct object_memory *memory)
{
    for (size_t i = 0; i < OBJECT_APIS_MAX; i++) {
        free(TAKE_PTR(memory->listed[i]));
    }
}

void object_memory_unref(struct object_memory *memory)
{
    if (--memory->refs == 0) {
        drop_lists(memory);
        strmap_done(&memory->agreed);
        free(memory->watches.key);
        free(memory->connect.source);
        free(memory->source);
        free(memory);
    }
}

// No answer: another server may be there by now, or one with another certificate.
void object_memory_failed(struct object_memory *memory, const struct error *err)
{
    bool no_answer = err->status == 0 && !error_is_own(err);
    if (no_answer || err->status == 401 || err->status == 404) {
        free(TAKE_PTR(memory->source));
    }
}

// NULL for what has no uid or no version.
static char *stamp_of(const char *digest, const json_t *json)
{
    const char *uid = json_get_string(json, "metadata", "uid", NULL);
    const char *version = json_get_string(json, "metadata", "resourceVersion", NULL);
    return uid == NULL || version == NULL ? NULL : str_printf("%s %s %s", uid, version, digest);
}

void object_memory_agree(struct object_memory *memory, const char *resource, const char *digest,
                         const json_t *json)
{
    _cleanup_free_ char *stamp = stamp_of(digest, json);
    if (stamp != NULL) {
        strmap_set(&memory->agreed, resource, stamp);
    }
}

bool object_memory_agrees(const struct object_memory *memory, const char *resource,
                          const char *digest, const json_t *json)
{
    _cleanup_free_ char *stamp = stamp_of(digest, json);
    return stamp != NULL && str_equal(strmap_get(&memory->agreed, resource), stamp);
}

bool object_memory_knows(const struct object_memory *memory, const json_t *json)
{
    bool knows = false;
    _cleanup_free_ char *stamp = stamp_of("", json); // the beginning of all others
    strmap_foreach (&memory->agreed, entry) {
        knows = knows || (stamp != NULL && str_starts_with(entry->value, stamp));
    }
    return knows;
}

// ---- the connection ----

static void make_client(struct object_memory *memory, const struct kube_credentials *credentials,
                        struct error *err)
{
    const struct io *io = memory->connect.io;
    struct api *kube = NULL;
    if (!memory->cancelled &&
        kube_new(io->transport, credentials, memory->connect.input->config->reconcile.timeout_ms,
                 io->secrets, &kube, err) == 0) {
        api_free(memory->kube);
        free(memory->source);
        memory->kube = kube;
        memory->source = TAKE_PTR(memory->connect.source);
        memory->connected_ms = io->now_ms;
        memory->discovered_ms = 0;
        drop_lists(memory);
        memory->no_left_over = false;
    }
}

static void end(struct object_memory *memory, struct error *error)
{
    if (memory->cancelled) {
        (void)error_set(error, ERROR_TRANSIENT, ECANCELED, "cancelled");
    }
    memory->connect.done(memory->connect.ctx, error->kind == ERROR_NONE ? NULL : error);
}

// ---- a node's admin.conf ----

// Replaces the server of an admin.conf by the published address, keeping the old host as the name
// that the certificate must be for: kubeadm puts it there whatever address kind publishes.
static void point_at_published_port(const struct engine *engine, const struct engine_api *api,
                                    struct kube_credentials *credentials)
{
    if (str_empty(credentials->tls_server_name)) {
        const char *name = credentials->server + strlen("https://"); // as kubeconfig_parse gives it
        size_t length = name[0] == '[' ? strcspn(name, "]") + 1 : strcspn(name, ":");
        free(credentials->tls_server_name);
        credentials->tls_server_name = str_dup_n(name, length);
    }
    char host[ENGINE_HOST_SIZE];
    engine_published_host(engine->about.host, api->host_address, host, sizeof(host));
    free(credentials->server);
    credentials->server = str_printf("https://%s:%u", host, api->host_port);
}

static void on_admin_conf(void *ctx, const struct docker_file *files, size_t count,
                          const struct error *err)
{
    struct object_memory *memory = ctx;
    const struct input *input = memory->connect.input;
    struct kube_credentials credentials = {0};
    struct error error = {0};
    if (err != NULL) {
        error = *err;
        (void)error_wrap(&error, "cannot read %s of cluster %s", ADMIN_CONF, input->name);
        // A node that is only starting has none yet.
        error.kind = error.status == 404 ? ERROR_TRANSIENT : error.kind;
    } else if (count == 0 || files[0].content == NULL) {
        (void)error_set(&error, ERROR_TRANSIENT, ENODATA, "cluster %s has no %s yet", input->name,
                        ADMIN_CONF);
    } else if (kubeconfig_parse(files[0].content, files[0].length, NULL, NULL, &credentials,
                                &error) >= 0) {
        point_at_published_port(input->engine, engine_api(input->engine, input->name),
                                &credentials);
        make_client(memory, &credentials, &error);
    }
    kube_credentials_done(&credentials);
    end(memory, &error);
}

static int connect_by_node(struct object_memory *memory, struct error *err)
{
    struct docker *docker = memory->connect.io->docker;
    const struct engine *engine = memory->connect.input->engine;
    const char *cluster = memory->connect.input->name;
    const struct engine_node *node =
        engine == NULL ? NULL : engine_first_control_plane(engine, cluster);
    if (node == NULL) {
        return error_set(err, ERROR_PERMANENT, ENOENT, "no kind cluster %s on this engine",
                         cluster);
    }
    const struct engine_api *api = engine_api(engine, cluster);
    if (api == NULL) {
        return error_set(err, ERROR_TRANSIENT, ECONNREFUSED,
                         "the API server's port of cluster %s is not published: is %s running?",
                         cluster, node->name);
    }
    free(memory->connect.source);
    memory->connect.source = str_printf("%s %s:%u", node->id, api->host_address, api->host_port);
    if (memory->kube != NULL && str_equal(memory->source, memory->connect.source)) {
        return 1;
    }
    if (docker == NULL) {
        return error_set(err, ERROR_TRANSIENT, ENOTCONN, "there is no connection to the engine");
    }
    return docker_archive_get(docker, node->id, ADMIN_CONF, NULL, on_admin_conf, memory, err);
}

// ---- kubernetes.kubeconfig ----

// What is read in a thread, with the files that it names.
struct kubeconfig_work {
    char *path;
    char *context;
    struct kube_credentials credentials;
    struct error error;
};

static void kubeconfig_destroy(void *block)
{
    struct kubeconfig_work *work = block;
    kube_credentials_done(&work->credentials);
    free(work->path);
    free(work->context);
    free(work);
}

static void kubeconfig_run(void *block)
{
    struct kubeconfig_work *work = block;
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    struct error error = {0};
    int r = file_read(work->path, KUBECONFIG_BYTES_MAX, FILE_REGULAR, &text, &length, &error);
    if (r < 0) {
        // ENOENT would say that there is no such cluster.
        (void)error_set(&work->error, error.kind, r == -ENOENT ? ENOTDIR : -r,
                        "kubernetes.kubeconfig %s %s", work->path, error.text);
        return;
    }
    (void)kubeconfig_parse(text, length, work->path, work->context, &work->credentials,
                           &work->error);
    explicit_bzero(text, length);
}

static void on_kubeconfig(void *ctx, void *block, const struct error *err)
{
    struct object_memory *memory = ctx;
    struct kubeconfig_work *work = block;
    struct error error = {0};
    if (err != NULL) {
        error = *err;
        (void)error_wrap(&error, "kubernetes.kubeconfig");
    } else if (work->error.kind != ERROR_NONE) {
        error = work->error;
    } else {
        make_client(memory, &work->credentials, &error);
    }
    end(memory, &error);
}

static int connect_by_file(struct object_memory *memory)
{
    const struct input *input = memory->connect.input;
    if (memory->kube != NULL && memory->source != NULL) {
        return 1;
    }
    str_replace(&memory->connect.source, input->config->kubeconfig);
    struct kubeconfig_work *block = xcalloc(1, sizeof(*block));
    block->path = str_dup(input->config->kubeconfig);
    block->context = str_printf("kind-%s", input->name);
    const struct work work = {
        .name = input->config->kubeconfig,
        .run = kubeconfig_run,
        .destroy = kubeconfig_destroy,
        .timeout_ms = input->config->reconcile.timeout_ms,
        .done = on_kubeconfig,
        .ctx = memory,
    };
    work_submit(memory->connect.io->worker, &work, block);
    return 0;
}

int object_connect(struct io *io, struct object_memory *memory, const struct input *input,
                   object_connected_fn done, void *ctx, struct error *err)
{
    memory->cancelled = false;
    memory->connect.io = io;
    memory->connect.input = input;
    memory->connect.done = done;
    memory->connect.ctx = ctx;
    return input->config->kubeconfig == NULL ? connect_by_node(memory, err)
                                             : connect_by_file(memory);
}
