// Which API groups an answer to GET /apis says are served: a recorded one, and strange ones.
#include "lib/kube/kube.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_groups(void **state)
{
    (void)state;
    json_auto_t *groups = json_load_file(TEST_DATA "/fixtures/kube/api_groups.json", 0, NULL);
    assert_non_null(groups);
    assert_true(kube_api_groups_serve(groups, "apps/v1"));
    assert_true(kube_api_groups_serve(groups, "networking.k8s.io/v1"));
    assert_true(kube_api_groups_serve(groups, "discovery.k8s.io/v1beta1"));
    assert_false(kube_api_groups_serve(groups, "discovery.k8s.io/v1"));
    assert_false(kube_api_groups_serve(groups, "apps"));
    assert_false(kube_api_groups_serve(groups, ""));
    assert_false(kube_api_groups_serve(NULL, "apps/v1"));

    static const char *const shapes[] = {
        "[]",
        "{}",
        "{\"groups\": null}",
        "{\"groups\": {\"versions\": []}}",
        "{\"groups\": [null, 1, [], {}, {\"versions\": null}, {\"versions\": 2}]}",
        "{\"groups\": [{\"versions\": [null, 3, {}, {\"groupVersion\": null}]}]}",
    };
    for (size_t i = 0; i < ELEMENTS(shapes); i++) {
        json_auto_t *shape = json_loads(shapes[i], 0, NULL);
        assert_non_null(shape);
        assert_false(kube_api_groups_serve(shape, "apps/v1"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
