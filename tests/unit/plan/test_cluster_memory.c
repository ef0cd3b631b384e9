// Out of memory while a cluster's plan is made.
#include "tests/support/alloc_cases.h"
#include "tests/support/cluster_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int plan_of_cluster(void *ctx)
{
    const struct scene *scene = ctx;
    struct plan plan = {0};
    struct error err = {0};
    int r = plan_cluster(&scene->input, "dev", scene->world, &plan, &err);
    assert_int_equal(err.kind, r < 0 ? ERROR_FATAL : ERROR_NONE);
    assert_int_equal(plan.condition_count > 0, r == 0);
    plan_done(&plan);
    return r;
}

static void every_allocation_one(const char *fixture, bool wanted)
{
    _cleanup_scene_ struct scene scene;
    scene_init(&scene, fixture);
    scene.input.wanted = wanted;
    assert_in_range(alloc_fail_each(plan_of_cluster, &scene, 0), 20, UINT64_MAX);
}

static void every_allocation(void **state)
{
    (void)state;
    every_allocation_one(NULL, true);
    every_allocation_one("objects_converged", true);
    every_allocation_one("objects_drifted", true);
    every_allocation_one("objects_converged", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
