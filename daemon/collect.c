// The steps one after the other, and those with the engine. A step that fails leads to those that
// take back what was begun; what this process does not come to is taken up by the next plan.
#include "daemon/collect.h"

#include "daemon/collector.h"
#include "daemon/commands.h"
#include "daemon/report.h"
#include "daemon/terminal.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/container/maintenance.h"
#include "lib/registry/walk.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTS_MAX 6u   // for gc's own container, so that it goes
#define START_TRIES 3u // of the registry, where the engine refuses it
#define AGAIN_MS 1000u // later, after a failure
// As large as the engine's client takes a file; what does not fit goes another time.
#define LIST_BYTES_MAX (15u * 1024u * 1024u)

enum stage {
    STAGE_CONVERGE,
    STAGE_QUIET,
    STAGE_INSPECT,
    STAGE_CHECK_BEFORE,
    STAGE_CREATE,
    STAGE_STOP,
    STAGE_CHECK,
    STAGE_WALK,
    STAGE_LIST,
    STAGE_START,
    STAGE_WAIT,
    STAGE_REMOVE,
    STAGE_CONVERGE_AGAIN,
    STAGE_MEASURE,
    STAGE_ASK,
    STAGE_COUNT,
};

static void advance(struct collector *c);

void collector_fail(struct collector *c, const struct error *err)
{
    if (c->error.kind == ERROR_NONE) {
        c->error = *err;
    }
}

void collector_complete(struct collector *c, const struct error *err)
{
    if (err != NULL) {
        collector_fail(c, err);
    }
    advance(c);
}

static struct docker *docker_of(struct collector *c)
{
    return c->session.io.docker;
}

static void on_done(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    collector_complete(ctx, err);
}

// ---- the registry runs: as `apply` has it, and what an interrupted gc has left is taken up ----

static int converge(struct collector *c, _unused_ struct error *err)
{
    c->converging = true;
    c->told = false;
    c->passes = reconciler_status(c->session.reconciler)->passes;
    c->begin_ms = uv_now(&c->session.loop);
    reconciler_trigger(c->session.reconciler);
    return 0;
}

static void on_timer(_unused_ uv_timer_t *timer)
{
    // on_iteration looks at the time.
}

static void on_again(uv_timer_t *timer)
{
    (void)converge(timer->data, NULL);
}

// One whose disk is full takes no push, but gc is what it waits for.
static bool runs(const struct condition *condition)
{
    return condition != NULL &&
           (condition->ready == READY_TRUE || condition->reason == REASON_STORAGE_FULL);
}

static void follow_reconciler(struct collector *c)
{
    struct reconciler *reconciler = c->session.reconciler;
    const struct status *status = reconciler_status(reconciler);
    const struct condition *condition = status_get(status, c->spec->resource);
    uint64_t waited_ms = uv_now(&c->session.loop) - c->begin_ms;
    bool late = c->aborted || waited_ms >= COLLECTOR_DEADLINE_MS ||
                (c->stage <= STAGE_CREATE && c->error.kind != ERROR_NONE);
    struct error error = {0};
    if (status->passes > c->passes && reconciler_is_idle(reconciler) && runs(condition)) {
        c->converging = false;
        collector_complete(c, NULL);
    } else if (!late && reconciler_is_settled(reconciler) && c->stage > STAGE_CONVERGE_AGAIN &&
               ++c->starts < START_TRIES) {
        c->converging = false; // what was stopped here is not given up as soon as by `apply`
        (void)uv_timer_start(&c->timer, on_again, AGAIN_MS, 0);
    } else if (late || reconciler_is_settled(reconciler)) {
        c->converging = false;
        (void)error_set(&error, ERROR_PERMANENT, EAGAIN, "%s: %s: %s", c->spec->resource,
                        condition == NULL ? "Unknown" : reason_name(condition->reason),
                        condition == NULL ? "it was not observed" : condition->message);
        collector_complete(c, &error);
    } else {
        if (status->passes > c->passes && condition != NULL && !c->told) {
            c->told = true;
            (void)fputs("waits for ", stdout);
            report_print_condition(condition);
        }
        (void)uv_timer_start(&c->timer, on_timer, COLLECTOR_DEADLINE_MS - waited_ms, 0);
    }
}

static bool on_iteration(void *ctx)
{
    struct collector *c = ctx;
    if (c->converging) {
        follow_reconciler(c);
    }
    return c->ended;
}

static void on_acted(_unused_ void *ctx, const struct action *action, const struct error *err)
{
    if (!action->part || err->kind != ERROR_NONE) {
        _cleanup_free_ char *line = report_action(action, err);
        (void)printf("%s\n", line);
    }
}

// ---- the registry gives way to a container of gc's own ----

static void on_inspected(void *ctx, json_t *answer, const struct error *err)
{
    struct collector *c = ctx;
    c->registry = json_incref(answer);
    collector_complete(c, err);
}

static int inspect(struct collector *c, struct error *err)
{
    return docker_ask(docker_of(c), DOCKER_INSPECT, c->spec->name, NULL, NULL, on_inspected, c,
                      err);
}

static const char *registry_id(const struct collector *c)
{
    return json_get_string(c->registry, "Id", NULL);
}

// Whether a container that runs has the registry's storage. An engine in a virtual machine may have
// put its own directory before the path.
static bool uses_storage(const struct collector *c, const json_t *container)
{
    const char *state = json_get_string(container, "State", NULL);
    bool uses = false;
    size_t index = 0;
    json_t *mount = NULL;
    json_array_foreach (json_get_array(container, "Mounts", NULL), index, mount) {
        const char *source = json_get_string(mount, "Source", NULL);
        uses = uses || (source != NULL && str_ends_with(source, c->spec->storage));
    }
    return uses && (str_equal(state, "running") || str_equal(state, "paused") ||
                    str_equal(state, "restarting"));
}

static void on_list(void *ctx, const struct api_answer *answer, const struct error *err)
{
    struct collector *c = ctx;
    struct error error = {0};
    size_t index = 0;
    json_t *container = NULL;
    json_array_foreach (answer->json, index, container) {
        const char *name =
            json_string_value(json_array_get(json_get_array(container, "Names", NULL), 0));
        const char *id = json_get_string(container, "Id", NULL);
        bool before = c->stage == STAGE_CHECK_BEFORE + 1;
        if (err == NULL && uses_storage(c, container) &&
            !(before && str_equal(id, registry_id(c)))) {
            (void)error_set(&error, ERROR_PERMANENT, EBUSY,
                            "container %s runs over the same storage; stop it first",
                            name == NULL ? id : name + strspn(name, "/"));
            err = &error;
        }
    }
    collector_complete(c, err);
}

static int check_alone(struct collector *c, struct error *err)
{
    return docker_ask_raw(docker_of(c), DOCKER_LIST, NULL, on_list, c, err);
}

static void on_created(void *ctx, json_t *answer, const struct error *err)
{
    struct collector *c = ctx;
    c->container = str_dup(json_get_string(answer, "Id", NULL));
    collector_complete(c, err);
}

static int create(struct collector *c, struct error *err)
{
    _cleanup_free_ char *name = maintenance_name(c->spec);
    _cleanup_free_ char *directory = str_printf("%s/" WALK_LAYOUT, c->plan->in_container);
    json_auto_t *body = maintenance_body(c->spec, c->registry, directory, c->label);
    return docker_ask(docker_of(c), DOCKER_CREATE, name, NULL, body, on_created, c, err);
}

static int stop(struct collector *c, struct error *err)
{
    _cleanup_free_ char *name = maintenance_name(c->spec);
    (void)printf("stops the registry; container %s works on its storage\n", name);
    return docker_ask(docker_of(c), DOCKER_STOP, registry_id(c), NULL, NULL, on_done, c, err);
}

static int put_list(struct collector *c, struct error *err)
{
    _cleanup_buf_ struct buf lines = BUF_INIT(LIST_BYTES_MAX);
    mark_list_removals(c->found, &lines);
    const struct docker_file file = {.path = (char *)MAINTENANCE_LIST,
                                     .content = (char *)buf_str(&lines),
                                     .length = lines.length};
    return docker_archive_put(docker_of(c), c->container, "/", &file, 1, on_done, c, err);
}

// ---- garbage-collect ----

static int start(struct collector *c, struct error *err)
{
    return docker_ask(docker_of(c), DOCKER_START, c->container, NULL, NULL, on_done, c, err);
}

static void on_log(void *ctx, const struct api_answer *answer, const struct error *err)
{
    struct collector *c = ctx;
    struct error error = {0};
    char excerpt[ERROR_TEXT_MAX / 2];
    str_excerpt(err == NULL ? buf_str(&answer->response->body) : err->text, excerpt,
                sizeof(excerpt));
    (void)error_set(&error, ERROR_PERMANENT, EREMOTEIO, "garbage-collect has failed: %s", excerpt);
    collector_complete(c, &error);
}

static int wait_for_end(struct collector *c, struct error *err);

// The end may be hours away. The engine is asked again after each timeout, since it may have lost
// the question.
static void on_end(void *ctx, json_t *answer, const struct error *err)
{
    struct collector *c = ctx;
    struct error error = {0};
    int r = 0;
    if (err != NULL && err->code == ETIMEDOUT && !c->interrupted) {
        r = wait_for_end(c, &error);
    } else if (err != NULL || json_get_int(answer, -1, "StatusCode", NULL) == 0) {
        collector_complete(c, err);
    } else {
        r = docker_ask_raw(docker_of(c), DOCKER_LOG, c->container, on_log, c, &error);
    }
    if (r < 0) {
        collector_complete(c, &error);
    }
}

static int wait_for_end(struct collector *c, struct error *err)
{
    return docker_ask(docker_of(c), DOCKER_WAIT, c->container, NULL, NULL, on_end, c, err);
}

// ---- gc's own container goes: also one of which no answer has told the id ----

static int list_own(struct collector *c, struct error *err);

static void on_remove_timer(uv_timer_t *timer)
{
    struct collector *c = timer->data;
    struct error error = {0};
    if (c->aborted) {
        collector_complete(c, NULL);
    } else if (list_own(c, &error) < 0) {
        collector_complete(c, &error);
    }
}

// Whether it could be removed does not matter: it is listed again.
static void on_removed(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    struct collector *c = ctx;
    uint64_t delay_ms = err == NULL || c->aborted ? 0 : AGAIN_MS;
    (void)uv_timer_start(&c->timer, on_remove_timer, delay_ms, 0);
}

static void on_own_list(void *ctx, json_t *answer, const struct error *err)
{
    struct collector *c = ctx;
    struct error error = {0};
    const char *id = NULL;
    size_t index = 0;
    json_t *container = NULL;
    json_array_foreach (answer, index, container) {
        const char *of = json_get_string(container, "Labels", CONTAINER_LABEL_MAINTENANCE, NULL);
        id = str_equal(of, c->label) ? json_get_string(container, "Id", NULL) : id;
    }
    if (c->aborted || c->lists >= LISTS_MAX || (err == NULL && id == NULL)) {
        collector_complete(c, NULL); // what is left is taken up by the reconciler, in a minute
    } else if (err != NULL) {
        on_removed(c, NULL, err);
    } else if (docker_ask(docker_of(c), DOCKER_REMOVE, id, NULL, NULL, on_removed, c, &error) < 0) {
        collector_complete(c, &error);
    }
}

static int list_own(struct collector *c, struct error *err)
{
    c->lists++;
    return docker_ask(docker_of(c), DOCKER_LIST, NULL, NULL, NULL, on_own_list, c, err);
}

// ---- from step to step ----

static const collector_stage_fn stages[STAGE_COUNT] = {
    [STAGE_CONVERGE] = converge,       [STAGE_QUIET] = collector_wait_quiet,
    [STAGE_INSPECT] = inspect,         [STAGE_CHECK_BEFORE] = check_alone,
    [STAGE_CREATE] = create,           [STAGE_STOP] = stop,
    [STAGE_CHECK] = check_alone,       [STAGE_WALK] = collector_walk,
    [STAGE_LIST] = put_list,           [STAGE_START] = start,
    [STAGE_WAIT] = wait_for_end,       [STAGE_REMOVE] = list_own,
    [STAGE_CONVERGE_AGAIN] = converge, [STAGE_MEASURE] = collector_measure,
    [STAGE_ASK] = collector_ask,
};

static void advance(struct collector *c)
{
    int r = 1;
    while (r != 0 && !c->ended) {
        struct error error = {0};
        if (c->error.kind != ERROR_NONE && c->stage < STAGE_REMOVE) {
            c->stage = c->stage <= STAGE_CREATE ? STAGE_COUNT : STAGE_REMOVE;
        }
        bool enough = c->plan->nothing && c->stage > STAGE_CONVERGE;
        c->ended = c->aborted || enough || c->stage == STAGE_COUNT;
        r = c->ended ? 0 : stages[c->stage++](c, &error);
        if (r < 0) {
            collector_fail(c, &error);
        }
    }
}

void collector_ask_again(struct collector *c)
{
    c->stage = STAGE_CONVERGE_AGAIN;
    advance(c);
}

// Once: what was begun is taken back. Twice: the next `gc` or `apply`, or the daemon, does that.
static void on_signal(void *ctx, _unused_ int number)
{
    struct collector *c = ctx;
    struct error error = {0};
    if (c->ended) {
        return;
    }
    c->aborted = c->interrupted;
    c->interrupted = true;
    (void)error_set(&error, ERROR_PERMANENT, EINTR, "interrupted");
    collector_fail(c, &error);
    (void)fprintf(stderr, "%s\n",
                  c->aborted ? "stopping at once" : "stopping; once more stops at once");
    if (docker_of(c) != NULL) {
        docker_cancel(docker_of(c), c->aborted ? API_CHANGES : API_WATCHES);
    }
    if (c->api != NULL) {
        api_cancel(c->api, API_CHANGES);
    }
    work_cancel(c->session.worker);
}

static void print_end(const struct collector *c)
{
    size_t tags = 0;
    for (size_t i = 0; i < c->left->repository_count; i++) {
        tags += c->left->repositories[i].tag_count;
    }
    _cleanup_free_ char *before = str_bytes(c->found->size);
    _cleanup_free_ char *after = str_bytes(c->left->size);
    _cleanup_free_ char *available = str_bytes(c->left->free_bytes);
    (void)printf("%s used before, %s now, %s free; %zu tag%s, all there\n", before, after,
                 available, tags, tags == 1 ? "" : "s");
}

int collect(const struct collect_plan *plan)
{
    struct collector c = {.plan = plan};
    (void)snprintf(c.label, sizeof(c.label), "gc-%d-%" PRIu64, getpid(), uv_hrtime());
    const struct session_options options = {
        .mode = RECONCILE_ONCE,
        .table = &kinds_leading,
        .events = {.acted = on_acted, .ctx = &c},
        .iterate = on_iteration,
        .signals = session_stop_signals,
        .signal = on_signal,
    };
    if (session_open(&c.session, plan->config, &options) < 0) {
        return EXIT_FAILED;
    }
    container_specs_make(plan->config, &c.specs);
    c.spec = &c.specs.items[0];
    (void)uv_timer_init(&c.session.loop, &c.timer);
    c.timer.data = &c;
    advance(&c);
    session_run(&c.session);
    bool done = c.ended && c.error.kind == ERROR_NONE;
    if (done && !plan->nothing) {
        print_end(&c);
    } else if (!done) {
        bool stopped = c.aborted && c.stage > STAGE_STOP;
        engine_name_ids(reconciler_status(c.session.reconciler)->engine, &c.error);
        terminal_complain("%s%s", c.error.text,
                          stopped ? "; run `hostk8s-registryd apply` to have the registry back"
                                  : "");
    }
    api_free(c.api);
    uv_close((uv_handle_t *)&c.timer, NULL);
    session_close(&c.session);
    store_free(c.found);
    store_free(c.left);
    free(c.container);
    json_decref(c.registry);
    container_specs_done(&c.specs);
    return terminal_end() == EXIT_OK && done ? EXIT_OK : EXIT_FAILED;
}
