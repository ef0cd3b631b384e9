#include "lib/kinds/plan.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

// The plan keeps what the caller's strings were.
static void test_actions_are_copies(void **state)
{
    (void)state;
    static const char name[] = "container-create";
    struct plan plan = {0};
    json_auto_t *body = json_pack("{s:s}", "Image", "registry:2");
    char texts[][16] = {"container/reg", "c", "network/kind", "id", "argument"};
    const struct action action = {
        .op = 3,
        .name = name,
        .resource = texts[0],
        .cluster = texts[1],
        .needs = texts[2],
        .target = texts[3],
        .argument = texts[4],
        .destructive = true,
        .background = true,
        .body = body,
        .field_count = 7,
        .file_count = 7,
    };
    const struct action *added = plan_add_action(&plan, &action);
    memset(texts, 'x', sizeof(texts));
    assert_int_equal(plan.action_count, 1);
    assert_ptr_equal(plan.actions[0], added);
    assert_int_equal(added->op, 3);
    assert_ptr_equal(added->name, name);
    assert_string_equal(added->resource, "container/reg");
    assert_string_equal(added->cluster, "c");
    assert_string_equal(added->needs, "network/kind");
    assert_string_equal(added->target, "id");
    assert_string_equal(added->argument, "argument");
    assert_true(added->destructive && added->background);
    assert_int_equal(added->field_count, 0);
    assert_int_equal(added->file_count, 0);
    assert_int_equal(body->refcount, 2);
    plan_done(&plan);
    assert_int_equal(body->refcount, 1);
    assert_int_equal(plan.action_count, 0);
    plan_done(&plan);
}

static void test_a_part_follows_an_action_of_its_resource(void **state)
{
    (void)state;
    static const struct {
        const char *resource;
        bool part;
        bool is_part;
    } cases[] = {
        {"a", true, false}, {"b", false, false}, {"a", true, true},
        {"b", true, true},  {"a", false, false}, {"c", true, false},
    };
    struct plan plan = {0};
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct action *added = plan_add_action(
            &plan, &(struct action){.resource = cases[i].resource, .part = cases[i].part});
        assert_int_equal(added->part, cases[i].is_part);
    }
    assert_ptr_equal(plan_first_action(&plan, "a"), plan.actions[0]);
    assert_ptr_equal(plan_first_action(&plan, "c"), plan.actions[5]);
    assert_null(plan_first_action(&plan, "d"));
    plan_done(&plan);
}

static void test_fields_and_files(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct action *first = plan_add_action(&plan, &(struct action){.resource = "node/n"});
    struct action *second = plan_add_action(&plan, &(struct action){.resource = "node/n"});
    plan_add_field(&plan, first, "image", "a\nb", NULL);
    plan_add_field(&plan, second, "x", NULL, "\x1b[1m");
    plan_add_field(&plan, first, "ports", "1", "2");
    plan_add_file(&plan, second, "hosts.toml", "line\nline\n");
    plan_add_file(&plan, second, "other", NULL);
    assert_int_equal(first->field_count, 2);
    assert_string_equal(first->fields[0].path, "image");
    assert_string_equal(first->fields[0].current, "a b");
    assert_null(first->fields[0].desired);
    assert_string_equal(first->fields[1].desired, "2");
    assert_int_equal(second->field_count, 1);
    assert_null(second->fields[0].current);
    assert_string_equal(second->fields[0].desired, "?[1m");
    assert_int_equal(first->file_count, 0);
    assert_int_equal(second->file_count, 2);
    assert_string_equal(second->files[0].content, "line\nline\n"); // as it is
    assert_null(second->files[1].content);
    plan_done(&plan);
}

static void test_the_first_condition_stands(void **state)
{
    (void)state;
    struct plan plan = {0};
    plan_set_condition(&plan, "a", "c", READY_FALSE, REASON_ERROR, "%s\n%d", "because", 1);
    plan_set_converged(&plan, "b", NULL);
    plan_set_converged(&plan, "a", NULL);
    plan_set_condition(&plan, "b", NULL, READY_UNKNOWN, REASON_FORBIDDEN, "no");
    assert_int_equal(plan.condition_count, 2);
    const struct condition *a = plan_condition(&plan, "a");
    assert_int_equal(a->ready, READY_FALSE);
    assert_int_equal(a->reason, REASON_ERROR);
    assert_string_equal(a->cluster, "c");
    assert_string_equal(a->message, "because 1");
    const struct condition *b = plan_condition(&plan, "b");
    assert_int_equal(b->ready, READY_TRUE);
    assert_int_equal(b->reason, REASON_CONVERGED);
    assert_null(b->cluster);
    assert_string_equal(b->message, "");
    assert_null(plan_condition(&plan, "c"));
    plan_done(&plan);
}

static void test_every_reason_has_a_name(void **state)
{
    (void)state;
    for (enum reason reason = 0; reason < _REASON_COUNT; reason++) {
        assert_non_null(reason_name(reason));
        for (enum reason other = 0; other < reason; other++) {
            assert_string_not_equal(reason_name(reason), reason_name(other));
        }
    }
    assert_string_equal(reason_name(REASON_STORAGE_NOT_WRITABLE), "StorageNotWritable");
    assert_string_equal(ready_name(READY_TRUE), "True");
    assert_string_equal(ready_name(READY_FALSE), "False");
    assert_string_equal(ready_name(READY_UNKNOWN), "Unknown");
    assert_true(reason_may_pass(REASON_CONVERGING));
    assert_false(reason_may_pass(REASON_CONVERGED));
    assert_false(reason_may_pass(REASON_PORT_IN_USE));
    assert_true(reason_is_unknown(REASON_ENGINE_UNREACHABLE));
    assert_false(reason_is_unknown(REASON_ERROR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions_are_copies),
        cmocka_unit_test(test_a_part_follows_an_action_of_its_resource),
        cmocka_unit_test(test_fields_and_files),
        cmocka_unit_test(test_the_first_condition_stands),
        cmocka_unit_test(test_every_reason_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
