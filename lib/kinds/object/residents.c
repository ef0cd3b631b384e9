#include "lib/kinds/object/residents.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/doc/json.h"
#include "lib/kinds/name.h"
#include "lib/kinds/object/objects.h"
#include "lib/kinds/object/plan.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define PATHS_MAX 4096 // a cluster with many operators has some hundred
#define GROUP_VERSION "abcdefghijklmnopqrstuvwxyz0123456789.-/" // its characters
#define FOREIGN_SELECTOR OBJECT_LABEL_MANAGED_BY "!=" OBJECT_MANAGED_BY

struct residents {
    struct api *kube;
    char *name_space;
    struct strv paths; // "/apis", the groups' versions, then the collections that those have
    size_t versions;   // of the paths: from this one on they are collections
    size_t answered;
    struct error doubt; // the first one
    object_residents_fn done;
    void *ctx;
};

static void residents_free(struct residents *residents)
{
    strv_done(&residents->paths);
    free(residents->name_space);
    free(residents);
}

// Of these nothing is lost: events are kept for an hour, and metrics are measured.
static bool is_passing(const char *path)
{
    return str_starts_with(path, "/apis/events.k8s.io/") ||
           str_starts_with(path, "/apis/metrics.k8s.io/") ||
           (str_starts_with(path, "/api/v1/") && str_ends_with(path, "/events"));
}

static void add_path(struct residents *residents, const char *path)
{
    if (!is_passing(path)) {
        strv_add(&residents->paths, path);
    }
}

static int add_versions(struct residents *residents, const json_t *answer, struct error *err)
{
    size_t i = 0;
    json_t *group = NULL;
    add_path(residents, "/api/v1");
    json_array_foreach (json_object_get(answer, "groups"), i, group) {
        size_t j = 0;
        json_t *version = NULL;
        json_array_foreach (json_object_get(group, "versions"), j, version) {
            const char *name = json_get_string(version, "groupVersion", NULL);
            if (name == NULL || name[strspn(name, GROUP_VERSION)] != '\0') {
                return error_set(err, ERROR_TRANSIENT, EBADMSG,
                                 "kube: GET /apis: the answer has a group without a valid version");
            }
            _cleanup_free_ char *path = str_printf("/apis/%s", name);
            add_path(residents, path);
        }
    }
    residents->versions = residents->paths.count;
    return 0;
}

static void add_collections(struct residents *residents, const char *version, const json_t *answer)
{
    size_t i = 0;
    json_t *resource = NULL;
    json_array_foreach (json_object_get(answer, "resources"), i, resource) {
        const char *plural = json_get_string(resource, "name", NULL);
        size_t j = 0;
        json_t *verb = NULL;
        bool listed = false;
        json_array_foreach (json_object_get(resource, "verbs"), j, verb) {
            listed = listed || str_equal(json_string_value(verb), "list");
        }
        // Where EndpointSlices are served they tell of Endpoints, a list of which is warned of.
        bool mirrored = str_equal(plural, "endpoints") &&
                        strv_contains(&residents->paths, "/apis/discovery.k8s.io/v1");
        // A name with a '/' is a part of another resource.
        if (listed && !mirrored && plural != NULL && name_is_valid_object(plural) &&
            json_get_bool(resource, false, "namespaced", NULL)) {
            _cleanup_free_ char *path =
                str_printf("%s/namespaces/%s/%s", version, residents->name_space, plural);
            add_path(residents, path);
        }
    }
}

// Every namespace is given these by controllers of Kubernetes itself.
static bool is_of_every_namespace(const char *path, const json_t *item)
{
    const char *name = json_get_string(item, "metadata", "name", NULL);
    const char *account = json_get_string(item, "metadata", "annotations",
                                          "kubernetes.io/service-account.name", NULL);
    const char *type = json_get_string(item, "type", NULL);
    return str_starts_with(path, "/api/v1/") &&
           ((str_ends_with(path, "/configmaps") && str_equal(name, "kube-root-ca.crt")) ||
            (str_ends_with(path, "/serviceaccounts") && str_equal(name, "default")) ||
            (str_ends_with(path, "/secrets") && str_equal(account, "default") &&
             str_equal(type, "kubernetes.io/service-account-token")));
}

// The first resident of a collection, which the caller frees, or NULL.
static char *find_resident(const char *path, const json_t *answer)
{
    const char *plural = strrchr(path, '/') + 1;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (json_object_get(answer, "items"), i, item) {
        // Controllers give what they make of our objects the labels of those (pods, ReplicaSets,
        // Endpoints, EndpointSlices). An aggregated API may not know of selectors.
        const char *label =
            json_get_string(item, "metadata", "labels", OBJECT_LABEL_MANAGED_BY, NULL);
        if (!str_equal(label, OBJECT_MANAGED_BY) && !is_of_every_namespace(path, item)) {
            const char *name = json_get_string(item, "metadata", "name", NULL);
            return str_printf("%s/%.253s", plural, name == NULL ? "" : name);
        }
    }
    return str_empty(json_get_string(answer, "metadata", "continue", NULL))
               ? NULL
               : str_printf("more than %d %s", KUBE_FIRST_ITEMS, plural);
}

// ---- the requests ----

static void on_answer(void *ctx, json_t *answer, const struct error *err);

static int ask(struct residents *residents, struct error *err)
{
    size_t next = residents->answered;
    assert(next < residents->paths.count && residents->paths.items != NULL);
    const char *path = residents->paths.items[next];
    if (residents->paths.count > PATHS_MAX) {
        return error_set(err, ERROR_PERMANENT, E2BIG, "the cluster serves more than %d collections",
                         PATHS_MAX);
    }
    return next < residents->versions
               ? kube_get_apis(residents->kube, path, on_answer, residents, err)
               : kube_list(residents->kube, path, FOREIGN_SELECTOR, true, on_answer, residents,
                           err);
}

// What the server says of one API alone leaves a doubt; the others may still show a resident.
static bool is_doubt(const struct residents *residents, const struct error *err)
{
    return residents->answered > 0 && err->status != 0 && err->status != 401 && err->status != 429;
}

static void on_answer(void *ctx, json_t *answer, const struct error *err)
{
    struct residents *residents = ctx;
    const char *path = residents->paths.items[residents->answered];
    struct error error = {0};
    _cleanup_free_ char *resident = NULL;
    if (err != NULL) {
        error = *err;
    } else if (residents->answered == 0) {
        (void)add_versions(residents, answer, &error);
    } else if (residents->answered < residents->versions) {
        add_collections(residents, path, answer);
    } else {
        resident = find_resident(path, answer);
    }
    if (error.kind != ERROR_NONE && is_doubt(residents, &error)) {
        if (residents->doubt.kind == ERROR_NONE) {
            residents->doubt = error;
            residents->doubt.kind = ERROR_TRANSIENT;
            residents->doubt.code = OBJECT_DOUBT;
            (void)error_wrap(&residents->doubt, "is kept while others may live in it");
        }
        error.kind = ERROR_NONE;
    }
    residents->answered++;
    if (error.kind == ERROR_NONE && resident == NULL) {
        if (residents->answered < residents->paths.count && ask(residents, &error) == 0) {
            return;
        }
        error = error.kind == ERROR_NONE ? residents->doubt : error;
    }
    residents->done(residents->ctx, resident, error.kind == ERROR_NONE ? NULL : &error);
    residents_free(residents);
}

int object_residents(struct api *kube, const char *name_space, object_residents_fn done, void *ctx,
                     struct error *err)
{
    struct residents *residents = xcalloc(1, sizeof(*residents));
    *residents = (struct residents){
        .kube = kube, .name_space = str_dup(name_space), .versions = 1, .done = done, .ctx = ctx};
    strv_add(&residents->paths, "/apis");
    int r = ask(residents, err);
    if (r < 0) {
        residents_free(residents);
    }
    return r;
}
