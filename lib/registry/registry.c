#include "lib/registry/registry.h"

#include "lib/base/alloc.h"

// A registry answers 404 for an index to who does not name its type.
#define MANIFEST_TYPES                                                                             \
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "        \
    "application/vnd.docker.distribution.manifest.list.v2+json, "                                  \
    "application/vnd.docker.distribution.manifest.v2+json, */*"

int registry_new(struct http_transport *transport, const char *base, uint64_t timeout_ms,
                 const struct secrets *secrets, struct api **ret, struct error *err)
{
    const struct http_endpoint endpoint = {.base = base};
    _cleanup_free_ struct api *api = xcalloc(1, sizeof(*api));
    *api = (struct api){
        .name = "registry", .accept = MANIFEST_TYPES, .timeout_ms = timeout_ms, .secrets = secrets};
    int r = api_open(api, transport, &endpoint, err);
    if (r == 0) {
        *ret = TAKE_PTR(api);
    }
    return r;
}
