#include "daemon/preview.h"

#include "daemon/report.h"
#include "daemon/session.h"
#include "lib/base/str.h"

#include <stdio.h>

struct previewer {
    struct session *session;
    struct preview result;
    json_t *changes; // NULL: print text
};

static bool on_turn(void *ctx)
{
    const struct previewer *previewer = ctx;
    return reconciler_settled(session_reconciler(previewer->session));
}

static void on_pending(void *ctx, const struct action *action)
{
    struct previewer *previewer = ctx;
    if (action->step) {
        return;
    }
    previewer->result.changes++;
    if (previewer->changes == NULL) {
        report_action(stdout, action);
    } else {
        (void)json_array_append_new(previewer->changes, report_action_json(action));
    }
}

// A resource that is not ready for another reason than an action that is about to be done.
static bool is_blocked(const struct condition *condition)
{
    return condition->ready != READY_TRUE && condition->reason != REASON_CONVERGING;
}

static json_t *print_blocked(struct previewer *previewer, bool json)
{
    const struct status *status = reconciler_status(session_reconciler(previewer->session));
    json_t *blocked = json_array();
    for (size_t i = 0; i < status->count; i++) {
        const struct condition *condition = &status->entries[i].condition;
        if (!is_blocked(condition)) {
            continue;
        }
        previewer->result.blocked++;
        if (json) {
            (void)json_array_append_new(
                blocked, json_pack("{s:s, s:s, s:s, s:s?}", "resource", condition->resource,
                                   "ready", ready_name(condition->ready), "reason",
                                   reason_name(condition->reason), "message", condition->message));
        } else {
            report_condition(stdout, condition);
        }
    }
    return blocked;
}

static void print_end(struct previewer *previewer, json_t *blocked)
{
    const struct preview *result = &previewer->result;
    if (previewer->changes != NULL) {
        json_auto_t *document = json_pack("{s:O, s:O, s:b}", "changes", previewer->changes,
                                          "blocked", blocked, "observed", result->all_observed);
        (void)json_dumpf(document, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    } else if (result->changes + result->blocked == 0) {
        (void)printf("nothing to do\n");
    } else {
        (void)printf("%u change%s pending, %u resource%s blocked\n", result->changes,
                     result->changes == 1 ? "" : "s", result->blocked,
                     result->blocked == 1 ? "" : "s");
    }
}

int preview_print(struct config *config, const char *config_file, enum reconcile_mode mode,
                  bool json, struct preview *ret)
{
    struct previewer previewer = {.changes = json ? json_array() : NULL};
    const struct session_options options = {
        .config_file = config_file, .mode = mode, .events.ctx = &previewer, .finished = on_turn};
    int r = session_new(config, &options, &previewer.session);
    if (r < 0) {
        config_free(config);
        json_decref(previewer.changes);
        return r;
    }
    struct reconciler *reconciler = session_reconciler(previewer.session);
    reconciler_trigger(reconciler);
    session_run(previewer.session);

    previewer.result.all_observed = reconciler_all_observed(reconciler);
    reconciler_each_pending(reconciler, on_pending, &previewer);
    json_auto_t *blocked = print_blocked(&previewer, json);
    print_end(&previewer, blocked);
    session_free(previewer.session);
    json_decref(previewer.changes);
    *ret = previewer.result;
    return 0;
}
