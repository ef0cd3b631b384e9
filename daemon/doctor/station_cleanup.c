// Takes back what the stations before it have left: in the registry its manifest and, where the
// files are in its container, its repository, of which an empty one would stay in the catalog for
// ever; then, since one may hang, in each node the image under every name. It is run as well when
// they were interrupted.
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
    struct arena *arena = &doctor->arena;
    _cleanup_(strv_done) struct strv argv = {0};
    struct error err = {0};
    strv_add(&argv, "sh");
    strv_add(&argv, "-c");
    strv_add(&argv, REMOVE_IMAGES);
    strv_add(&argv, doctor->tag);
    for (size_t i = 0; i < aliases->count; i++) {
        strv_add(&argv,
                 arena_printf(arena, "%s/" IMAGE_REPOSITORY ":%s", aliases->items[i], doctor->tag));
    }
    strv_add(&argv, NULL); // the end
    int code = doctor_exec(doctor, engine_node(doctor->engine, node)->id,
                           (const char *const *)argv.items, API_CHANGES, &err);
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
    const char *resource = arena_printf(&doctor->arena, "container/%s", name);
    const struct condition *condition = plan_condition(&doctor->engine_plan, resource);
    struct error err = {0};
    return condition != NULL && condition->ready == READY_TRUE &&
           doctor_exec(doctor, name, argv, API_CHANGES, &err) == 0;
}

void station_cleanup(struct doctor *doctor, _unused_ const char *subject)
{
    struct error err = {0};
    int r = doctor->digest == NULL ? 0 : image_remove(doctor, doctor_registry_base(doctor), &err);
    bool cleaned = clean_repository(doctor);
    if (r < 0 && !cleaned) {
        doctor_fail(doctor, &err,
                    "with registry.delete: true the registry would do it; else remove the "
                    "directory " IMAGE_REPOSITORY " of its repositories from registry.storage");
    }
    for (size_t i = 0; i < doctor->pulling.count; i++) {
        clean_node(doctor, doctor->pulling.items[i]);
    }
    doctor_did(doctor,
               "what was pushed and pulled is removed%s; blobs of 2 KiB stay until the "
               "next `hostk8s-registryd gc`",
               cleaned ? "" : ", but for an empty repository");
}
