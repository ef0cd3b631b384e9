#include "tests/support/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

void outcome_done(void *ctx, json_t *answer, const struct error *err)
{
    struct outcome *outcome = ctx;
    unsigned calls = outcome->calls;
    assert_true(answer == NULL || err == NULL);
    assert_true(err == NULL || (err->kind != ERROR_NONE && err->code > 0));
    outcome_clear(outcome);
    outcome->calls = calls + 1;
    outcome->answer = json_incref(answer);
    outcome->err = err == NULL ? (struct error){0} : *err;
}

void outcome_clear(struct outcome *outcome)
{
    json_decref(outcome->answer);
    *outcome = (struct outcome){0};
}

void outcome_is(const struct outcome *outcome, const char *text)
{
    assert_int_equal(outcome->calls, 1);
    assert_string_equal(outcome->err.text, text);
}
