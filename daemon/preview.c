#include "daemon/preview.h"

#include "daemon/output.h"
#include "daemon/report.h"
#include "daemon/session.h"

#include <errno.h>
#include <stdio.h>

struct previewer {
    struct session *session;
    struct preview result;
    bool json;
    json_t *changes; // of what is printed as JSON, likewise blocked
    json_t *blocked;
    int r; // -ENOMEM: something is missing there
};

static bool on_turn(void *ctx)
{
    const struct previewer *previewer = ctx;
    return reconciler_settled(session_reconciler(previewer->session));
}

// Takes entry over, which may be NULL.
static void add(struct previewer *previewer, json_t *list, json_t *entry)
{
    if (json_array_append_new(list, entry) < 0) {
        previewer->r = -ENOMEM;
    }
}

static void on_pending(void *ctx, const struct action *action)
{
    struct previewer *previewer = ctx;
    if (action->step) {
        return;
    }
    previewer->result.changes++;
    if (previewer->json) {
        add(previewer, previewer->changes, report_action_json(action));
    } else {
        report_action(stdout, action);
    }
}

// A resource that is not ready for another reason than an action that is about to be done.
static bool is_blocked(const struct condition *condition)
{
    return condition->ready != READY_TRUE && condition->reason != REASON_CONVERGING;
}

static void print_blocked(struct previewer *previewer)
{
    const struct status *status = reconciler_status(session_reconciler(previewer->session));
    for (size_t i = 0; i < status->count; i++) {
        const struct condition *condition = &status->entries[i].condition;
        if (!is_blocked(condition)) {
            continue;
        }
        previewer->result.blocked++;
        if (previewer->json) {
            add(previewer, previewer->blocked,
                json_pack("{s:s, s:s, s:s, s:s?}", "resource", condition->resource, "ready",
                          ready_name(condition->ready), "reason", reason_name(condition->reason),
                          "message", condition->message));
        } else {
            report_condition(stdout, condition);
        }
    }
}

static int print_document(const struct previewer *previewer)
{
    json_auto_t *document =
        json_pack("{s:O, s:O, s:b}", "changes", previewer->changes, "blocked", previewer->blocked,
                  "observed", previewer->result.all_observed);
    return previewer->r < 0 ? previewer->r : output_json(document);
}

static void print_summary(const struct preview *result)
{
    if (result->changes + result->blocked == 0) {
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
    struct previewer previewer = {.json = json};
    const struct session_options options = {
        .config_file = config_file, .mode = mode, .events.ctx = &previewer, .finished = on_turn};
    int r = session_new(config, &options, &previewer.session);
    if (r < 0) {
        config_free(config);
        return r;
    }
    if (json) {
        previewer.changes = json_array();
        previewer.blocked = json_array();
    }
    struct reconciler *reconciler = session_reconciler(previewer.session);
    reconciler_trigger(reconciler);
    session_run(previewer.session);

    previewer.result.all_observed = reconciler_all_observed(reconciler);
    reconciler_each_pending(reconciler, on_pending, &previewer);
    print_blocked(&previewer);
    if (json) {
        r = print_document(&previewer);
    } else {
        print_summary(&previewer.result);
    }
    session_free(previewer.session);
    json_decref(previewer.changes);
    json_decref(previewer.blocked);
    r = output_end(r);
    if (r == 0) {
        *ret = previewer.result;
    }
    return r;
}
