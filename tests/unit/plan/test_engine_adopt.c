// A container of the declared name that this program did not make: whether it is taken over, and
// why not.
#include "tests/support/engine_scene.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void name_is_foreign(struct scene *scene)
{
    struct world_container *container = model_engine_add(scene->model, "hostk8s-registry");
    sample_set(&container->image, "nginx");
    sample_set(&container->storage, "/srv/a");
}

static struct world_container *add_foreign(struct scene *scene, const char *storage)
{
    struct world_container *container = model_engine_add(scene->model, "hostk8s-registry");
    sample_set(&container->image, "registry:2");
    sample_set(&container->storage, storage);
    return container;
}

static void name_is_of_a_registry_elsewhere(struct scene *scene)
{
    (void)add_foreign(scene, "/srv/b");
}

static void name_is_of_a_registry_in_a_volume(struct scene *scene)
{
    add_foreign(scene, NULL)->storage_is_volume = true;
}

static void name_is_of_a_registry_without_storage(struct scene *scene)
{
    (void)add_foreign(scene, NULL);
}

static void has_its_images_itself(struct world_container *container)
{
    assert_int_equal(
        strmap_set(&container->environment, "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/data"),
        0);
}

static void name_is_of_a_registry_that_has_its_images_itself(struct scene *scene)
{
    has_its_images_itself(add_foreign(scene, "/srv/a"));
}

static void name_is_of_a_registry_with_a_mount(struct scene *scene)
{
    sample_set(&add_foreign(scene, "/srv/a")->other_mount, "/auth");
}

static void drifted_and_has_its_images_itself(struct scene *scene)
{
    struct world_container *container = scene_add_main(scene);
    sample_set(&container->image, "registry:1");
    has_its_images_itself(container);
}

static void is_adopted(struct scene *scene)
{
    scene_unlabel(scene_add_main(scene));
}

static void is_adopted_by_its_image(struct scene *scene)
{
    struct world_container *container = model_engine_add(scene->model, "hostk8s-registry");
    sample_set(&container->image, "ghcr.io:443/mirror/registry@sha256:1");
    sample_set(&container->storage, "/srv/a");
    container->state = CONTAINER_RUNNING;
}

#define WAITS                                                                                      \
    "network/kind/hostk8s-registry False Converging: waits for container/hostk8s-registry to "     \
    "run\n"
#define ITSELF                                                                                     \
    "hostk8s-registry has its images in the container itself, by its variable "                    \
    "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY; copy them into /srv/a with `docker cp`, then "     \
    "remove or rename it\n"

static const struct engine_case cases[] = {
    {name_is_foreign, "container/hostk8s-registry False NameConflict: another container has the "
                      "name hostk8s-registry; rename or remove it, or change registry.name\n"
                      "network/kind/hostk8s-registry False Converging: waits for "
                      "container/hostk8s-registry to run\n"},
    {name_is_of_a_registry_elsewhere,
     "container/hostk8s-registry False NameConflict: another registry has the name "
     "hostk8s-registry, its images are in /srv/b; set registry.storage: /srv/b to take it over, or "
     "rename or remove it, or change registry.name\n" WAITS},
    {name_is_of_a_registry_in_a_volume,
     "container/hostk8s-registry False NameConflict: another registry has the name "
     "hostk8s-registry, its images are in a volume; copy them with `docker cp "
     "hostk8s-registry:/var/lib/registry/. /srv/a`, then rename or remove it, or change "
     "registry.name\n" WAITS},
    {name_is_of_a_registry_without_storage,
     "container/hostk8s-registry False NameConflict: another registry has the name "
     "hostk8s-registry, its images are in the container itself; copy them with `docker cp "
     "hostk8s-registry:/var/lib/registry/. /srv/a`, then rename or remove it, or change "
     "registry.name\n" WAITS},
    {name_is_of_a_registry_that_has_its_images_itself,
     "container/hostk8s-registry False NameConflict: " ITSELF WAITS},
    {name_is_of_a_registry_with_a_mount,
     "container/hostk8s-registry False NameConflict: another registry has the name "
     "hostk8s-registry, and a mount at /auth that it would lose if it was taken over; make it "
     "without that and declare what it is for in registry.environment, or rename it, or change "
     "registry.name\n" WAITS},
    {drifted_and_has_its_images_itself, "container/hostk8s-registry False NameConflict: " ITSELF
                                        "network/kind/hostk8s-registry True Converged: \n"},
    {is_adopted, "container/hostk8s-registry True Converged: \n"
                 "network/kind/hostk8s-registry True Converged: \n"},
    {is_adopted_by_its_image,
     "container-rename hostk8s-registry > hostk8s-registry-previous (recreate!) image: "
     "ghcr.io:443/mirror/registry@sha256:1 -> registry:2, listen: absent -> 127.0.0.1:5002, "
     "environment.REGISTRY_STORAGE_DELETE_ENABLED: absent -> (hidden)\n"
     "container-create hostk8s-registry (create+)\n"
     "container-stop hostk8s-registry-previous (stop+)\n"
     "container-start hostk8s-registry (start+)\n"
     "network-connect hostk8s-registry > kind (attach)\n"
     "container/hostk8s-registry False Converging: recreate is pending\n"
     "network/kind/hostk8s-registry False Converging: attach is pending\n"},
};

static void plans(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        engine_case_one(&cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
