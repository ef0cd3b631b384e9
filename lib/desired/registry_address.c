// Where a cluster's pods reach the registry.
#include "lib/desired/desired.h"

#include "lib/doc/json.h"

#include <string.h>

// Whether the cluster's Services have IPv6 addresses; unknown before the first is there.
static bool wants_ipv6(const struct config *config, const struct world_cluster *cluster)
{
    const struct world_object *service =
        world_cluster_object(cluster, KUBE_SERVICE, config->ui.name_space, DESIRED_API_NAME);
    const char *address =
        service == NULL ? NULL : json_get_string(service->object, "spec", "clusterIP", NULL);
    return address != NULL && strchr(address, ':') != NULL;
}

// A cluster of one family has no route to the other, and an ingress controller would send every
// second request there.
struct desired_address desired_registry_address(const struct config *config,
                                                const struct world_engine *engine,
                                                const struct world_cluster *cluster)
{
    bool ipv6 = wants_ipv6(config, cluster);
    const struct world_container *container =
        engine == NULL ? NULL : world_engine_container(engine, config->registry.name);
    const struct world_endpoint *endpoint =
        container == NULL ? NULL : world_container_endpoint(container, config->network);
    if (endpoint == NULL) {
        return (struct desired_address){.ipv6 = ipv6};
    }
    if (ipv6 || (endpoint->ipv4 == NULL && endpoint->ipv6 != NULL)) {
        return (struct desired_address){.text = endpoint->ipv6, .ipv6 = true};
    }
    return (struct desired_address){.text = endpoint->ipv4};
}
