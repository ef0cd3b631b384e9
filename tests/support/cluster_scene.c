#include "tests/support/cluster_scene.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static enum kube_kind kind_of(const json_t *object)
{
    const char *word = json_get_string(object, "kind", NULL);
    enum kube_kind kind = KUBE_NAMESPACE;
    while (kind < _KUBE_KIND_COUNT && !str_equal(kube_kinds[kind].kind, word)) {
        kind++;
    }
    assert_true(kind < _KUBE_KIND_COUNT);
    return kind;
}

void scene_init(struct scene *scene, const char *fixture)
{
    static char network[] = "kind";
    static char address[] = "172.18.0.4";
    *scene = (struct scene){.config = sample_config(), .world = calloc(1, sizeof(*scene->world))};
    assert_int_equal(strmap_set(&scene->config->ui.environment, "EMPTY", ""), 0);
    scene->endpoint = (struct world_endpoint){.network = network, .ipv4 = address};
    scene->container = (struct world_container){
        .name = scene->config->registry.name, .endpoints = &scene->endpoint, .endpoint_count = 1};
    scene->engine = (struct world_engine){.containers = &scene->container, .container_count = 1};
    scene->input =
        (struct plan_input){.config = scene->config, .engine = &scene->engine, .wanted = true};
    scene->world->apis = (struct world_apis){.ingress_v1 = true};
    scene->world->ingress_class_present = true;
    if (fixture != NULL) {
        _cleanup_free_ char *path = str_printf("%s/fixtures/kube/%s.json", TEST_DATA, fixture);
        json_auto_t *list = json_load_file(path, 0, NULL);
        assert_non_null(list);
        size_t i = 0;
        json_t *object = NULL;
        json_array_foreach (json_object_get(list, "items"), i, object) {
            assert_int_equal(world_cluster_add(scene->world, kind_of(object), object, NULL), 0);
        }
    }
}

void scene_done(struct scene *scene)
{
    plan_done(&scene->plan);
    world_cluster_free(scene->world);
    config_free(scene->config);
}

void scene_add(struct scene *scene, enum kube_kind kind, const char *text)
{
    json_auto_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    assert_int_equal(world_cluster_add(scene->world, kind, object, NULL), 0);
}

struct world_object *scene_object(struct scene *scene, enum kube_kind kind, const char *name)
{
    for (size_t i = 0; i < scene->world->object_count; i++) {
        if (scene->world->objects[i].kind == kind &&
            str_equal(scene->world->objects[i].name, name)) {
            return &scene->world->objects[i];
        }
    }
    fail_msg("no %s %s", kube_kinds[kind].kind, name);
    return NULL;
}

void scene_plan(struct scene *scene)
{
    plan_done(&scene->plan);
    assert_int_equal(plan_cluster(&scene->input, "dev", scene->world, &scene->plan, NULL), 0);
}

void scene_assert_actions(const struct scene *scene, const char *expected)
{
    _cleanup_free_ char *lines = str_dup("");
    for (size_t i = 0; i < scene->plan.action_count; i++) {
        const struct action *action = &scene->plan.actions[i];
        assert_true(str_starts_with(action->resource, "kube/dev/"));
        assert_string_equal(action->cluster, "dev");
        char *longer = str_printf("%s%s%s%s %s\n", lines, action->step ? "+" : "",
                                  action->destructive ? "!" : "", action->verb,
                                  action->resource + strlen("kube/dev/"));
        free(lines);
        lines = longer;
    }
    assert_string_equal(lines, expected);
}

const struct condition *scene_condition(const struct scene *scene, const char *resource)
{
    _cleanup_free_ char *full = str_printf("kube/dev/%s", resource);
    for (size_t i = 0; i < scene->plan.condition_count; i++) {
        if (str_equal(scene->plan.conditions[i].resource, full)) {
            assert_string_equal(scene->plan.conditions[i].cluster, "dev");
            return &scene->plan.conditions[i];
        }
    }
    fail_msg("no condition for %s", resource);
    return NULL;
}

void scene_assert_condition(const struct scene *scene, const char *resource, enum ready ready,
                            enum reason reason, const char *message)
{
    const struct condition *condition = scene_condition(scene, resource);
    assert_string_equal(ready_name(condition->ready), ready_name(ready));
    assert_string_equal(reason_name(condition->reason), reason_name(reason));
    assert_string_equal(condition->message, message);
}

void scene_assert_fields(const struct scene *scene, size_t action, const char *expected)
{
    _cleanup_free_ char *lines = str_dup("");
    for (size_t i = 0; i < scene->plan.actions[action].field_count; i++) {
        const struct field_diff *field = &scene->plan.actions[action].fields[i];
        char *longer =
            str_printf("%s%s: %s -> %s\n", lines, field->path, field->is == NULL ? "-" : field->is,
                       field->should == NULL ? "-" : field->should);
        free(lines);
        lines = longer;
    }
    assert_string_equal(lines, expected);
}
