// The requests of an observation: which APIs are served, unless that is known; a list by label of
// each managed kind; a GET of each desired object that no list had (absent, or not ours), of what
// it needs, and of what is left over; a dry run of each owned one that is not known to be right,
// and its pods where they tell why it is not ready. Each of these is a phase: it adds its requests
// to a queue when all answers to the one before are there.
#include "lib/kinds/object/observe.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/io.h"
#include "lib/kinds/object/desired.h"
#include "lib/kinds/object/diff.h"

#include <errno.h>

// More would save little: each answer takes the server about a millisecond, and each further
// connection costs both sides a TLS handshake and its memory.
#define AT_ONCE 2
// An API server that is starting lists its groups one after the other.
#define DISCOVERY_SETTLE_MS 20000

struct observation {
    struct io *io;
    struct object_memory *memory;
    const struct input *input;
    observe_done_fn done;
    void *ctx;
    struct object_current *current;
    size_t phase;
    struct request **queue; // of current's arena
    size_t count;
    size_t sent;
    size_t pending;
    struct error error; // the first one: nothing is sent after it
};

enum verb {
    GET_GROUPS,
    LIST,      // of api
    GET,       // likewise
    DRY_APPLY, // of the object
    DRY_CREATE,
    LIST_PODS,
};

struct request {
    struct observation *observation;
    enum verb verb;
    const char *path;
    const struct object_api *api;
    struct object *object;
};

static void ask(struct observation *o, enum verb verb, const char *path,
                const struct object_api *api, struct object *object)
{
    struct request *request = arena_alloc(&o->current->arena, sizeof(*request));
    *request = (struct request){o, verb, path, api, object};
    *ARENA_GROW(&o->current->arena, o->queue, o->count) = request;
}

// ---- the phases ----

// Returns whether what is known to be served will do: all kinds are, or what is not had its time to
// be (a custom one needs none) and is not desired.
static bool take_served(struct observation *o)
{
    const struct object_memory *memory = o->memory;
    bool settled = memory->discovered_ms >= memory->connected_ms + DISCOVERY_SETTLE_MS;
    bool complete = memory->discovered_ms > 0;
    for (size_t i = 0; i < object_api_count; i++) {
        o->current->served[i] = memory->served[i];
        complete = complete && (settled || memory->served[i] || object_apis[i].custom);
    }
    object_desired_set(o->current, o->input->config, o->input->engine);
    for (size_t i = 0; i < o->current->count; i++) {
        const struct object *object = o->current->objects[i];
        complete = complete && (object->row == NULL || object_is_served(o->current, object->api));
    }
    return complete;
}

static void ask_groups(struct observation *o)
{
    if (!take_served(o)) {
        ask(o, GET_GROUPS, "/apis", NULL, NULL);
    }
}

static void ask_lists(struct observation *o)
{
    for (size_t i = 0; i < object_api_count; i++) {
        const struct object_api *api = &object_apis[i];
        if (api->selector != NULL && object_is_served(o->current, api)) {
            ask(o, LIST, object_collection(&o->current->arena, api, NULL), api, NULL);
        } else {
            free(TAKE_PTR(o->memory->listed[i]));
        }
    }
}

static void ask_object(struct observation *o, const struct object *object)
{
    bool asked = object->json != NULL || object->refusal != NULL ||
                 !object_is_served(o->current, object->api);
    for (size_t i = 0; i < o->count; i++) {
        asked = asked || o->queue[i]->path == object->path;
    }
    if (!asked) {
        ask(o, GET, object->path, object->api, NULL);
    }
}

static void ask_unlisted(struct observation *o)
{
    // What is desired may depend on what was found, as the endpoints do on the Service.
    object_desired_set(o->current, o->input->config, o->input->engine);
    for (size_t i = 0; i < o->current->count; i++) {
        const struct object *object = o->current->objects[i];
        if ((object->row != NULL && object->waits == NULL) ||
            (object->left_over && !o->memory->no_left_over)) {
            ask_object(o, object);
        }
        if (object->row != NULL && object->need != NULL) {
            ask_object(o, object->need);
        }
    }
}

static void ask_of_owned(struct observation *o)
{
    o->memory->no_left_over = true;
    for (size_t i = 0; i < o->current->count && o->input->desired; i++) {
        struct object *object = o->current->objects[i];
        const struct object_row *row = object->row;
        if (object->made_by_hostk8s || (object->left_over && object->refusal != NULL)) {
            o->memory->no_left_over = false;
        }
        if (row == NULL || !object->owned || object->made_by_hostk8s || object->deleting ||
            object->waits != NULL) {
            continue;
        }
        if (!object_memory_agrees(o->memory, object->resource, object->digest, object->json)) {
            ask(o, DRY_APPLY, object->path, object->api, object);
        }
        if (row->asks_pods != NULL && row->asks_pods(object)) {
            const char *path =
                arena_printf(&o->current->arena, "/api/v1/namespaces/%s/pods", object->name_space);
            ask(o, LIST_PODS, path, NULL, object);
        }
    }
}

static void (*const phases[])(struct observation *o) = {ask_groups, ask_lists, ask_unlisted,
                                                        ask_of_owned};

// ---- the answers: each of these returns the error that ends the observation, NULL for none ----

// What the server says of one API or one object alone. The copy lives as long as current.
static const struct error *refusal_of(const struct observation *o, const struct error *err)
{
    if (err == NULL || err->status == 0 || err->status == 401 || err->status == 429) {
        return NULL;
    }
    struct error *refusal = arena_alloc(&o->current->arena, sizeof(*refusal));
    *refusal = *err;
    return refusal;
}

static const struct error *take_groups(struct observation *o,
                                       _unused_ const struct request *request, json_t *answer,
                                       const struct error *err)
{
    for (size_t i = 0; i < object_api_count && err == NULL; i++) {
        const char *version = object_apis[i].version;
        o->memory->served[i] = str_equal(version, "v1") || kube_api_groups_serve(answer, version);
        o->memory->discovered_ms = o->io->now_ms;
    }
    (void)take_served(o);
    return err;
}

// A list, an object, or NULL for one that is not there. A kind that a cluster may lack is empty
// where it says that there is no such thing; what else goes wrong with it concerns what was asked
// for alone.
static const struct error *take_objects(struct observation *o, const struct request *request,
                                        json_t *answer, const struct error *err)
{
    const struct object_api *api = request->api;
    const struct error *refusal = api->optional ? refusal_of(o, err) : NULL;
    size_t index = object_api_index(api);
    if (answer != NULL && object_current_add(o->current, api, answer, &o->error) < 0) {
        return &o->error;
    }
    if (request->verb == LIST) {
        const char *version = json_get_string(answer, "metadata", "resourceVersion", NULL);
        str_replace(&o->memory->listed[index], err != NULL ? NULL : version != NULL ? version : "");
    }
    if (refusal == NULL) {
        return err;
    }
    if (refusal->status == 404) {
        o->current->served[index] = false;
        return NULL;
    }
    for (size_t i = 0; i < o->current->count; i++) {
        struct object *object = o->current->objects[i];
        if (request->verb == LIST ? object->api == api : object->path == request->path) {
            object->refusal = refusal;
        }
    }
    return NULL;
}

static const struct error *take_merged(struct observation *o, const struct request *request,
                                       json_t *answer, const struct error *err)
{
    struct object *object = request->object;
    object->refusal = refusal_of(o, err);
    if (err == NULL) {
        object->merged = object_current_keep(o->current, answer);
        if (!object_diff(NULL, NULL, object->json, answer, false)) {
            object_memory_agree(o->memory, object->resource, object->digest, object->json);
        }
    } else if (err->status == 422 && !object->api->holds_objects) {
        // It says that the manifest is invalid, or that the object cannot be changed into it. An
        // object that is made anew is validated before the server finds that there is one.
        ask(o, DRY_CREATE, object->collection, object->api, object);
    }
    return object->refusal == NULL ? err : NULL;
}

static const struct error *take_created(struct observation *o, const struct request *request,
                                        _unused_ json_t *answer, const struct error *err)
{
    struct object *object = request->object;
    object->immutable = err != NULL && err->status == 409;
    object->refusal = object->immutable ? NULL : object->refusal;
    return refusal_of(o, err) == NULL ? err : NULL;
}

static const struct error *take_pods(struct observation *o, const struct request *request,
                                     json_t *answer, const struct error *err)
{
    request->object->pod_reason = object_pod_reason(&o->current->arena, answer, o->io->secrets);
    return err;
}

// ---- the whole ----

static const struct error *(*const takes[])(struct observation *o, const struct request *request,
                                            json_t *answer, const struct error *err) = {
    [GET_GROUPS] = take_groups, [LIST] = take_objects,       [GET] = take_objects,
    [DRY_APPLY] = take_merged,  [DRY_CREATE] = take_created, [LIST_PODS] = take_pods,
};

static void on_answer(void *ctx, json_t *answer, const struct error *err);

static int send_request(struct request *request, struct error *err)
{
    struct api *kube = request->observation->memory->kube;
    const char *path = request->path;
    switch (request->verb) {
    case GET_GROUPS:
        return kube_get_apis(kube, path, on_answer, request, err);
    case LIST:
        return kube_list(kube, path, request->api->selector, false, on_answer, request, err);
    case LIST_PODS:
        return kube_list(kube, path, OBJECT_SELECTOR, false, on_answer, request, err);
    case GET:
        return kube_get(kube, path, on_answer, request, err);
    case DRY_APPLY:
        return kube_apply(kube, path, OBJECT_MANAGED_BY, request->object->manifest, true, on_answer,
                          request, err);
    case DRY_CREATE:
        return kube_try_create(kube, path, request->object->manifest, on_answer, request, err);
    }
    return -EINVAL;
}

// Sends what may be under way. Returns false when there is nothing left to wait for.
static bool proceed(struct observation *o)
{
    for (;;) {
        while (o->error.kind == ERROR_NONE && o->pending < AT_ONCE && o->sent < o->count) {
            o->pending += send_request(o->queue[o->sent++], &o->error) >= 0;
        }
        if (o->pending > 0 || o->error.kind != ERROR_NONE || o->phase == ELEMENTS(phases)) {
            return o->pending > 0;
        }
        phases[o->phase++](o);
    }
}

static void observation_free(struct observation *o)
{
    object_memory_unref(o->memory);
    object_current_free(o->current);
    free(o);
}

static void advance(struct observation *o)
{
    if (!proceed(o)) {
        const struct error *err = o->error.kind == ERROR_NONE ? NULL : &o->error;
        if (err != NULL) {
            object_memory_failed(o->memory, err);
        }
        o->done(o->ctx, err == NULL ? TAKE_PTR(o->current) : NULL, err);
        observation_free(o);
    }
}

static void on_answer(void *ctx, json_t *answer, const struct error *err)
{
    const struct request *request = ctx;
    struct observation *o = request->observation;
    err = o->error.kind == ERROR_NONE ? takes[request->verb](o, request, answer, err) : NULL;
    if (err != NULL) {
        o->error = *err;
    }
    o->pending--;
    advance(o);
}

static void on_connected(void *ctx, const struct error *err)
{
    struct observation *o = ctx;
    o->error = err != NULL ? *err : (struct error){0};
    advance(o);
}

int object_observe(struct io *io, memory_t *memory, const struct input *input, observe_done_fn done,
                   void *ctx, struct error *err)
{
    struct observation *o = xcalloc(1, sizeof(*o));
    *o = (struct observation){
        .io = io,
        .memory = object_memory_ref(object_memory_get(memory)),
        .input = input,
        .done = done,
        .ctx = ctx,
        .current = object_current_new(input->name),
    };
    int r = object_connect(io, o->memory, input, on_connected, o, &o->error);
    if (r == 1) {
        r = proceed(o) ? 0 : -o->error.code; // nothing could be sent
    }
    if (r < 0) {
        if (err != NULL) {
            *err = o->error;
        }
        observation_free(o);
    }
    return r;
}
