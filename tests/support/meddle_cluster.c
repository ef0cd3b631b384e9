#include "tests/support/meddle_cluster.h"

#include "lib/doc/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static json_t *at(json_t *object, const char *list)
{
    json_t *container =
        json_array_get(json_get_array(object, "spec", "template", "spec", "containers", NULL), 0);
    return json_array_get(json_object_get(container, list), 0);
}

static void edit(json_t *object, const char *change)
{
    json_auto_t *value = json_loads(change, 0, NULL);
    assert_non_null(value);
    assert_int_equal(json_object_update_recursive(object, value), 0);
}

static void edit_deployment(struct random *random, json_t *object)
{
    static const char *const edits[] = {
        "{\"spec\":{\"paused\":true}}",
        "{\"spec\":{\"replicas\":7}}",
        "{\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"mine\":\"1\"}}}}}",
        "{\"spec\":{\"template\":{\"spec\":{\"enableServiceLinks\":true}}}}",
    };
    static const char *const container_edits[] = {
        "{\"image\":\"evil\"}",
        "{\"command\":[\"sh\"]}",
        "{\"args\":[\"x\"]}",
        "{\"startupProbe\":{\"periodSeconds\":99}}",
    };
    json_t *containers = json_get_array(object, "spec", "template", "spec", "containers", NULL);
    json_t *container = json_array_get(containers, 0);
    switch (random_below(random, 6)) {
    case 0:
        edit(object, RANDOM_PICK(random, edits));
        break;
    case 1:
        edit(container, RANDOM_PICK(random, container_edits));
        break;
    case 2:
        edit(at(object, "env"), "{\"value\":\"evil\"}");
        break;
    case 3:
        (void)json_object_del(at(object, "env"), "value");
        edit(at(object, "env"), "{\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"x\"}}}");
        break;
    case 4:
        edit(at(object, "ports"), "{\"containerPort\":81}");
        break;
    default:
        assert_int_equal(
            json_array_append_new(containers,
                                  json_pack("{s:s, s:s}", "name", "sidecar", "image", "envoy:1")),
            0);
    }
}

static void edit_list(struct random *random, json_t *list, const char *change)
{
    if (json_array_size(list) == 0) { // a controller's endpoints
        return;
    }
    if (random_chance(random, 30)) {
        assert_int_equal(json_array_append(list, json_array_get(list, 0)), 0);
    } else if (random_chance(random, 30)) {
        assert_int_equal(json_array_clear(list), 0);
    } else {
        edit(json_array_get(list, 0), change);
    }
}

static void edit_object(struct random *random, enum kube_kind kind, json_t *object)
{
    switch (kind) {
    case KUBE_NAMESPACE:
    case _KUBE_KIND_COUNT:
        break;
    case KUBE_CONFIG_MAP:
        edit(object, random_chance(random, 50) ? "{\"data\":{\"localRegistryHosting.v1\":\"x\"}}"
                                               : "{\"immutable\":true,\"data\":{\"other\":\"x\"}}");
        break;
    case KUBE_DEPLOYMENT:
        edit_deployment(random, object);
        break;
    case KUBE_SERVICE:
        if (random_chance(random, 50)) {
            edit(object, "{\"spec\":{\"selector\":{\"x\":\"y\"}}}");
        } else {
            edit(json_array_get(json_get_array(object, "spec", "ports", NULL), 0),
                 random_chance(random, 50) ? "{\"port\":99}" : "{\"targetPort\":99}");
        }
        break;
    case KUBE_ENDPOINTS:
        edit_list(random, json_object_get(object, "subsets"),
                  "{\"addresses\":[{\"ip\":\"1.1.1.1\"}]}");
        break;
    case KUBE_ENDPOINT_SLICE:
        edit_list(random, json_object_get(object, "endpoints"), "{\"addresses\":[\"1.1.1.1\"]}");
        break;
    case KUBE_INGRESS:
        edit_list(random, json_get_array(object, "spec", "rules", NULL), "{\"host\":\"foo.bar\"}");
        break;
    }
    if (random_chance(random, 20)) {
        edit(object, "{\"metadata\":{\"annotations\":{\"mine\":\"1\"}}}");
    }
    if (kind != KUBE_NAMESPACE && random_chance(random, 20)) {
        (void)json_object_del(json_get_object(object, "metadata", "labels", NULL),
                              WORLD_LABEL_MANAGED_BY);
    }
}

void meddle_edit(struct random *random, struct model_cluster *model)
{
    for (size_t i = 0; i < model_cluster_count(model); i++) {
        enum kube_kind kind = KUBE_NAMESPACE;
        json_t *object = model_cluster_at(model, i, &kind);
        if (model_is_owned(kind, object) && random_chance(random, 30)) {
            edit_object(random, kind, object);
        }
    }
}

void meddle_add(struct random *random, struct model_cluster *model)
{
    static const char *const spaces[] = {"hostk8s", "tools", "elsewhere"};
    static const char *const names[] = {"registry-ui", "registry-api", "theirs"};
    for (enum kube_kind kind = KUBE_CONFIG_MAP; kind < _KUBE_KIND_COUNT; kind++) {
        if (random_chance(random, 12)) {
            const char *space = RANDOM_PICK(random, spaces);
            model_cluster_put(model, KUBE_NAMESPACE,
                              json_pack("{s:{s:s}}", "metadata", "name", space));
            model_cluster_put(model, kind,
                              json_pack("{s:{s:s, s:s}, s:{}}", "metadata", "name",
                                        RANDOM_PICK(random, names), "namespace", space, "spec"));
        }
    }
    if (random_chance(random, 10)) {
        model_cluster_put(model, KUBE_CONFIG_MAP,
                          json_pack("{s:{s:s, s:s}}", "metadata", "name", "local-registry-hosting",
                                    "namespace", "kube-public"));
    }
}
