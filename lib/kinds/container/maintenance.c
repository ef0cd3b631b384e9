#include "lib/kinds/container/maintenance.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/container/compare.h"

#include <stdlib.h>

bool maintenance_is_of(const struct container_spec *spec, const struct container *container)
{
    return container_label(container, CONTAINER_LABEL_MAINTENANCE) != NULL &&
           compare_has_storage(spec, container);
}

// Clocks may have been set back: a time in the future is not waited for.
bool maintenance_is_active(const struct container *container, int64_t now_s)
{
    int64_t changed_s =
        container->state == CONTAINER_CREATED ? container->created_s : container->stopped_s;
    return container_is_up(container) || container->state == CONTAINER_REMOVING ||
           llabs(now_s - changed_s) < MAINTENANCE_SECONDS;
}

char *maintenance_name(const struct container_spec *spec)
{
    return str_printf("%s-gc", spec->name);
}

// The configuration file in the container, which is another one in 2.x than in 3.x, is the last
// argument of the registry's own command; without one a variable names it.
static const char *config_file(const json_t *registry)
{
    const json_t *command = json_get_array(registry, "Config", "Cmd", NULL);
    const char *last = json_string_value(json_array_get(command, json_array_size(command) - 1));
    return last != NULL && (str_ends_with(last, ".yml") || str_ends_with(last, ".yaml")) ? last
                                                                                         : NULL;
}

// Official images begin with a script or with the registry itself: both take its subcommands.
static const char *program(const json_t *registry)
{
    const char *first = json_string_value(
        json_array_get(json_get_array(registry, "Config", "Entrypoint", NULL), 0));
    return first != NULL ? first : "registry";
}

json_t *maintenance_body(const struct container_spec *spec, const json_t *registry,
                         const char *directory, const char *gc)
{
    static const char script[] =
        "xargs rm -rf </" MAINTENANCE_LIST " && exec \"$@\""; // the names have no space in them
    json_t *body = container_spec_body(spec);
    const char *file = config_file(registry);
    json_t *command =
        json_pack("[s, s, s, s, s]", "-c", script, "sh", program(registry), "garbage-collect");
    if (file != NULL) {
        json_array_append_new(command, json_string(file));
    }
    // A tty, so that its log is the output as it is, without frames.
    json_auto_t *changes =
        json_pack("{s:O, s:[s], s:o, s:s, s:b}", "Image", json_get(registry, "Image", NULL),
                  "Entrypoint", "sh", "Cmd", command, "WorkingDir", directory, "Tty", 1);
    (void)json_object_update(body, changes);
    (void)json_object_del(body, "ExposedPorts");
    json_object_del(json_object_get(body, "HostConfig"), "PortBindings");
    json_object_del(json_object_get(body, "HostConfig"), "RestartPolicy");
    json_object_set_new(json_object_get(body, "Labels"), CONTAINER_LABEL_MAINTENANCE,
                        json_string(gc));
    return body;
}
