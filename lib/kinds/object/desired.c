#include "lib/kinds/object/desired.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/object/manifest.h"

#include <string.h>

// Of HostK8s' manifests: with it the host localhost would have the API and nothing else.
#define LEFT_OVER_INGRESS "registry-api-ingress"

// A cluster of one family has no route to the other, and an ingress controller would send every
// second request there. Which one that is its Services tell; before the first is there it is
// unknown.
static struct object_address registry_address(struct object_current *current,
                                              const struct config *config,
                                              const struct engine *engine)
{
    const struct object *service =
        object_current_get(current, object_api("Service"), config->ui.name_space, "registry-api");
    const char *cluster_ip = json_get_string(service->json, "spec", "clusterIP", NULL);
    const char *ipv4 = engine == NULL ? NULL : engine->registry_ipv4;
    const char *ipv6 = engine == NULL ? NULL : engine->registry_ipv6;
    bool is_ipv6_alone = ipv4 == NULL && ipv6 != NULL;
    bool has_ipv6_pods = cluster_ip != NULL ? strchr(cluster_ip, ':') != NULL : is_ipv6_alone;
    bool is_ipv6 = has_ipv6_pods || is_ipv6_alone;
    return (struct object_address){
        .text = is_ipv6 ? ipv6 : ipv4, .ipv6 = is_ipv6, .ipv6_pods = has_ipv6_pods};
}

static const struct object *find_need(struct object_current *current,
                                      const struct object_need *need, const json_t *variables)
{
    const char *text = json_get_string(variables, need->variable, NULL);
    const char *slash = strchr(text, '/');
    _cleanup_free_ char *space = slash == NULL ? NULL : str_dup_n(text, (size_t)(slash - text));
    return object_current_get(current, object_api(need->kind), space,
                              slash == NULL ? text : slash + 1);
}

void object_desired_set(struct object_current *current, const struct config *config,
                        const struct engine *engine)
{
    struct object_address address = registry_address(current, config, engine);
    json_auto_t *variables = object_variables(config, &address);
    for (size_t i = 0; i < current->count; i++) {
        current->objects[i]->row = NULL;
        current->objects[i]->manifest = NULL;
    }
    (void)json_array_clear(current->manifests);
    if (config->ui.enabled) {
        object_current_get(current, object_api("Ingress"), config->ui.name_space, LEFT_OVER_INGRESS)
            ->left_over = true;
    }
    bool has_gateway = config->ui.gateway[0] != '\0';
    unsigned with = config->ui.enabled ? WITH_UI | (has_gateway ? WITH_GATEWAY : WITH_INGRESS) : 0;
    for (size_t i = 0; i < object_row_count; i++) {
        const struct object_row *row = &object_rows[i];
        if ((row->with & with) != row->with) {
            continue;
        }
        json_auto_t *manifest = manifest_read(row->file, variables);
        const struct object_api *api = object_api(json_get_string(manifest, "kind", NULL));
        if (row->is_endpoints && !object_is_served(current, api)) {
            continue;
        }
        struct object *object = object_current_get(
            current, api, json_get_string(manifest, "metadata", "namespace", NULL),
            json_get_string(manifest, "metadata", "name", NULL));
        _cleanup_free_ char *text = json_dumps(manifest, JSON_COMPACT | JSON_SORT_KEYS);
        object->row = row;
        object->manifest = manifest;
        (void)json_array_append(current->manifests, manifest);
        object->digest =
            arena_printf(&current->arena, "%016llx", (unsigned long long)str_hash(text));
        _cleanup_free_ char *name = str_printf("digest.%s", row->file);
        (void)json_object_set_new(variables, name, json_string(object->digest));
        object->waits = !row->is_endpoints || address.text != NULL ? NULL
                        : address.ipv6                             ? "IPv6"
                                                                   : "IPv4";
        object->need = row->need == NULL ? NULL : find_need(current, row->need, variables);
    }
}
