// What a server serves.
// https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
#include "lib/kube/kube_internal.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"

int kube_get_groups(struct kube *kube, kube_done_fn done, void *ctx, struct error *err)
{
    static const struct kube_request request = {
        .method = HTTP_GET, .name = "GET", .list = "groups"};
    return kube_send(kube, &request, "/apis", done, ctx, err);
}

int kube_get_resources(struct kube *kube, const char *path, kube_done_fn done, void *ctx,
                       struct error *err)
{
    static const struct kube_request request = {
        .method = HTTP_GET, .name = "GET", .list = "resources"};
    return kube_send(kube, &request, path, done, ctx, err);
}

bool kube_api_groups_serve(const json_t *groups, const char *group_version)
{
    size_t i;
    const json_t *group;
    json_array_foreach (json_get_array(groups, "groups", NULL), i, group) {
        size_t j;
        const json_t *version;
        json_array_foreach (json_get_array(group, "versions", NULL), j, version) {
            if (str_equal(json_get_string(version, "groupVersion", NULL), group_version)) {
                return true;
            }
        }
    }
    return false;
}
