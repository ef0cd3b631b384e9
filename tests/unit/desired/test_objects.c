#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "lib/doc/json.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct world_apis all_apis = {.endpoint_slice_v1 = true, .ingress_v1 = true};
static const struct world_apis old_apis = {.ingress_v1 = true};

static const struct desired_address no_address;
static const struct desired_address ipv4 = {.text = "172.18.0.4"};
static const struct desired_address ipv6 = {.text = "fc00::4", .ipv6 = true};

static struct desired_objects make(const struct config *config, const struct world_apis *apis,
                                   const struct desired_address *address)
{
    struct desired_objects objects = {0};
    assert_int_equal(desired_objects_make(&objects, config, apis, address, NULL), 0);
    return objects;
}

static const json_t *object_of(const struct desired_objects *objects, enum kube_kind kind,
                               const char *name)
{
    for (size_t i = 0; i < objects->count; i++) {
        if (objects->items[i].kind == kind && str_equal(objects->items[i].name, name)) {
            return objects->items[i].object;
        }
    }
    fail_msg("no %s %s", kube_kinds[kind].kind, name);
    return NULL;
}

static void assert_json(const json_t *value, const char *expected)
{
    json_auto_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    assert_non_null(wanted);
    if (!json_equal(value, wanted)) {
        _cleanup_free_ char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
        fail_msg("%s instead of %s", text, expected);
    }
}

static void test_list(void **state)
{
    static const struct {
        enum kube_kind kind;
        const char *name_space;
        const char *name;
    } expected[] = {
        {KUBE_NAMESPACE, NULL, "hostk8s"},
        {KUBE_CONFIG_MAP, "kube-public", "local-registry-hosting"},
        {KUBE_DEPLOYMENT, "hostk8s", "registry-ui"},
        {KUBE_SERVICE, "hostk8s", "registry-ui"},
        {KUBE_SERVICE, "hostk8s", "registry-api"},
        {KUBE_ENDPOINT_SLICE, "hostk8s", "registry-api"},
        {KUBE_INGRESS, "hostk8s", "registry-ui"},
        {KUBE_INGRESS, "hostk8s", "registry-api"},
    };
    (void)state;
    _cleanup_(config_freep) struct config *config = sample_config();
    _cleanup_(desired_objects_done) struct desired_objects objects = make(config, &all_apis, &ipv4);
    assert_int_equal(objects.count, ELEMENTS(expected));
    for (size_t i = 0; i < objects.count; i++) {
        const struct desired_object *object = &objects.items[i];
        const struct kube_kind_info *info = &kube_kinds[expected[i].kind];
        assert_int_equal(object->kind, expected[i].kind);
        assert_true(str_equal(object->name_space, expected[i].name_space));
        assert_string_equal(object->name, expected[i].name);
        assert_string_equal(json_get_string(object->object, "kind", NULL), info->kind);
        assert_string_equal(json_get_string(object->object, "apiVersion", NULL), info->api_version);
        const json_t *labels = json_get_object(object->object, "metadata", "labels", NULL);
        assert_string_equal(json_get_string(labels, WORLD_LABEL_MANAGED_BY, NULL),
                            WORLD_MANAGED_BY);
        assert_string_equal(json_get_string(labels, "app.kubernetes.io/part-of", NULL),
                            "hostk8s-registry");
        assert_non_null(json_get_string(labels, DESIRED_LABEL_NAME, NULL));
    }
}

static void count_one(bool ui, const struct world_apis *apis, const struct desired_address *address,
                      size_t count)
{
    _cleanup_(config_freep) struct config *config = sample_config();
    config->ui.enabled = ui;
    _cleanup_(desired_objects_done) struct desired_objects objects = make(config, apis, address);
    assert_int_equal(objects.count, count);
}

static void test_counts(void **state)
{
    (void)state;
    count_one(true, &all_apis, &no_address, 7);
    count_one(true, &old_apis, &no_address, 7);
    count_one(true, &all_apis, &ipv4, 8);
    count_one(true, &all_apis, &ipv6, 8);
    count_one(true, &old_apis, &ipv6, 8);
    count_one(false, &all_apis, &ipv4, 1);
}

static void test_endpoints(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = sample_config();
    _cleanup_(desired_objects_done) struct desired_objects new = make(config, &all_apis, &ipv4);
    const json_t *slice = object_of(&new, KUBE_ENDPOINT_SLICE, DESIRED_API_NAME);
    assert_json(json_get(slice, "metadata", "labels", NULL),
                "{\"app.kubernetes.io/managed-by\":\"hostk8s-registryd\","
                "\"app.kubernetes.io/name\":\"registry-api\","
                "\"app.kubernetes.io/part-of\":\"hostk8s-registry\","
                "\"kubernetes.io/service-name\":\"registry-api\","
                "\"endpointslice.kubernetes.io/managed-by\":\"hostk8s-registryd\"}");
    assert_string_equal(json_get_string(slice, "addressType", NULL), "IPv4");
    assert_json(json_get(slice, "endpoints", NULL),
                "[{\"addresses\":[\"172.18.0.4\"],\"conditions\":{\"ready\":true}}]");
    assert_json(json_get(slice, "ports", NULL),
                "[{\"name\":\"http\",\"port\":5000,\"protocol\":\"TCP\"}]");
    _cleanup_(desired_objects_done) struct desired_objects six = make(config, &all_apis, &ipv6);
    slice = object_of(&six, KUBE_ENDPOINT_SLICE, DESIRED_API_NAME_IPV6);
    assert_string_equal(json_get_string(slice, "addressType", NULL), "IPv6");
    assert_json(json_get(slice, "endpoints", NULL),
                "[{\"addresses\":[\"fc00::4\"],\"conditions\":{\"ready\":true}}]");

    _cleanup_(desired_objects_done) struct desired_objects old = make(config, &old_apis, &ipv4);
    assert_json(json_get(object_of(&old, KUBE_ENDPOINTS, DESIRED_API_NAME), "subsets", NULL),
                "[{\"addresses\":[{\"ip\":\"172.18.0.4\"}],"
                "\"ports\":[{\"name\":\"http\",\"port\":5000,\"protocol\":\"TCP\"}]}]");
    _cleanup_(desired_objects_done) struct desired_objects old_six = make(config, &old_apis, &ipv6);
    assert_json(json_get(object_of(&old_six, KUBE_ENDPOINTS, DESIRED_API_NAME), "subsets", NULL),
                "[{\"addresses\":[{\"ip\":\"fc00::4\"}],"
                "\"ports\":[{\"name\":\"http\",\"port\":5000,\"protocol\":\"TCP\"}]}]");
}

static void test_services(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = sample_config();
    _cleanup_(desired_objects_done) struct desired_objects objects =
        make(config, &all_apis, &no_address);
    assert_json(json_get(object_of(&objects, KUBE_SERVICE, DESIRED_UI_NAME), "spec", NULL),
                "{\"type\":\"ClusterIP\",\"selector\":{\"app.kubernetes.io/name\":\"registry-ui\"},"
                "\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":80,"
                "\"targetPort\":80}]}");
    assert_json(json_get(object_of(&objects, KUBE_SERVICE, DESIRED_API_NAME), "spec", NULL),
                "{\"type\":\"ClusterIP\",\"selector\":{},"
                "\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":5000,"
                "\"targetPort\":5000}]}");
}

static void test_deployment(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = sample_config();
    config->ui.replicas = 2;
    config->registry.delete_enabled = false;
    assert_int_equal(strmap_set(&config->ui.environment, "URL", "http://other"), 0);
    assert_int_equal(strmap_set(&config->ui.environment, "THEME", ""), 0);
    _cleanup_(desired_objects_done) struct desired_objects objects =
        make(config, &all_apis, &no_address);
    const json_t *deployment = object_of(&objects, KUBE_DEPLOYMENT, DESIRED_UI_NAME);
    assert_json(json_get(deployment, "spec", "replicas", NULL), "2");
    assert_json(json_get(deployment, "spec", "selector", NULL),
                "{\"matchLabels\":{\"app.kubernetes.io/name\":\"registry-ui\"}}");
    const json_t *containers =
        json_get_array(deployment, "spec", "template", "spec", "containers", NULL);
    assert_int_equal(json_array_size(containers), 1);
    const json_t *container = json_array_get(containers, 0);
    assert_string_equal(json_get_string(container, "name", NULL), "ui");
    assert_string_equal(json_get_string(container, "image", NULL),
                        "joxit/docker-registry-ui:static");
    assert_json(json_get(container, "ports", NULL),
                "[{\"name\":\"http\",\"containerPort\":80,\"protocol\":\"TCP\"}]");
    assert_json(json_get(container, "startupProbe", NULL),
                "{\"httpGet\":{\"path\":\"/\",\"port\":80,\"scheme\":\"HTTP\"},"
                "\"periodSeconds\":1,\"failureThreshold\":60}");
    assert_json(json_get(container, "env", NULL),
                "[{\"name\":\"CATALOG_ELEMENTS_LIMIT\",\"value\":\"1000\"},"
                "{\"name\":\"DELETE_IMAGES\",\"value\":\"false\"},"
                "{\"name\":\"ENABLE_VERSION_NOTIFICATION\",\"value\":\"false\"},"
                "{\"name\":\"PULL_URL\",\"value\":\"localhost:5002\"},"
                "{\"name\":\"REGISTRY_TITLE\",\"value\":\"HostK8s Registry\"},"
                "{\"name\":\"REGISTRY_URL\",\"value\":\"http://localhost:8080\"},"
                "{\"name\":\"SINGLE_REGISTRY\",\"value\":\"true\"},"
                "{\"name\":\"THEME\",\"value\":\"\"},"
                "{\"name\":\"URL\",\"value\":\"http://other\"}]");
}

static void ui_path_one(const char *ui_path, const char *path)
{
    _cleanup_(config_freep) struct config *config = sample_config();
    sample_set(&config->ui.path, ui_path);
    _cleanup_(desired_objects_done) struct desired_objects objects =
        make(config, &all_apis, &no_address);
    const json_t *ingress = object_of(&objects, KUBE_INGRESS, DESIRED_UI_NAME);
    _cleanup_free_ char *rules =
        str_printf("[{\"http\":{\"paths\":[{\"path\":\"%s\",\"pathType\":"
                   "\"ImplementationSpecific\",\"backend\":"
                   "{\"service\":{\"name\":\"registry-ui\",\"port\":{\"name\":\"http\"}}}}]}}]",
                   path);
    assert_json(json_get(ingress, "spec", "rules", NULL), rules);
    assert_string_equal(json_get_string(ingress, "spec", "ingressClassName", NULL), "nginx");
    assert_json(json_get(ingress, "metadata", "annotations", NULL),
                "{\"nginx.ingress.kubernetes.io/use-regex\":\"true\","
                "\"nginx.ingress.kubernetes.io/rewrite-target\":\"/$2\"}");
}

static void test_ingress_ui(void **state)
{
    (void)state;
    ui_path_one("/registry/", "/registry(/|$)(.*)");
    ui_path_one("/a/b/", "/a/b(/|$)(.*)");
}

static void test_ingress_api(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = sample_config();
    _cleanup_(desired_objects_done) struct desired_objects objects =
        make(config, &all_apis, &no_address);
    const json_t *ingress = object_of(&objects, KUBE_INGRESS, DESIRED_API_NAME);
    assert_json(json_get(ingress, "spec", NULL),
                "{\"ingressClassName\":\"nginx\",\"rules\":[{\"http\":{\"paths\":[{\"path\":"
                "\"/v2/\",\"pathType\":\"Prefix\",\"backend\":{\"service\":{\"name\":"
                "\"registry-api\",\"port\":{\"name\":\"http\"}}}}]}}]}");
    assert_json(json_get(ingress, "metadata", "annotations", NULL),
                "{\"nginx.ingress.kubernetes.io/proxy-body-size\":\"0\","
                "\"nginx.ingress.kubernetes.io/proxy-request-buffering\":\"off\","
                "\"nginx.ingress.kubernetes.io/proxy-read-timeout\":\"600\","
                "\"nginx.ingress.kubernetes.io/proxy-send-timeout\":\"600\"}");
}

static void hosting_one(const char *address, const char *host, bool alias)
{
    _cleanup_(config_freep) struct config *config = sample_config();
    sample_set(&config->registry.listen_address, address);
    if (alias) {
        assert_int_equal(strv_add_unique(&config->nodes.aliases, host), 0);
    }
    _cleanup_(desired_objects_done) struct desired_objects objects =
        make(config, &all_apis, &no_address);
    _cleanup_free_ char *text =
        str_printf("host: \"%s\"\nhostFromClusterNetwork: \"hostk8s-registry:5000\"\n%shelp: "
                   "\"https://kind.sigs.k8s.io/docs/user/local-registry/\"\n",
                   host, alias ? "" : "hostFromContainerRuntime: \"hostk8s-registry:5000\"\n");
    const json_t *map = object_of(&objects, KUBE_CONFIG_MAP, "local-registry-hosting");
    assert_string_equal(json_get_string(map, "data", "localRegistryHosting.v1", NULL), text);
}

static void test_hosting(void **state)
{
    (void)state;
    hosting_one("127.0.0.1", "localhost:5002", true);
    hosting_one("127.0.0.9", "localhost:5002", true);
    hosting_one("0.0.0.0", "localhost:5002", true);
    hosting_one("::", "localhost:5002", true);
    hosting_one("::1", "localhost:5002", true);
    hosting_one("192.168.1.9", "192.168.1.9:5002", true);
    hosting_one("192.168.1.9", "192.168.1.9:5002", false);
    hosting_one("fd00::9", "[fd00::9]:5002", false);
}

// The container's name is bounded by the configuration; here it is not.
static void test_too_large(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = sample_config();
    _cleanup_free_ char *name = str_printf("%5000s", "x");
    sample_set(&config->registry.name, name);
    struct desired_objects objects = {0};
    struct error err = {0};
    assert_true(desired_objects_make(&objects, config, &all_apis, &no_address, &err) < 0);
    assert_string_equal(err.text, "the objects for Kubernetes are too large");
    assert_null(objects.items);
    assert_int_equal(objects.count, 0);
}

static void test_made_again(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = sample_config();
    _cleanup_(config_freep) struct config *other = sample_config();
    const struct {
        const struct config *config;
        const struct world_apis *apis;
        struct desired_address address;
    } sources[] = {
        {config, &all_apis, no_address},
        {config, &all_apis, ipv4},
        {config, &all_apis, {"172.18.0.5", false}},
        {config, &all_apis, ipv6},
        {config, &old_apis, ipv6},
        {other, &old_apis, ipv6},
    };
    _cleanup_(desired_objects_done) struct desired_objects objects = {0};
    for (size_t i = 0; i < ELEMENTS(sources); i++) {
        for (int again = 0; again < 2; again++) {
            assert_int_equal(desired_objects_make(&objects, sources[i].config, sources[i].apis,
                                                  &sources[i].address, NULL),
                             0);
            assert_int_equal(objects.items[0].met_by != NULL, again);
            objects.items[0].met_by = again ? objects.items[0].met_by : json_true();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_endpoints),   cmocka_unit_test(test_services),
        cmocka_unit_test(test_deployment),  cmocka_unit_test(test_ingress_ui),
        cmocka_unit_test(test_ingress_api), cmocka_unit_test(test_hosting),
        cmocka_unit_test(test_too_large),   cmocka_unit_test(test_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
