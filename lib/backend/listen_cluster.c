// The watches of one cluster, one for each managed kind, as one stream: the first that fails ends
// them all. A watch that the server ends after its time goes on from the version last seen; one
// whose version is too old (410 Gone) begins anew. What comes is not looked at but for its version.
#include "lib/backend/backend_internal.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>
#include <time.h>

#define STATUS_GONE 410
#define BRIEF_SECONDS 5 // a watch that a healthy server ends lasts longer

struct watch {
    struct cluster_stream *stream;
    enum kube_kind kind;
    char *version;    // last seen, NULL: from what is there now
    int64_t opened_s; // monotonic
};

struct cluster_stream {
    struct real_backend *backend;
    struct cluster_client *client;
    char *key;
    bool ending;      // told to end, or one of them failed
    bool owns_client; // it was forgotten meanwhile
    listen_dirty_fn dirty;
    listen_done_fn done;
    void *ctx;
    struct error error; // why it ends
    unsigned open;
    struct watch watches[_KUBE_KIND_COUNT];
    struct cluster_stream *next;
};

static void stream_free(struct cluster_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    for (size_t i = 0; i < _KUBE_KIND_COUNT; i++) {
        free(stream->watches[i].version);
    }
    if (stream->owns_client) {
        cluster_client_free(stream->client);
    }
    free(stream->key);
    free(stream);
}

static void stream_unlink(struct cluster_stream *stream)
{
    struct cluster_stream **at = &stream->backend->cluster_streams;
    while (*at != stream) {
        at = &(*at)->next;
    }
    *at = stream->next;
}

static void stream_stop(struct cluster_stream *stream, const struct error *why)
{
    if (!stream->ending) {
        stream->ending = true;
        stream->error = *why;
        kube_watch_cancel_all(stream->client->kube);
    }
}

static void mark(struct cluster_stream *stream)
{
    if (!stream->ending) {
        stream->dirty(stream->ctx, stream->key);
    }
}

static int on_event(void *ctx, const json_t *event)
{
    struct watch *watch = ctx;
    const char *version = json_get_string(event, "object", "metadata", "resourceVersion", NULL);
    if (version != NULL && str_replace(&watch->version, version) < 0) {
        return -ENOMEM;
    }
    if (!str_equal(json_get_string(event, "type", NULL), "BOOKMARK")) {
        mark(watch->stream);
    }
    return 0;
}

static int64_t monotonic_s(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static int watch_open(struct watch *watch, struct error *err);

// The end of one watch: open it again, or let the stream end with the last of them.
static void on_end(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct watch *watch = ctx;
    struct cluster_stream *stream = watch->stream;
    struct error error = {0};
    stream->open--;
    bool gone = err != NULL && err->status == STATUS_GONE && watch->version != NULL;
    if (err != NULL && !gone) {
        error = *err;
    } else if (monotonic_s() - watch->opened_s < BRIEF_SECONDS && !gone) {
        // Opening it again at once would be a hot loop.
        (void)error_set(&error, ERROR_TRANSIENT, ECONNRESET, "kube: a watch of %s ended at once",
                        kube_kinds[watch->kind].plural);
    } else if (!stream->ending) {
        if (gone) {
            free(TAKE_PTR(watch->version));
            mark(stream);
        }
        (void)watch_open(watch, &error);
    }
    if (error.kind != ERROR_NONE) {
        stream_stop(stream, &error);
    }
    if (stream->ending && stream->open == 0) {
        stream_unlink(stream);
        stream->done(stream->ctx, &stream->error);
        stream_free(stream);
    }
}

static int watch_open(struct watch *watch, struct error *err)
{
    struct cluster_stream *stream = watch->stream;
    _cleanup_free_ char *path = NULL;
    if (kube_kind_path(watch->kind, NULL, NULL, &path) < 0) {
        return error_oom(err);
    }
    watch->opened_s = monotonic_s();
    int r = kube_watch(stream->client->kube, path, WORLD_OWN_SELECTOR, watch->version, on_event,
                       on_end, watch, err);
    if (r < 0) {
        return r;
    }
    stream->open++;
    return 0;
}

// Of the endpoints only the kind that is desired.
static bool is_watched(const struct world_apis *apis, enum kube_kind kind)
{
    return kind == KUBE_ENDPOINT_SLICE ? apis->endpoint_slice_v1
           : kind == KUBE_ENDPOINTS    ? !apis->endpoint_slice_v1
           : kind == KUBE_INGRESS      ? apis->ingress_v1
                                       : true;
}

void cluster_stream_end(struct real_backend *backend, const char *cluster)
{
    struct error why;
    (void)error_set(&why, ERROR_TRANSIENT, ECANCELED, "kube: no longer listening");
    for (struct cluster_stream *stream = backend->cluster_streams; stream != NULL;
         stream = stream->next) {
        if (cluster == NULL || str_equal(stream->client->cluster, cluster)) {
            stream_stop(stream, &why);
        }
    }
}

bool cluster_stream_adopts(struct real_backend *backend, struct cluster_client *client)
{
    for (struct cluster_stream *stream = backend->cluster_streams; stream != NULL;
         stream = stream->next) {
        if (stream->client == client) {
            struct error why;
            (void)error_set(&why, ERROR_TRANSIENT, ECANCELED, "kube: the connection was given up");
            stream->owns_client = true;
            stream_stop(stream, &why);
            return true;
        }
    }
    return false;
}

int listen_to_cluster(struct real_backend *backend, const char *cluster, listen_dirty_fn dirty,
                      listen_done_fn done, void *ctx, struct error *err)
{
    struct cluster_client *client = cluster_client_find(backend, cluster);
    if (client == NULL || !client->discovered) {
        return error_set(err, ERROR_TRANSIENT, ENOTCONN, "kube: no connection to listen on");
    }
    struct cluster_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return error_oom(err);
    }
    *stream = (struct cluster_stream){.backend = backend,
                                      .client = client,
                                      .dirty = dirty,
                                      .done = done,
                                      .ctx = ctx,
                                      .key = str_printf("cluster/%s", cluster)};
    int r = stream->key == NULL ? error_oom(err) : 0;
    for (enum kube_kind kind = 0; r >= 0 && kind < _KUBE_KIND_COUNT; kind++) {
        stream->watches[kind] = (struct watch){.stream = stream, .kind = kind};
        if (is_watched(&client->apis, kind)) {
            r = watch_open(&stream->watches[kind], err);
        }
    }
    if (stream->open == 0) {
        stream_free(stream);
        return r;
    }
    stream->next = backend->cluster_streams;
    backend->cluster_streams = stream;
    if (r < 0 && err != NULL) {
        // Those that are open have to end first.
        struct error why = *err;
        stream_stop(stream, &why);
    }
    return 0;
}
