// Which container that was made by somebody else is taken over: a registry of the declared name
// whose images are all in the declared directory, and that has nothing which the container that
// takes its place would be without.
#include "lib/plan/engine_plan.h"

#include "lib/base/str.h"

#include <string.h>

#define ROOT_VARIABLE "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"

// Whether the last component of the image's repository has the word, e.g. "docker.io/registry:2".
static bool image_is_registry(const char *image)
{
    const char *slash = strrchr(image, '/');
    const char *name = slash == NULL ? image : slash + 1;
    const char *word = strstr(name, "registry");
    return word != NULL && word < name + strcspn(name, ":@");
}

static bool binds_registry_port(const struct world_container *container)
{
    for (size_t i = 0; i < container->binding_count; i++) {
        if (str_equal(container->bindings[i].container_port, WORLD_REGISTRY_PORT_KEY)) {
            return true;
        }
    }
    return false;
}

static bool is_registry(const struct world_container *container)
{
    return image_is_registry(container->image) || binds_registry_port(container);
}

bool engine_has_storage(const struct engine_plan *p, const struct world_container *container)
{
    return str_equal(container->storage, p->config->registry.storage);
}

bool engine_holds_images(const struct world_container *container)
{
    const char *root = strmap_get(&container->environment, ROOT_VARIABLE);
    return root != NULL && !str_is_path_within(root, WORLD_REGISTRY_STORAGE);
}

bool engine_is_adoptable(const struct engine_plan *p, const struct world_container *container)
{
    return !engine_is_labelled(container) && is_registry(container) &&
           engine_has_storage(p, container) && !engine_holds_images(container) &&
           container->other_mount == NULL;
}

void engine_judge_holds_images(struct engine_plan *p)
{
    engine_judge(p, REASON_NAME_CONFLICT,
                 "%s has its images in the container itself, by its variable " ROOT_VARIABLE
                 "; copy them into %s with `docker cp`, then remove or rename it",
                 p->main->name, p->config->registry.storage);
}

static void judge_storage(struct engine_plan *p)
{
    const char *name = p->main->name;
    const char *storage = p->main->storage;
    if (storage != NULL) {
        engine_judge(p, REASON_NAME_CONFLICT,
                     "another registry has the name %s, its images are in %s; set "
                     "registry.storage: %s to take it over, or rename or remove it, or change "
                     "registry.name",
                     name, storage, storage);
    } else {
        engine_judge(p, REASON_NAME_CONFLICT,
                     "another registry has the name %s, its images are in %s; copy them with "
                     "`docker cp %s:" WORLD_REGISTRY_STORAGE "/. %s`, then rename or remove it, or "
                     "change registry.name",
                     name, p->main->storage_is_volume ? "a volume" : "the container itself", name,
                     p->config->registry.storage);
    }
}

void engine_judge_foreign(struct engine_plan *p)
{
    const struct world_container *main = p->main;
    if (!is_registry(main)) {
        engine_judge(p, REASON_NAME_CONFLICT,
                     "another container has the name %s; rename or remove it, or change "
                     "registry.name",
                     main->name);
    } else if (!engine_has_storage(p, main)) {
        judge_storage(p);
    } else if (engine_holds_images(main)) {
        engine_judge_holds_images(p);
    } else {
        engine_judge(p, REASON_NAME_CONFLICT,
                     "another registry has the name %s, and a mount at %s that it would lose if it "
                     "was taken over; make it without that and declare what it is for in "
                     "registry.environment, or rename it, or change registry.name",
                     main->name, main->other_mount);
    }
}
