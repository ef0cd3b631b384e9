// Pulling an image, and its progress.
// https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageCreate
#include "lib/docker/docker_client.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <stdio.h>
#include <string.h>

#define LAYERS_MAX 128 // an engine chains at most 125 (moby layer/layer_store.go, maxLayerDepth)
#define LAYER_ID_MAX 32
#define IMAGE_MAX 256
#define PROGRESS_MAX (IMAGE_MAX + 64)
#define DEFAULT_TAG "latest"

struct layer {
    char id[LAYER_ID_MAX];
    uint64_t total; // bytes, as far as known
    uint64_t loaded;
    bool complete;
};

struct pull {
    docker_progress_fn progress;
    docker_done_fn done;
    void *ctx;
    char image[IMAGE_MAX]; // or its beginning
    struct layer layers[LAYERS_MAX];
    size_t layer_count;
    char shown[PROGRESS_MAX];
};

// What a line with one of these words says of the layer whose id it has.
static const struct state {
    const char *status;
    bool counts; // has the bytes loaded so far
    bool loaded;
    bool complete;
} states[] = {
    {.status = "Pulling fs layer"},
    {.status = "Waiting"},
    {.status = "Downloading", .counts = true},
    {.status = "Download complete", .loaded = true},
    {.status = "Pull complete", .loaded = true, .complete = true},
    {.status = "Already exists", .complete = true},
};

static const struct state *find_state(const json_t *line)
{
    const char *status = json_get_string(line, "status", NULL);
    for (size_t i = 0; i < ELEMENTS(states); i++) {
        if (str_equal(status, states[i].status)) {
            return &states[i];
        }
    }
    return NULL;
}

// Beyond the maximum, layers are not counted.
static struct layer *find_layer(struct pull *pull, const json_t *line)
{
    const char *id = json_get_string(line, "id", NULL);
    size_t i = 0;
    while (i < pull->layer_count && !str_equal(pull->layers[i].id, id)) {
        i++;
    }
    if (id == NULL || i == LAYERS_MAX || strlen(id) >= LAYER_ID_MAX) {
        return NULL;
    }
    if (i == pull->layer_count) {
        pull->layer_count++;
        (void)snprintf(pull->layers[i].id, sizeof(pull->layers[i].id), "%s", id);
    }
    return &pull->layers[i];
}

static uint64_t get_bytes(const json_t *line, const char *key)
{
    int64_t bytes = json_get_int(line, 0, "progressDetail", key, NULL);
    return bytes < 0 ? 0 : (uint64_t)bytes;
}

static int on_line(void *ctx, const json_t *line)
{
    struct pull *pull = ctx;
    const struct state *state = find_state(line);
    struct layer *layer = state == NULL ? NULL : find_layer(pull, line);
    if (layer == NULL) {
        return 0;
    }
    if (state->counts) {
        layer->loaded = get_bytes(line, "current");
        layer->total = get_bytes(line, "total");
    } else if (state->loaded) {
        layer->loaded = layer->total;
    }
    layer->complete = state->complete;

    size_t complete = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < pull->layer_count; i++) {
        complete += pull->layers[i].complete;
        bytes += pull->layers[i].loaded;
    }
    char text[PROGRESS_MAX];
    (void)snprintf(text, sizeof(text), "%s: %zu of %zu layers, %.1f MB", pull->image, complete,
                   pull->layer_count, (double)bytes / 1e6);
    if (strcmp(text, pull->shown) != 0) {
        memcpy(pull->shown, text, sizeof(text));
        pull->progress(pull->ctx, text, bytes);
    }
    return 0;
}

static struct api_refusal find_refusal(const json_t *line)
{
    const char *message = json_get_string(line, "errorDetail", "message", NULL);
    return (struct api_refusal){
        .message = message == NULL ? json_get_string(line, "error", NULL) : message,
        .kind = ERROR_PERMANENT,
    };
}

static void on_pulled(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    const struct pull *pull = ctx;
    struct error failure = {0};
    if (err != NULL && err->status != 0) {
        // 20.10 answers 500 when it is the image's registry that cannot be reached.
        failure = *err;
        failure.kind = ERROR_PERMANENT;
        err = &failure;
    }
    pull->done(pull->ctx, NULL, err);
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
    return digest != NULL ? digest : tag != NULL ? tag : DEFAULT_TAG;
}

int docker_image_pull(struct docker *docker, const char *image, docker_progress_fn progress,
                      docker_done_fn done, void *ctx, struct error *err)
{
    _cleanup_free_ char *name = str_dup(image);
    const char *tag = split_reference(name);
    struct pull pull = {.progress = progress, .done = done, .ctx = ctx};
    (void)snprintf(pull.image, sizeof(pull.image), "%s", image);
    const struct api_request request = {
        .method = HTTP_POST,
        .what = "pull $2",
        .path = "/images/create?fromImage=$0&tag=$1",
        .args = {name, tag, image},
        .effect = API_READS,
        .timeout_ms = DOCKER_PULL_TIMEOUT_MS,
        .on_event = on_line,
        .refused = find_refusal,
        .done = on_pulled,
        .ctx = &pull,
        .ctx_size = sizeof(pull),
    };
    return docker_send(docker, &request, err);
}
