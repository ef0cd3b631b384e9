// Images: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image
#include "lib/docker/docker_internal.h"

#include "lib/base/secret.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/json_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PULL_LINE_MAX (256u * 1024u)
#define PULL_LAYERS_MAX 256
#define PULL_LAYER_ID_MAX 32
#define PROGRESS_MAX 256
#define DEFAULT_TAG "latest"

int docker_image_inspect(struct docker *docker, const char *image, docker_done_fn done, void *ctx,
                         struct error *err)
{
    const struct docker_request request = {
        .verb = "inspect image",
        .subject = image,
        .method = HTTP_GET,
        .path = {{"/images/", image}, {"/json", NULL}},
        .shape = DOCKER_SHAPE_ENTITY,
    };
    return docker_submit(docker, &request, done, ctx, err);
}

struct layer {
    char id[PULL_LAYER_ID_MAX];
    uint64_t total; // bytes, as far as known
    uint64_t loaded;
    bool complete;
};

struct pull_call {
    struct docker_call call;
    docker_done_fn done;
    void *ctx;
    docker_progress_fn progress;
    char *image;
    struct json_lines lines;
    struct layer layers[PULL_LAYERS_MAX];
    size_t layer_count;
    char shown[PROGRESS_MAX];
    struct error failure; // what the stream told or why it could not be read
};

// What a line with one of these words says of the layer whose id it has.
static const struct {
    const char *status;
    bool counts; // has the bytes loaded so far
    bool loaded;
    bool complete;
} layer_states[] = {
    {.status = "Pulling fs layer"},
    {.status = "Waiting"},
    {.status = "Downloading", .counts = true},
    {.status = "Download complete", .loaded = true},
    {.status = "Pull complete", .loaded = true, .complete = true},
    {.status = "Already exists", .complete = true},
};

// Beyond the maximum, layers are not counted.
static struct layer *find_layer(struct pull_call *self, const char *id)
{
    size_t i = 0;
    while (i < self->layer_count && strcmp(self->layers[i].id, id) != 0) {
        i++;
    }
    if (i == PULL_LAYERS_MAX || strlen(id) >= PULL_LAYER_ID_MAX) {
        return NULL;
    }
    if (i == self->layer_count) {
        self->layer_count++;
        (void)snprintf(self->layers[i].id, sizeof(self->layers[i].id), "%s", id);
    }
    return &self->layers[i];
}

static void show_progress(struct pull_call *self)
{
    size_t complete = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < self->layer_count; i++) {
        complete += self->layers[i].complete;
        bytes += self->layers[i].loaded;
    }
    char line[PROGRESS_MAX];
    (void)snprintf(line, sizeof(line), "%s: %zu of %zu layers, %.1f MB", self->image, complete,
                   self->layer_count, (double)bytes / 1e6);
    if (strcmp(line, self->shown) != 0) {
        memcpy(self->shown, line, sizeof(line));
        self->progress(self->ctx, line);
    }
}

static uint64_t get_bytes(const json_t *line, const char *key)
{
    int64_t bytes = json_get_int(line, 0, "progressDetail", key, NULL);
    return bytes < 0 ? 0 : (uint64_t)bytes;
}

static void count_layer(struct pull_call *self, const json_t *line)
{
    const char *id = json_get_string(line, "id", NULL);
    const char *status = json_get_string(line, "status", NULL);
    size_t state = 0;
    while (state < ELEMENTS(layer_states) && !str_equal(status, layer_states[state].status)) {
        state++;
    }
    struct layer *layer =
        id == NULL || state == ELEMENTS(layer_states) ? NULL : find_layer(self, id);
    if (layer == NULL) {
        return;
    }
    if (layer_states[state].counts) {
        layer->loaded = get_bytes(line, "current");
        layer->total = get_bytes(line, "total");
    } else if (layer_states[state].loaded) {
        layer->loaded = layer->total;
    }
    layer->complete = layer_states[state].complete;
    show_progress(self);
}

static int pull_line(void *ctx, json_t *line, struct error *err)
{
    struct pull_call *self = ctx;
    const char *message = json_get_string(line, "errorDetail", "message", NULL);
    if (message == NULL) {
        message = json_get_string(line, "error", NULL);
    }
    if (message != NULL) {
        _cleanup_free_ char *hidden = secret_hide(message);
        if (hidden == NULL) {
            return error_oom(err);
        }
        (void)docker_error(&self->call, &self->failure, ERROR_PERMANENT, EREMOTEIO, hidden);
    } else if (self->progress != NULL) {
        count_layer(self, line);
    }
    return 0;
}

static int pull_chunk(void *ctx, const char *data, size_t length)
{
    struct pull_call *self = ctx;
    struct error failure = {0};
    int r = json_lines_feed(&self->lines, data, length, &failure);
    if (r < 0 && self->failure.kind == ERROR_NONE) {
        (void)error_wrap(&failure, "engine: %s", self->call.what);
        self->failure = failure;
    }
    return r;
}

static void pull_answered(struct docker_call *call, struct http_response *response,
                          struct error *err)
{
    struct pull_call *self = (struct pull_call *)call;
    int r = response == NULL ? -err->code : 0;
    if (r == 0) {
        r = json_lines_end(&self->lines, err);
        if (r < 0) {
            (void)error_wrap(err, "engine: %s", call->what);
        }
    } else if (err->status != 0) {
        // 20.10 answers 500 when it is the image's registry that cannot be reached.
        err->kind = ERROR_PERMANENT;
    }
    if (self->failure.kind != ERROR_NONE && err->code != ECANCELED) {
        *err = self->failure;
        r = -err->code;
    }
    self->done(self->ctx, NULL, r < 0 ? err : NULL);
}

static void pull_destroy(struct docker_call *call)
{
    struct pull_call *self = (struct pull_call *)call;
    json_lines_done(&self->lines);
    free(self->image);
}

// The two parameters of a pull: the engine takes a digest in the place of the tag, and with a
// digest the tag says nothing. name is cut.
static const char *split_reference(char *name)
{
    char *digest = strchr(name, '@');
    if (digest != NULL) {
        *digest++ = '\0';
    }
    char *slash = strrchr(name, '/');
    char *tag = strchr(slash == NULL ? name : slash, ':');
    if (tag != NULL) {
        *tag++ = '\0';
    }
    if (digest != NULL) {
        return digest;
    }
    return tag != NULL ? tag : DEFAULT_TAG;
}

int docker_image_pull(struct docker *docker, const char *image, docker_progress_fn progress,
                      docker_done_fn done, void *ctx, struct error *err)
{
    _cleanup_free_ char *name = str_dup(image);
    struct pull_call *self = calloc(1, sizeof(*self));
    _cleanup_(docker_call_freep) struct docker_call *call = self == NULL ? NULL : &self->call;
    if (name == NULL || self == NULL) {
        return error_oom(err);
    }
    self->call.answered = pull_answered;
    self->call.destroy = pull_destroy;
    self->done = done;
    self->ctx = ctx;
    self->progress = progress;
    self->lines = JSON_LINES_INIT(PULL_LINE_MAX, pull_line, self);
    self->image = str_dup(image);
    if (self->image == NULL) {
        return error_oom(err);
    }
    const char *tag = split_reference(name);
    const struct docker_request request = {
        .verb = "pull",
        .subject = image,
        .method = HTTP_POST,
        .path = {{"/images/create?fromImage=", name}, {"&tag=", tag}},
        .timeout_ms = DOCKER_PULL_TIMEOUT_MS,
        .on_chunk = pull_chunk,
    };
    int r = docker_call_send(docker, call, &request, err);
    if (r == 0) {
        (void)TAKE_PTR(call);
    }
    return r;
}
