#include "daemon/doctor/image.h"

#include "lib/base/str.h"
#include "lib/registry/push.h"
#include "lib/registry/registry.h"

#include <errno.h>
#include <string.h>

// A config names the machine that it is for: containerd unpacks none of another.
#define LAYER_DIGEST "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
#define LAYER_BYTES 1024u // two records of zeros
#define CONFIG_HEAD "{\"architecture\":\""
#define CONFIG_TAIL                                                                                \
    "\",\"config\":{},\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"" LAYER_DIGEST                  \
    "\"],\"type\":\"layers\"}}"
#define MANIFEST                                                                                   \
    "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_MANIFEST_TYPE                                 \
    "\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"size\":%zu,"      \
    "\"digest\":\"%s\"},\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","    \
    "\"size\":%u,\"digest\":\"" LAYER_DIGEST                                                       \
    "\"}],\"annotations\":{\"io.hostk8s.registryd.doctor\":\"%s\"}}"

struct image_config {
    const char *machine;      // as uname has it
    const char *architecture; // as images have it
    const char *digest;       // of the config for it
};

// One that is not known is given the first.
static const struct image_config *image_config(const struct engine *engine)
{
    static const struct image_config configs[] = {
        {"x86_64", "amd64",
         "sha256:b367940644f28372a4fb1d12743b8778e4a837a7a49f4190b5efb6dae87d1d65"},
        {"aarch64", "arm64",
         "sha256:48e0f4583f60ea6f701182a32b79e06bf4b52739874ccc92b6bcc60e68e79122"},
        {"ppc64le", "ppc64le",
         "sha256:19d958ceac871ccc520eaa4340b7c0ade871614a93f3e63fd4de8a1384fb9aa8"},
        {"riscv64", "riscv64",
         "sha256:71ea876554aeeeda8094a0313bca1e06976598a49fabd9d6863b4b22d6328956"},
        {"s390x", "s390x",
         "sha256:9bbd095acfe92d20d887576a388ed2f33862bd950d579f97919245c9733de11b"},
    };
    for (size_t i = 0; i < ELEMENTS(configs) && engine != NULL; i++) {
        const char *machine = engine->about.machine;
        if (str_equal(configs[i].machine, machine) || str_equal(configs[i].architecture, machine)) {
            return &configs[i];
        }
    }
    return &configs[0];
}

// Sets doctor->api to a client for the registry below the URL. Returns 0 or -errno.
static int open_api(struct doctor *doctor, const char *base, struct error *err)
{
    const struct io *io = &doctor->session.io;
    int r = doctor_may_ask(doctor, err);
    return r == 0 ? registry_new(io->transport, base, doctor->config->reconcile.timeout_ms,
                                 io->secrets, &doctor->api, err)
                  : r;
}

// r is what the submission of a request to it returned.
static int end_request(struct doctor *doctor, int r, struct error *err)
{
    r = doctor_wait(doctor, r, err);
    api_free(TAKE_PTR(doctor->api));
    return r;
}

int image_push_blob(struct doctor *doctor, const char *base, const char *digest, const void *data,
                    size_t length, struct error *err)
{
    const struct registry_blob blob = {IMAGE_REPOSITORY, digest, data, length, base};
    bool pushing = TAKE(doctor->pushing, true);
    int r = open_api(doctor, base, err);
    r = r == 0 ? registry_push_blob(doctor->api, &blob, doctor_answered, doctor, err) : r;
    r = end_request(doctor, r, err);
    doctor->pushing = pushing || (r != -ECONNREFUSED && r != -EHOSTUNREACH);
    return r;
}

static void on_tagged(void *ctx, const char *digest, const struct error *err)
{
    str_replace(&((struct doctor *)ctx)->digest, digest);
    doctor_answered(ctx, err);
}

static int push_manifest(struct doctor *doctor, const char *base, const char *manifest,
                         struct error *err)
{
    int r = open_api(doctor, base, err);
    r = r == 0 ? registry_push_manifest(doctor->api, IMAGE_REPOSITORY, doctor->tag, manifest,
                                        on_tagged, doctor, err)
               : r;
    return end_request(doctor, r, err);
}

int image_push(struct doctor *doctor, const char *base, struct error *err)
{
    static const char layer[LAYER_BYTES];
    const struct image_config *config = image_config(doctor->engine);
    struct arena *arena = &doctor->arena;
    const char *text = arena_printf(arena, CONFIG_HEAD "%s" CONFIG_TAIL, config->architecture);
    const char *manifest =
        arena_printf(arena, MANIFEST, strlen(text), config->digest, LAYER_BYTES, doctor->tag);
    int r = image_push_blob(doctor, base, LAYER_DIGEST, layer, sizeof(layer), err);
    r = r == 0 ? image_push_blob(doctor, base, config->digest, text, strlen(text), err) : r;
    return r == 0 ? push_manifest(doctor, base, manifest, err) : r;
}

int image_is_at(struct doctor *doctor, const char *base)
{
    const struct answer *answer = &doctor->answer;
    const char *path =
        arena_printf(&doctor->arena, "/v2/" IMAGE_REPOSITORY "/manifests/%s", doctor->tag);
    doctor_get(doctor, base, path, REGISTRY_MANIFEST_TYPE);
    return !answer->has_api        ? -ENOENT
           : answer->status == 200 ? 1
           : answer->status == 404 ? 0
                                   : -EREMOTEIO;
}

static void on_removed(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    doctor_answered(ctx, err);
}

int image_remove(struct doctor *doctor, const char *base, struct error *err)
{
    const struct api_request request = {
        .method = HTTP_DELETE,
        .what = "delete the manifest $0",
        .prefix = "/v2/" IMAGE_REPOSITORY "/manifests",
        .path = "/$0",
        .args = {doctor->digest},
        .tolerated = {{.status = 404}},
        .done = on_removed,
        .ctx = doctor,
    };
    int r = open_api(doctor, base, err);
    return end_request(doctor, r == 0 ? api_send(doctor->api, &request, err) : r, err);
}
