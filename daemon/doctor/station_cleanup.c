// Takes back what the stations before it have left: in each node the image under every name, in the
// registry its manifest and, where the files are in its container, its repository, of which an
// empty one would stay in the catalog for ever. It is run as well when they were interrupted.
#include "daemon/doctor/image.h"
#include "daemon/doctor/stations.h"

#include "lib/base/str.h"

#define REPOSITORIES "/var/lib/registry/docker/registry/v2/repositories/hostk8s-registryd"

// Ends with 0 when no image with the tag $0 is left.
#define REMOVE_IMAGES                                                                              \
    "if command -v crictl >/dev/null; then list='crictl images'; crictl rmi \"$@\"; "              \
    "else list='ctr -n k8s.io images ls -q'; ctr -n k8s.io images rm \"$@\"; fi >/dev/null 2>&1; " \
    "! $list | grep -q \"$0\""

// Ends with 0 when the tag $0 is gone. A repository with the tag of another run is left to that.
#define REMOVE_REPOSITORY                                                                          \
    "cd " REPOSITORIES " || exit 0; tags=doctor/_manifests/tags; rm -rf \"$tags/$0\"; "            \
    "rmdir $tags 2>/dev/null; [ -d $tags ] || rm -rf doctor; cd ..; "                              \
    "rmdir hostk8s-registryd 2>/dev/null; [ ! -d \"hostk8s-registryd/$tags/$0\" ]"

static void clean_node(struct doctor *doctor, const char *node)
{
    const struct strv *aliases = &doctor->config->nodes.aliases;
    struct arena *arena = &doctor->result->arena;
    const char **argv = NULL;
    const char *output = NULL;
    size_t count = 0;
    struct error err = {0};
    *ARENA_GROW(arena, argv, count) = "sh";
    *ARENA_GROW(arena, argv, count) = "-c";
    *ARENA_GROW(arena, argv, count) = REMOVE_IMAGES;
    *ARENA_GROW(arena, argv, count) = doctor->tag;
    for (size_t i = 0; i < aliases->count; i++) {
        *ARENA_GROW(arena, argv, count) =
            arena_printf(arena, "%s/" IMAGE_REPOSITORY ":%s", aliases->items[i], doctor->tag);
    }
    *ARENA_GROW(arena, argv, count) = NULL;
    int code = doctor_exec(doctor, engine_node(doctor->engine, node)->id, argv, API_CHANGES,
                           &output, &err);
    if (code != 0) {
        doctor_fault(
            doctor, (struct fault){arena_printf(arena, "an image %s may be left in the node %s%s%s",
                                                doctor->tag, node, code < 0 ? ": " : "",
                                                code < 0 ? err.text : ""),
                                   "remove it there with `crictl rmi`"});
    }
}

// By the name, since the engine has but one container of it, and only where it is the program's.
static bool clean_repository(struct doctor *doctor)
{
    const char *const argv[] = {"sh", "-c", REMOVE_REPOSITORY, doctor->tag, NULL};
    const char *name = doctor->config->registry.name;
    const char *resource = arena_printf(&doctor->result->arena, "container/%s", name);
    const struct condition *condition = plan_condition(&doctor->engine_plan, resource);
    const char *output = NULL;
    struct error err = {0};
    return condition != NULL && condition->ready == READY_TRUE &&
           doctor_exec(doctor, name, argv, API_CHANGES, &output, &err) == 0;
}

void station_cleanup(struct doctor *doctor, _unused_ const char *subject)
{
    struct error err = {0};
    for (size_t i = 0; i < doctor->pulling.count; i++) {
        clean_node(doctor, doctor->pulling.items[i]);
    }
    int r = doctor->digest == NULL ? 0 : image_remove(doctor, doctor_registry_base(doctor), &err);
    bool cleaned = clean_repository(doctor);
    if (r < 0 && !cleaned) {
        doctor_fail(doctor, &err,
                    "with registry.delete: true the registry would do it; else remove the "
                    "directory " IMAGE_REPOSITORY " of its repositories from registry.storage");
    }
    doctor_did(doctor,
               "what was pushed and pulled is removed%s; blobs of 2 KiB stay until the "
               "next `hostk8s-registryd gc`",
               cleaned ? "" : ", but for an empty repository");
}
