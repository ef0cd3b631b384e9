#include "tests/support/plan_text.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TEXT_MAX (1024u * 1024u)

static void add_action(struct buf *text, const struct action *action)
{
    assert_int_equal(buf_printf(text, "%s %s", action_type_name(action->type), action->target), 0);
    if (action->argument != NULL) {
        assert_int_equal(buf_printf(text, " > %s", action->argument), 0);
    }
    assert_int_equal(buf_printf(text, " (%s%s%s)", action->verb, action->destructive ? "!" : "",
                                action->step ? "+" : ""),
                     0);
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        assert_int_equal(buf_printf(text, "%s %s: %s -> %s", i > 0 ? "," : "", field->path,
                                    field->is == NULL ? "absent" : field->is,
                                    field->should == NULL ? "absent" : field->should),
                         0);
    }
    assert_int_equal(buf_append_str(text, "\n"), 0);
}

char *plan_text(const struct plan *plan)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < plan->action_count; i++) {
        add_action(&text, &plan->actions[i]);
    }
    for (size_t i = 0; i < plan->condition_count; i++) {
        const struct condition *condition = &plan->conditions[i];
        assert_int_equal(buf_printf(&text, "%s %s %s: %s\n", condition->resource,
                                    ready_name(condition->ready), reason_name(condition->reason),
                                    condition->message),
                         0);
    }
    char *taken = buf_take(&text);
    assert_non_null(taken);
    return taken;
}

void assert_plan_text(const struct plan *plan, const char *expected)
{
    _cleanup_free_ char *text = plan_text(plan);
    if (!str_equal(text, expected)) {
        print_error("expected:\n%sgot:\n%s", expected, text);
        fail();
    }
}
