#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define IPV4 "172.18.0.4"
#define IPV6 "fc00::4"

static const struct {
    const char *service; // its clusterIP, NULL: not there
    const char *ipv4;    // of the container
    const char *ipv6;
    const char *text;
    bool is_ipv6;
} addresses[] = {
    {NULL, NULL, NULL, NULL, false},        {NULL, IPV4, NULL, IPV4, false},
    {NULL, NULL, IPV6, IPV6, true},         {NULL, IPV4, IPV6, IPV4, false},
    {"10.96.0.9", IPV4, IPV6, IPV4, false}, {"10.96.0.9", NULL, IPV6, IPV6, true},
    {"fd00::1", IPV4, IPV6, IPV6, true},    {"fd00::1", IPV4, NULL, NULL, true},
    {"fd00::1", NULL, NULL, NULL, true},
};

static void add_service(struct world_cluster *cluster, const char *address)
{
    json_auto_t *service =
        json_pack("{s:{s:s, s:s}, s:{s:s}}", "metadata", "name", DESIRED_API_NAME, "namespace",
                  "hostk8s", "spec", "clusterIP", address);
    assert_int_equal(world_cluster_add(cluster, KUBE_SERVICE, service, NULL), 0);
}

static void test_addresses(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = sample_config();
    for (size_t i = 0; i < ELEMENTS(addresses); i++) {
        struct world_endpoint endpoint = {.network = config->network,
                                          .ipv4 = (char *)addresses[i].ipv4,
                                          .ipv6 = (char *)addresses[i].ipv6};
        struct world_container container = {
            .name = config->registry.name, .endpoints = &endpoint, .endpoint_count = 1};
        const struct world_engine engine = {.containers = &container, .container_count = 1};
        struct world_cluster *cluster = calloc(1, sizeof(*cluster));
        assert_non_null(cluster);
        if (addresses[i].service != NULL) {
            add_service(cluster, addresses[i].service);
        }
        struct desired_address address = desired_registry_address(config, &engine, cluster);
        assert_true(str_equal(address.text, addresses[i].text));
        assert_int_equal(address.ipv6, addresses[i].is_ipv6);
        world_cluster_free(cluster);
    }
}

static void test_nothing_known(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = sample_config();
    const struct world_cluster cluster = {0};
    struct world_container detached = {.name = config->registry.name};
    const struct world_engine engines[] = {
        {0},
        {.containers = &detached, .container_count = 1},
    };
    assert_null(desired_registry_address(config, NULL, &cluster).text);
    for (size_t i = 0; i < ELEMENTS(engines); i++) {
        assert_null(desired_registry_address(config, &engines[i], &cluster).text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_nothing_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
