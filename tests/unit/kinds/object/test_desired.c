// The objects that should be there, of their manifests.
#include "lib/kinds/object/desired.h"

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
        _cleanup_free_ char *digest = str_printf("digest.%s", manifests[count].file);
        (void)json_object_set_new(variables, digest, json_string("x"));
        const struct object_api *api = object_api(json_get_string(json, "kind", NULL));
        const json_t *metadata = json_get_object(json, "metadata", NULL);
        const json_t *labels = json_get_object(metadata, "labels", NULL);
        assert_true(row < object_row_count && api->selector != NULL);
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

// What the defaults make, whole.
static void test_defaults(void **state)
{
    struct object_rig *rig = *state;
    sample_set(&rig->config->ui.image, "joxit/docker-registry-ui:2.6.0");
    object_rig_observe(rig);
    json_auto_t *expected_list = object_fixture("1.36.2/manifests");
    size_t i = 0;
    json_t *json = NULL;
    json_array_foreach (json_object_get(expected_list, "items"), i, json) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedded),
        OBJECT_TEST(test_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
