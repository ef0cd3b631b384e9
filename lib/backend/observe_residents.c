// Whether a namespace that is to be deleted has residents: objects that neither the program nor the
// cluster itself put there. All that the API server can list in a namespace is looked at, in every
// version of every group, one request after the other: some kinds are only in one that is not
// preferred.
#include "lib/backend/backend_internal.h"

#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/doc/json.h"
#include "lib/world/name.h"

#include <errno.h>
#include <string.h>

#define PATHS_MAX 4096 // a cluster with many operators has some hundred
#define FOREIGN_SELECTOR WORLD_LABEL_MANAGED_BY "!=" WORLD_MANAGED_BY

struct residents {
    struct kube *kube;
    char *name_space;
    struct strv paths; // of the groups' versions, then of the collections that those have
    size_t versions;
    size_t asked;
    char *doubt;
    residents_done_fn done;
    void *ctx;
};

static void residents_free(struct residents *residents)
{
    if (residents != NULL) {
        strv_done(&residents->paths);
        free(residents->name_space);
        free(residents->doubt);
        free(residents);
    }
}
DEFINE_CLEANUP(struct residents *, residents_free)

// Takes residents.
static void residents_end(struct residents *residents, const char *resident,
                          const struct error *err)
{
    residents->done(residents->ctx, resident, residents->doubt, err);
    residents_free(residents);
}

static int add_path(struct residents *residents, char *path, struct error *err)
{
    _cleanup_free_ char *owned = path;
    if (owned == NULL || strv_add(&residents->paths, owned) < 0) {
        return error_oom(err);
    }
    if (residents->paths.count > PATHS_MAX) {
        return error_set(err, ERROR_PERMANENT, E2BIG, "the cluster serves more than %d collections",
                         PATHS_MAX);
    }
    return 0;
}

// ---- what lives there ----

// Every namespace is given these by controllers of Kubernetes itself.
static bool is_of_every_namespace(const char *path, const json_t *item)
{
    static const struct {
        const char *collection;
        const char *name;
    } given[] = {
        {"/configmaps", "kube-root-ca.crt"},
        {"/serviceaccounts", "default"},
    };
    const char *name = json_get_string(item, "metadata", "name", NULL);
    for (size_t i = 0; i < ELEMENTS(given); i++) {
        if (str_starts_with(path, "/api/v1/") && str_ends_with(path, given[i].collection) &&
            str_equal(name, given[i].name)) {
            return true;
        }
    }
    const char *account = json_get_string(item, "metadata", "annotations",
                                          "kubernetes.io/service-account.name", NULL);
    return str_starts_with(path, "/api/v1/") && str_ends_with(path, "/secrets") &&
           str_equal(json_get_string(item, "type", NULL), "kubernetes.io/service-account-token") &&
           str_equal(account, "default");
}

// By its label: the controllers give what they make of our objects the labels of those (pods,
// ReplicaSets, Endpoints, EndpointSlices). An aggregated API may not know of selectors.
static bool is_own(const json_t *item)
{
    return str_equal(json_get_string(item, "metadata", "labels", WORLD_LABEL_MANAGED_BY, NULL),
                     WORLD_MANAGED_BY);
}

// The first resident of a collection, "secrets/token", or NULL. Returns 0 or -ENOMEM.
static int find_resident(const char *path, const json_t *list, char **ret)
{
    const char *plural = strrchr(path, '/') + 1;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (json_object_get(list, "items"), i, item) {
        if (!is_own(item) && !is_of_every_namespace(path, item)) {
            const char *name = json_get_string(item, "metadata", "name", NULL);
            *ret = str_printf("%s/%.253s", plural, name == NULL ? "" : name);
            return *ret == NULL ? -ENOMEM : 0;
        }
    }
    if (!str_empty(json_get_string(list, "metadata", "continue", NULL))) {
        *ret = str_printf("more than %d %s", KUBE_FIRST_ITEMS, plural);
        return *ret == NULL ? -ENOMEM : 0;
    }
    *ret = NULL;
    return 0;
}

// ---- what there is to be looked at ----

// Of these nothing is lost: events are kept for an hour, and metrics are measured.
static bool is_passing(const char *group)
{
    return str_equal(group, "events.k8s.io") || str_equal(group, "metrics.k8s.io");
}

static int add_version(struct residents *residents, const char *group_version, struct error *err)
{
    const char *version = group_version == NULL ? NULL : strchr(group_version, '/');
    _cleanup_free_ char *group =
        version == NULL ? NULL : str_dup_n(group_version, (size_t)(version - group_version));
    if (version != NULL && group == NULL) {
        return error_oom(err);
    }
    if (version == NULL || !world_object_name_is_valid(group) ||
        !world_object_name_is_valid(version + 1)) {
        return error_set(err, ERROR_TRANSIENT, EBADMSG,
                         "kube: GET /apis: the answer has a group without a valid version");
    }
    return is_passing(group) ? 0 : add_path(residents, str_printf("/apis/%s", group_version), err);
}

static int add_versions(struct residents *residents, const json_t *groups, struct error *err)
{
    int r = add_path(residents, str_dup("/api/v1"), err);
    size_t i = 0;
    json_t *group = NULL;
    json_array_foreach (json_object_get(groups, "groups"), i, group) {
        size_t j = 0;
        json_t *version = NULL;
        json_array_foreach (json_object_get(group, "versions"), j, version) {
            r = r < 0 ? r
                      : add_version(residents, json_get_string(version, "groupVersion", NULL), err);
        }
    }
    residents->versions = residents->paths.count;
    return r;
}

static bool can_list(const json_t *resource)
{
    size_t i = 0;
    json_t *verb = NULL;
    json_array_foreach (json_object_get(resource, "verbs"), i, verb) {
        if (str_equal(json_string_value(verb), "list")) {
            return true;
        }
    }
    return false;
}

static int add_collections(struct residents *residents, const char *version, const json_t *answer,
                           struct error *err)
{
    size_t i = 0;
    json_t *resource = NULL;
    json_array_foreach (json_object_get(answer, "resources"), i, resource) {
        const char *plural = json_get_string(resource, "name", NULL);
        // A name with a '/' is a part of another resource. Events are as in is_passing.
        bool events = str_equal(version, "/api/v1") && str_equal(plural, "events");
        if (events || plural == NULL || !world_object_name_is_valid(plural) ||
            !can_list(resource) || !json_get_bool(resource, false, "namespaced", NULL)) {
            continue;
        }
        int r = add_path(residents,
                         str_printf("%s/namespaces/%s/%s", version, residents->name_space, plural),
                         err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

// ---- the requests ----

static void ask_next(struct residents *residents);

// What the server answers of one API alone leaves a doubt; the others may still show a resident.
static bool leaves_doubt(const struct error *err)
{
    return err->status != 0 && err->status != 401 && err->status != 429;
}

static void answered(struct residents *residents, const struct error *err)
{
    struct error error = {0};
    if (err != NULL && leaves_doubt(err)) {
        bool first = residents->doubt == NULL;
        err = first && str_replace(&residents->doubt, err->text) < 0 ? &error : NULL;
        if (err != NULL) {
            (void)error_oom(&error);
        }
    }
    if (err != NULL) {
        residents_end(residents, NULL, err);
        return;
    }
    residents->asked++;
    ask_next(residents);
}

static void on_collections(void *ctx, json_t *answer, const struct error *err)
{
    struct residents *residents = ctx;
    struct error error = {0};
    if (err == NULL &&
        add_collections(residents, residents->paths.items[residents->asked], answer, &error) < 0) {
        err = &error;
    }
    answered(residents, err);
}

static void on_items(void *ctx, json_t *answer, const struct error *err)
{
    struct residents *residents = ctx;
    _cleanup_free_ char *resident = NULL;
    struct error error = {0};
    if (err == NULL &&
        find_resident(residents->paths.items[residents->asked], answer, &resident) < 0) {
        (void)error_oom(&error);
        err = &error;
    }
    if (resident != NULL) {
        residents_end(residents, resident, NULL);
    } else {
        answered(residents, err);
    }
}

static void ask_next(struct residents *residents)
{
    if (residents->asked == residents->paths.count) {
        residents_end(residents, NULL, NULL);
        return;
    }
    const char *path = residents->paths.items[residents->asked];
    struct error error = {0};
    int r =
        residents->asked < residents->versions
            ? kube_get_resources(residents->kube, path, on_collections, residents, &error)
            : kube_list_first(residents->kube, path, FOREIGN_SELECTOR, on_items, residents, &error);
    if (r < 0) {
        residents_end(residents, NULL, &error);
    }
}

static void on_groups(void *ctx, json_t *answer, const struct error *err)
{
    struct residents *residents = ctx;
    struct error error = {0};
    if (err == NULL && add_versions(residents, answer, &error) < 0) {
        err = &error;
    }
    if (err != NULL) {
        residents_end(residents, NULL, err);
    } else {
        ask_next(residents);
    }
}

int observe_residents(struct kube *kube, const char *name_space, residents_done_fn done, void *ctx,
                      struct error *err)
{
    _cleanup_(residents_freep) struct residents *residents = calloc(1, sizeof(*residents));
    if (residents == NULL) {
        return error_oom(err);
    }
    *residents = (struct residents){
        .kube = kube, .name_space = str_dup(name_space), .done = done, .ctx = ctx};
    if (residents->name_space == NULL) {
        return error_oom(err);
    }
    int r = kube_get_groups(kube, on_groups, residents, err);
    if (r < 0) {
        return r;
    }
    TAKE_PTR(residents);
    return 0;
}
