#include "tests/support/fake_backend.h"

#include "lib/base/str.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OPS_MAX 128
#define FAULTS_MAX 8
#define CALLS_MAX 256
#define STREAMS_MAX 64

struct fake_op {
    char key[96];
    const struct action *action; // NULL: an observation
    const struct plan_input *input;
    observe_done_fn observe_done;
    act_done_fn act_done;
    void *ctx;
    bool cancelled;
};

struct fake_fault {
    const char *prefix;
    unsigned type;
    struct error error;
    size_t count;
};

struct fake_calls {
    char key[96];
    size_t observed;
    size_t forgotten;
};

struct fake_stream {
    char key[96]; // "": none
    listen_dirty_fn dirty;
    listen_done_fn done;
    void *ctx;
    bool cancelled;
};

struct fake_backend {
    struct backend backend;
    struct backend_ops ops_offered;
    struct fake_stream streams[STREAMS_MAX];
    struct fake_world world;
    struct fake_fault faults[FAULTS_MAX];
    size_t fault_count;
    struct error refusal;
    bool ignores;
    const char *silent;

    struct fake_op ops[OPS_MAX];
    size_t op_count;
    struct fake_calls calls[CALLS_MAX];
    size_t call_count;
    size_t acted[_ACTION_TYPE_COUNT];
    size_t forgotten_all;
    size_t most_under_way;
    bool overlapped;
};

static void copy(char *target, size_t size, const char *source)
{
    int n = snprintf(target, size, "%s", source);
    assert(n >= 0 && (size_t)n < size);
    (void)n;
}

#define COPY(target, source) copy(target, sizeof(target), source)

// ---- operations ----

static struct fake_calls *calls_of(struct fake_backend *fake, const char *key)
{
    for (size_t i = 0; i < fake->call_count; i++) {
        if (str_equal(fake->calls[i].key, key)) {
            return &fake->calls[i];
        }
    }
    assert(fake->call_count < CALLS_MAX);
    COPY(fake->calls[fake->call_count].key, key);
    return &fake->calls[fake->call_count++];
}

static int submit(struct fake_backend *fake, const struct fake_op *op, struct error *err)
{
    if (fake->refusal.kind != ERROR_NONE) {
        *err = TAKE_STRUCT(fake->refusal);
        return -err->code;
    }
    for (size_t i = 0; i < fake->op_count; i++) {
        fake->overlapped = fake->overlapped || fake->ops[i].ctx == op->ctx;
    }
    assert(fake->op_count < OPS_MAX);
    fake->ops[fake->op_count++] = *op;
    if (fake->op_count > fake->most_under_way) {
        fake->most_under_way = fake->op_count;
    }
    return 0;
}

static int fake_observe(struct backend *backend, const char *key, const struct plan_input *input,
                        observe_done_fn done, void *ctx, struct error *err)
{
    struct fake_backend *fake = (struct fake_backend *)backend;
    calls_of(fake, key)->observed++;
    struct fake_op op = {.input = input, .observe_done = done, .ctx = ctx};
    COPY(op.key, key);
    return submit(fake, &op, err);
}

static int fake_act(struct backend *backend, const struct action *action,
                    const struct plan_input *input, act_done_fn done, void *ctx, struct error *err)
{
    struct fake_backend *fake = (struct fake_backend *)backend;
    fake->acted[action->type]++;
    struct fake_op op = {.action = action, .input = input, .act_done = done, .ctx = ctx};
    COPY(op.key, action->resource);
    return submit(fake, &op, err);
}

static void fake_unlisten(struct backend *backend, const char *key)
{
    struct fake_backend *fake = (struct fake_backend *)backend;
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        struct fake_stream *stream = &fake->streams[i];
        bool meant = stream->key[0] != '\0' && (key == NULL || strcmp(stream->key, key) == 0);
        stream->cancelled = stream->cancelled || meant;
    }
}

static void fake_cancel(struct backend *backend, bool actions_too)
{
    struct fake_backend *fake = (struct fake_backend *)backend;
    for (size_t i = 0; i < fake->op_count; i++) {
        struct fake_op *op = &fake->ops[i];
        bool harmless = op->action == NULL || op->action->type == ACTION_IMAGE_PULL;
        op->cancelled = op->cancelled || harmless || actions_too;
    }
    fake_unlisten(backend, NULL);
}

static void fake_forget(struct backend *backend, const char *key)
{
    struct fake_backend *fake = (struct fake_backend *)backend;
    if (key == NULL) {
        fake->forgotten_all++;
    } else {
        calls_of(fake, key)->forgotten++;
    }
}

static bool fails(struct fake_backend *fake, const struct fake_op *op, struct error *ret)
{
    if (op->cancelled) {
        (void)error_set(ret, ERROR_TRANSIENT, ECANCELED, "cancelled");
        return true;
    }
    unsigned type = op->action == NULL ? FAKE_OBSERVE : op->action->type;
    for (size_t i = 0; i < fake->fault_count; i++) {
        struct fake_fault *fault = &fake->faults[i];
        if (fault->type == type && fault->count > 0 && str_starts_with(op->key, fault->prefix)) {
            fault->count -= fault->count != SIZE_MAX;
            *ret = fault->error;
            return true;
        }
    }
    return false;
}

static void run_observation(struct fake_backend *fake, const struct fake_op *op)
{
    struct error err = {0};
    if (fails(fake, op, &err)) {
        op->observe_done(op->ctx, NULL, &err);
        return;
    }
    struct observation observation = {0};
    if (str_equal(op->key, "engine")) {
        observation.engine = fake_world_engine(&fake->world);
    } else if (str_starts_with(op->key, "node/")) {
        observation.node = fake_world_node(&fake->world, op->key + strlen("node/"));
    } else {
        struct model_cluster *model = fake_cluster(&fake->world, op->key + strlen("cluster/"));
        observation.cluster = model_cluster_observe(model, op->input->config, true);
    }
    op->observe_done(op->ctx, &observation, NULL);
    assert(observation.engine == NULL && observation.node == NULL && observation.cluster == NULL);
}

static void run_action(struct fake_backend *fake, const struct fake_op *op)
{
    struct error err = {0};
    bool failed = fails(fake, op, &err);
    if (failed && op->action->type == ACTION_CONTAINER_START && err.status != 0) {
        fake_world_start_failed(&fake->world, op->action->target, err.text);
    }
    int r = failed || fake->ignores ? 0 : fake_world_act(&fake->world, op->action);
    if (r < 0) {
        (void)error_set(&err, ERROR_CONFLICT, -r, "the model refuses it");
        err.status = 409;
    }
    op->act_done(op->ctx, failed || r < 0 ? &err : NULL);
}

bool fake_run_one(struct fake_backend *fake)
{
    size_t i = 0;
    while (i < fake->op_count && fake->silent != NULL && !fake->ops[i].cancelled &&
           str_starts_with(fake->ops[i].key, fake->silent)) {
        i++;
    }
    if (i == fake->op_count) {
        return false;
    }
    struct fake_op op = fake->ops[i];
    fake->op_count--;
    memmove(fake->ops + i, fake->ops + i + 1, (fake->op_count - i) * sizeof(op));
    if (op.action == NULL) {
        run_observation(fake, &op);
    } else {
        run_action(fake, &op);
    }
    return true;
}

static struct fake_stream *stream_of(struct fake_backend *fake, const char *key)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (strcmp(fake->streams[i].key, key) == 0) {
            return &fake->streams[i];
        }
    }
    return NULL;
}

// The same where the test would be wrong if there were none.
static struct fake_stream *the_stream_of(struct fake_backend *fake, const char *key)
{
    struct fake_stream *stream = stream_of(fake, key);
    if (stream == NULL) {
        (void)fprintf(stderr, "nothing listens to %s\n", key);
        abort();
    }
    return stream;
}

void fake_hang_up(struct fake_backend *fake, const char *key, const struct error *error)
{
    struct fake_stream *stream = the_stream_of(fake, key);
    struct fake_stream ended = TAKE_STRUCT(*stream);
    ended.done(ended.ctx, error);
}

static void end_cancelled_streams(struct fake_backend *fake)
{
    struct error cancelled;
    (void)error_set(&cancelled, ERROR_TRANSIENT, ECANCELED, "no longer listening");
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (fake->streams[i].cancelled) {
            fake_hang_up(fake, fake->streams[i].key, &cancelled);
        }
    }
}

size_t fake_run(struct fake_backend *fake)
{
    end_cancelled_streams(fake);
    size_t count = fake->op_count;
    size_t answered = 0;
    while (answered < count && fake_run_one(fake)) {
        answered++;
    }
    return answered;
}

// ---- the rest ----

void fake_fail(struct fake_backend *fake, const char *prefix, unsigned type,
               const struct error *error, size_t count)
{
    assert(fake->fault_count < FAULTS_MAX);
    fake->faults[fake->fault_count++] = (struct fake_fault){prefix, type, *error, count};
}

void fake_refuse(struct fake_backend *fake, const struct error *error)
{
    fake->refusal = *error;
}

void fake_heal(struct fake_backend *fake)
{
    fake->fault_count = 0;
}

void fake_ignore_actions(struct fake_backend *fake, bool ignore)
{
    fake->ignores = ignore;
}

void fake_silence(struct fake_backend *fake, const char *prefix)
{
    fake->silent = prefix;
}

size_t fake_under_way(const struct fake_backend *fake)
{
    return fake->op_count;
}

size_t fake_observed(const struct fake_backend *fake, const char *key)
{
    return calls_of((struct fake_backend *)fake, key)->observed;
}

size_t fake_acted(const struct fake_backend *fake, unsigned type)
{
    return fake->acted[type];
}

size_t fake_forgotten(const struct fake_backend *fake, const char *key)
{
    return key == NULL ? fake->forgotten_all
                       : calls_of((struct fake_backend *)fake, key)->forgotten;
}

size_t fake_most_under_way(const struct fake_backend *fake)
{
    return fake->most_under_way;
}

bool fake_overlapped(const struct fake_backend *fake)
{
    return fake->overlapped;
}

static int fake_listen(struct backend *backend, const char *key, const struct plan_input *input,
                       listen_dirty_fn dirty, listen_done_fn done, void *ctx, struct error *err)
{
    struct fake_backend *fake = (struct fake_backend *)backend;
    (void)input;
    assert(stream_of(fake, key) == NULL);
    if (fake->refusal.kind != ERROR_NONE) {
        *err = TAKE_STRUCT(fake->refusal);
        return -err->code;
    }
    struct fake_stream *stream = the_stream_of(fake, "");
    *stream = (struct fake_stream){.dirty = dirty, .done = done, .ctx = ctx};
    COPY(stream->key, key);
    return 0;
}

void fake_offer_streams(struct fake_backend *fake)
{
    fake->ops_offered.listen = fake_listen;
    fake->ops_offered.unlisten = fake_unlisten;
}

bool fake_is_listened_to(const struct fake_backend *fake, const char *key)
{
    return stream_of((struct fake_backend *)fake, key) != NULL;
}

void fake_tell(struct fake_backend *fake, const char *key, const char *dirty)
{
    const struct fake_stream *stream = the_stream_of(fake, key);
    stream->dirty(stream->ctx, dirty);
}

struct fake_backend *fake_backend_new(void)
{
    struct fake_backend *fake = calloc(1, sizeof(*fake));
    assert(fake != NULL);
    fake->ops_offered = (struct backend_ops){
        .observe = fake_observe, .act = fake_act, .cancel = fake_cancel, .forget = fake_forget};
    fake->backend.ops = &fake->ops_offered;
    fake_world_init(&fake->world);
    return fake;
}

struct fake_world *fake_world(struct fake_backend *fake)
{
    return &fake->world;
}

struct backend *fake_backend(struct fake_backend *fake)
{
    return &fake->backend;
}

void fake_backend_free(struct fake_backend *fake)
{
    assert(fake->op_count == 0);
    fake_world_done(&fake->world);
    free(fake);
}
