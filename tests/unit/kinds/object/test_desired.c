// The objects that should be there, of their manifests.
#include "lib/kinds/object/desired.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/object/manifest.h"
#include "tests/support/object_rig.h"
#include "tests/support/sample_config.h"

#include <string.h>

// Every file that is embedded has a row, and is of a kind that is managed.
static void test_embedded(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = sample_config();
    json_auto_t *variables = object_variables(config, &(struct object_address){0});
    size_t count = 0;
    for (; manifests[count].file != NULL; count++) {
        size_t row = 0;
        while (row < object_row_count && !str_equal(object_rows[row].file, manifests[count].file)) {
            row++;
        }
        json_auto_t *json = manifest_read(manifests[count].file, variables);
        const struct object_api *api = object_api(json_get_string(json, "kind", NULL));
        const json_t *metadata = json_get_object(json, "metadata", NULL);
        const json_t *labels = json_get_object(metadata, "labels", NULL);
        assert_true(row < object_row_count && api->managed);
        assert_string_equal(json_get_string(json, "apiVersion", NULL), api->version);
        assert_int_equal(json_get_string(metadata, "namespace", NULL) != NULL, api->namespaced);
        assert_string_equal(json_get_string(labels, OBJECT_LABEL_MANAGED_BY, NULL),
                            OBJECT_MANAGED_BY);
        assert_string_equal(json_get_string(labels, "app.kubernetes.io/part-of", NULL),
                            "hostk8s-registry");
        assert_non_null(json_get_string(labels, "app.kubernetes.io/name", NULL));
    }
    assert_int_equal(count, object_row_count);
}

// What the program has always applied: the bodies of its requests as they were recorded.
static void test_recorded(void **state)
{
    struct object_rig *rig = *state;
    sample_set(&rig->config->ui.image, "joxit/docker-registry-ui:static");
    object_rig_desire(rig);
    json_auto_t *recorded = object_fixture("1.36.2/manifests");
    size_t i = 0;
    json_t *json = NULL;
    json_array_foreach (json_object_get(recorded, "items"), i, json) {
        const json_t *metadata = json_get_object(json, "metadata", NULL);
        const char *space = json_get_string(metadata, "namespace", NULL);
        _cleanup_free_ char *resource =
            str_printf("%s/%s%s%s", json_get_string(json, "kind", NULL), space == NULL ? "" : space,
                       space == NULL ? "" : "/", json_get_string(metadata, "name", NULL));
        _cleanup_free_ char *text =
            json_dumps(object_rig_object(rig, resource)->manifest, JSON_SORT_KEYS);
        _cleanup_free_ char *expected = json_dumps(json, JSON_SORT_KEYS);
        assert_string_equal(text, expected);
    }
    assert_int_equal(i, 8);
}

// "?" for what waits for the registry's address.
static void assert_resources(struct object_rig *rig, const char *expected)
{
    _cleanup_buf_ struct buf lines = BUF_INIT(65536);
    object_rig_desire(rig);
    for (size_t i = 0; i < rig->current->count; i++) {
        const struct object *object = rig->current->objects[i];
        if (object->row != NULL) {
            (void)buf_printf(&lines, "%s%s\n", object->waits == NULL ? "" : "?",
                             object->resource + strlen("kube/dev/"));
        }
    }
    assert_string_equal(buf_str(&lines), expected);
}

static void set_served(struct object_rig *rig, const char *kind, bool served)
{
    rig->current->served[object_api_index(object_api(kind))] = served;
}

#define UI                                                                                         \
    "Service/hostk8s/registry-api\n"                                                               \
    "Namespace/hostk8s\n"                                                                          \
    "ConfigMap/kube-public/local-registry-hosting\n"                                               \
    "Deployment/hostk8s/registry-ui\n"                                                             \
    "Service/hostk8s/registry-ui\n"
#define INGRESSES "Ingress/hostk8s/registry-ui\nIngress/hostk8s/registry-api\n"

static void test_which(void **state)
{
    struct object_rig *rig = *state;
    assert_resources(rig, UI "EndpointSlice/hostk8s/registry-api\n" INGRESSES);
    set_served(rig, "Ingress", false); // it is desired all the same
    assert_resources(rig, UI "EndpointSlice/hostk8s/registry-api\n" INGRESSES);
    set_served(rig, "EndpointSlice", false);
    assert_resources(rig, UI INGRESSES "Endpoints/hostk8s/registry-api\n");
    rig->engine.registry_ipv4 = NULL;
    assert_resources(rig, UI INGRESSES "?Endpoints/hostk8s/registry-api\n");
    rig->input.engine = NULL;
    assert_resources(rig, UI INGRESSES "?Endpoints/hostk8s/registry-api\n");
    set_served(rig, "Endpoints", false);
    assert_resources(rig, UI INGRESSES);
    rig->config->ui.enabled = false;
    assert_resources(rig, "ConfigMap/kube-public/local-registry-hosting\n");
}

// Of both families the address is the one that the cluster's Services have.
static void address_one(struct object_rig *rig, const char *cluster_ip, const char *ipv4,
                        const char *ipv6, const char *expected)
{
    object_rig_reset(rig);
    rig->engine.registry_ipv4 = ipv4;
    rig->engine.registry_ipv6 = ipv6;
    if (cluster_ip != NULL) {
        object_rig_add(rig, "Service",
                       "{\"metadata\":{\"name\":\"registry-api\",\"namespace\":\"hostk8s\"},"
                       "\"spec\":{\"clusterIP\":\"%s\"}}",
                       cluster_ip);
    }
    object_rig_desire(rig);
    const struct object *slice =
        object_rig_object(rig, str_equal(expected, "fc00::4") || str_equal(expected, "?IPv6")
                                   ? "EndpointSlice/hostk8s/registry-api-ipv6"
                                   : "EndpointSlice/hostk8s/registry-api");
    const json_t *endpoint = json_array_get(json_object_get(slice->manifest, "endpoints"), 0);
    const char *address =
        json_string_value(json_array_get(json_object_get(endpoint, "addresses"), 0));
    _cleanup_free_ char *text = str_printf("%s%s", slice->waits == NULL ? "" : "?",
                                           slice->waits == NULL ? address : slice->waits);
    assert_string_equal(text, expected);
    assert_string_equal(json_get_string(slice->manifest, "addressType", NULL),
                        str_ends_with(slice->name, "-ipv6") ? "IPv6" : "IPv4");
}

static void test_address(void **state)
{
    struct object_rig *rig = *state;
    address_one(rig, NULL, "172.18.0.4", "fc00::4", "172.18.0.4");
    address_one(rig, "None", "172.18.0.4", "fc00::4", "172.18.0.4");
    address_one(rig, "10.96.0.1", "172.18.0.4", "fc00::4", "172.18.0.4");
    address_one(rig, "fd00::1", "172.18.0.4", "fc00::4", "fc00::4");
    address_one(rig, "fd00::1", "172.18.0.4", NULL, "?IPv6");
    address_one(rig, "10.96.0.1", NULL, "fc00::4", "fc00::4");
    address_one(rig, "10.96.0.1", NULL, NULL, "?IPv4");
}

// What a manifest of this name has at a path of keys and indexes, as compact JSON.
static void assert_value(struct object_rig *rig, const char *resource, const char *path,
                         const char *expected)
{
    object_rig_desire(rig);
    const json_t *at = object_rig_object(rig, resource)->manifest;
    _cleanup_free_ char *copy = str_dup(path);
    char *rest = copy;
    for (const char *key = strsep(&rest, "|"); key != NULL; key = strsep(&rest, "|")) {
        uint64_t index = 0;
        bool is_index = str_to_u64(key, SIZE_MAX, &index) == 0;
        at = is_index ? json_array_get(at, index) : json_object_get(at, key);
    }
    _cleanup_free_ char *text = json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT);
    assert_string_equal(text, expected);
}

#define ENV(name, value) "{\"name\":\"" name "\",\"value\":\"" value "\"}"

static void test_configuration(void **state)
{
    struct object_rig *rig = *state;
    rig->config->ui.replicas = 2;
    rig->config->registry.delete_enabled = false;
    sample_set(&rig->config->ui.title, "true");
    sample_set(&rig->config->ui.path, "/a/b/");
    sample_set(&rig->config->ui.ingress_class, "tra.efik");
    strmap_set(&rig->config->ui.environment, "URL", "http://other/${ui.title}");
    strmap_set(&rig->config->ui.environment, "THEME", "");
    strmap_set(&rig->config->ui.environment, "NUMBER", "12");
    assert_value(rig, "Deployment/hostk8s/registry-ui", "spec|replicas", "2");
    // A variable's own ${…} is not read again; what has the name of an element takes its place.
    assert_value(rig, "Deployment/hostk8s/registry-ui", "spec|template|spec|containers|0|env",
                 "[" ENV("CATALOG_ELEMENTS_LIMIT", "1000") "," ENV("DELETE_IMAGES", "false") "," ENV("ENABLE_VERSION_NOTIFICATION", "false") "," ENV("PULL_URL", "localhost:5002") "," ENV(
                     "REGISTRY_TITLE",
                     "true") "," ENV("REGISTRY_URL",
                                     "http://localhost:8080") "," ENV("SINGLE_REGISTRY",
                                                                      "true") "," ENV("URL",
                                                                                      "http:"
                                                                                      "//"
                                                                                      "other"
                                                                                      "/${"
                                                                                      "ui."
                                                                                      "title"
                                                                                      "}") "," ENV("NUMBER",
                                                                                                   "12") "," ENV("THEME",
                                                                                                                 "") "]");
    assert_value(rig, "Ingress/hostk8s/registry-ui", "spec|rules|0|http|paths|0|path",
                 "\"/a/b(/|$)(.*)\"");
    const struct object *need = object_rig_object(rig, "Ingress/hostk8s/registry-ui")->need;
    assert_string_equal(need->path, "/apis/networking.k8s.io/v1/ingressclasses/tra.efik");
    set_served(rig, "EndpointSlice", false);
    assert_value(rig, "Endpoints/hostk8s/registry-api", "subsets|0",
                 "{\"addresses\":[{\"ip\":\"172.18.0.4\"}],\"ports\":[{\"name\":\"http\","
                 "\"port\":5000,\"protocol\":\"TCP\"}]}");
}

static void hosting_one(struct object_rig *rig, const char *address, const char *host, bool alias)
{
    object_rig_reset(rig);
    sample_set(&rig->config->registry.listen_address, address);
    if (alias) {
        strv_add_unique(&rig->config->nodes.aliases, host);
    }
    _cleanup_free_ char *expected =
        str_printf("\"host: \\\"%s\\\"\\nhostFromClusterNetwork: \\\"hostk8s-registry:5000\\\"\\n%s"
                   "help: \\\"https://kind.sigs.k8s.io/docs/user/local-registry/\\\"\\n\"",
                   host, alias ? "" : "hostFromContainerRuntime: \\\"hostk8s-registry:5000\\\"\\n");
    assert_value(rig, "ConfigMap/kube-public/local-registry-hosting",
                 "data|localRegistryHosting.v1", expected);
}

static void test_hosting(void **state)
{
    struct object_rig *rig = *state;
    hosting_one(rig, "127.0.0.1", "localhost:5002", true);
    hosting_one(rig, "127.0.0.9", "localhost:5002", true);
    hosting_one(rig, "0.0.0.0", "localhost:5002", true);
    hosting_one(rig, "::", "localhost:5002", true);
    hosting_one(rig, "::1", "localhost:5002", true);
    hosting_one(rig, "192.168.1.9", "192.168.1.9:5002", true);
    hosting_one(rig, "192.168.1.9", "192.168.1.9:5002", false);
    hosting_one(rig, "fd00::9", "[fd00::9]:5002", false);
}

static void test_digest(void **state)
{
    struct object_rig *rig = *state;
    object_rig_desire(rig);
    const struct object *object = object_rig_object(rig, "Deployment/hostk8s/registry-ui");
    const char *digest = object->digest;
    object_rig_desire(rig);
    assert_string_equal(object->digest, digest);
    rig->config->ui.replicas = 2;
    object_rig_desire(rig);
    assert_string_not_equal(object->digest, digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedded), OBJECT_TEST(test_recorded),      OBJECT_TEST(test_which),
        OBJECT_TEST(test_address),       OBJECT_TEST(test_configuration), OBJECT_TEST(test_hosting),
        OBJECT_TEST(test_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
