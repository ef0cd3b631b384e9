#include "tests/fuzz/plans.h"

#include "lib/base/str.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const struct condition *condition_of(const struct plan *plan, const char *resource)
{
    const struct condition *found = NULL;
    for (size_t i = 0; i < plan->condition_count; i++) {
        if (str_equal(plan->conditions[i].resource, resource)) {
            MUST(found == NULL);
            found = &plan->conditions[i];
        }
    }
    MUST(found != NULL);
    return found;
}

static void check_fields(const struct action *action)
{
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        must_be_line(field->path);
        MUST(field->is != NULL || field->should != NULL);
        if (field->is != NULL) {
            must_be_line(field->is);
        }
        if (field->should != NULL) {
            must_be_line(field->should);
        }
        if (str_starts_with(field->path, "environment.")) {
            MUST(field->is == NULL || str_equal(field->is, "(hidden)"));
            MUST(field->should == NULL || str_equal(field->should, "(hidden)"));
        }
    }
}

static void check_action(const struct plan_input *input, const struct plan *plan,
                         const struct action *action)
{
    must_be_line(action->verb);
    MUST(action->verb[0] != '\0');
    MUST(condition_of(plan, action->resource)->ready != READY_TRUE);
    check_fields(action);
    if (action->type == ACTION_STORAGE_MAKE) {
        MUST(str_equal(action->target, input->config->registry.storage));
    }
}

void check_plan(const struct plan_input *input, const struct plan *plan)
{
    for (size_t i = 0; i < plan->condition_count; i++) {
        const struct condition *condition = &plan->conditions[i];
        must_be_line(condition->resource);
        MUST(condition == condition_of(plan, condition->resource));
        must_be_line(condition->message);
        // Whoever is not told what to do is told that there is nothing to be done.
        MUST(condition->ready == READY_TRUE || condition->message[0] != '\0');
        MUST((condition->ready == READY_TRUE) == (condition->reason == REASON_CONVERGED));
    }
    for (size_t i = 0; i < plan->action_count; i++) {
        check_action(input, plan, &plan->actions[i]);
    }
}

static void check_path(const char *path)
{
    static const char *const prefixes[] = {"containers/", "images/", "networks/", "exec/",
                                           "events?"};
    static const char *const places[] = {"/_ping", "/v2/", "/api/v1/", "/apis"};
    size_t length = strcspn(path, "?");
    for (const char *segment = path; segment < path + length;) {
        size_t part = strcspn(segment + 1, "/?");
        MUST(!(part == 1 && segment[1] == '.'));
        MUST(!(part == 2 && segment[1] == '.' && segment[2] == '.'));
        segment += 1 + part;
    }
    for (size_t i = 0; i < ELEMENTS(places); i++) {
        if (str_starts_with(path, places[i])) {
            return;
        }
    }
    MUST(str_starts_with(path, "/v1."));
    const char *place = path + strlen("/v1.") + strspn(path + strlen("/v1."), "0123456789");
    for (size_t i = 0; i < ELEMENTS(prefixes); i++) {
        if (*place == '/' && str_starts_with(place + 1, prefixes[i])) {
            return;
        }
    }
    must_fail(__FILE__, __LINE__, "it is a place that the program asks for");
}

void check_requests(const struct fake_transport *fake)
{
    for (size_t i = 0; i < fake_transport_count(fake); i++) {
        const struct fake_request *request = fake_transport_request(fake, i);
        check_path(request->path);
        if (request->method == HTTP_DELETE && str_starts_with(request->path, "/v1.")) {
            MUST(str_ends_with(request->path, "?force=1&v=0"));
        }
    }
}
