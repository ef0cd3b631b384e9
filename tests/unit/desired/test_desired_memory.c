#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "tests/support/alloc_cases.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int make_container(void *ctx)
{
    const struct config *config = ctx;
    _cleanup_(desired_container_done) struct desired_container container = {0};
    _cleanup_free_ char *digest = NULL;
    int r = desired_container(config, &container);
    if (r == 0) {
        r = desired_container_digest(&container, &digest);
    }
    assert_int_equal(digest != NULL, r == 0);
    return r;
}

static int make_objects(void *ctx)
{
    static const struct world_apis apis = {.endpoint_slice_v1 = true, .ingress_v1 = true};
    static const struct desired_address address = {.text = "172.18.0.4"};
    const struct config *config = ctx;
    struct desired_objects objects = {0};
    struct error err = {0};
    int r = desired_objects_make(&objects, config, &apis, &address, &err);
    assert_int_equal(err.kind, r < 0 ? ERROR_FATAL : ERROR_NONE);
    assert_int_equal(objects.count, r < 0 ? 0 : 8);
    desired_objects_done(&objects);
    return r;
}

static int make_hosts(void *ctx)
{
    const struct config *config = ctx;
    _cleanup_buf_ struct buf text = BUF_INIT(4096);
    return desired_hosts_toml(config, &text);
}

static struct config *rich_config(void)
{
    struct config *config = sample_config();
    assert_int_equal(strmap_set(&config->registry.environment, "REGISTRY_LOG_LEVEL", "warn"), 0);
    assert_int_equal(strmap_set(&config->ui.environment, "THEME", "dark"), 0);
    return config;
}

static void test_every_allocation(void **state)
{
    (void)state;
    _cleanup_(config_freep) struct config *config = rich_config();
    assert_in_range(alloc_fail_each(make_container, config, 0), 10, UINT64_MAX);
    assert_in_range(alloc_fail_each(make_objects, config, 0), 5, UINT64_MAX);
    assert_in_range(alloc_fail_each(make_hosts, config, 0), 1, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
