#include "tests/fuzz/play.h"

#include "lib/base/str.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

static const char *get_variable(_unused_ void *ctx, const char *name)
{
    return str_equal(name, "HOME") ? "/home/user" : NULL;
}

const struct config *play_config(const char *text)
{
    static const struct config_environment environment = {.get = get_variable};
    static char *before;
    static struct config *config;
    if (!str_equal(before, text)) {
        struct problems problems = {0};
        str_replace(&before, text);
        config_free(TAKE_PTR(config));
        (void)config_parse(text, strlen(text), "/home/user/registryd.yaml", &environment, &config,
                           &problems);
        problems_done(&problems);
        if (config != NULL) {
            config->docker.tls = false;
            str_replace(&config->docker.host, "unix:///missing/docker.sock");
            str_replace(&config->kubeconfig, NULL);
        }
    }
    return config;
}

static void on_progress(_unused_ void *ctx, const char *line)
{
    must_be_line(line);
}

void play_begin(struct play *play, const struct kind *kind, struct input input)
{
    *play = (struct play){.kind = kind,
                          .fake = fake_transport_new(),
                          .worker = scripted_worker_new(),
                          .input = input};
    play->io = (struct io){.transport = fake_transport_http(play->fake),
                           .worker = &play->worker->base,
                           .secrets = secrets_new(),
                           .progress = on_progress};
}

void play_end(struct play *play)
{
    if (play->current != NULL) {
        play->kind->free_current(play->current);
    }
    play->kind->invalidate(&play->io, &play->memory);
    (void)fake_transport_run(play->fake);
    docker_free(play->io.docker);
    fake_transport_free(play->fake);
    scripted_worker_free(play->worker);
    secrets_free(play->io.secrets);
}

void play_ended(void *ctx, const struct error *err)
{
    struct play *play = ctx;
    play->ended++;
    play->err = err == NULL ? (struct error){0} : *err;
    // What tells of something else that was done is no failure.
    if (err != NULL && err->kind == ERROR_NONE) {
        MUST(err->text[0] != '\0');
        must_be_line(err->text);
    } else if (err != NULL) {
        must_explain(err);
    }
}

static void on_observed(void *ctx, void *current, const struct error *err)
{
    struct play *play = ctx;
    MUST((current == NULL) == (err != NULL));
    play->current = current;
    play_ended(play, err);
}

// The search for the engine alone comes to its end: the rest would look at files of this machine.
static size_t end_work(struct scripted_worker *worker)
{
    bool searches = worker->count == 1 && str_equal(worker->waiting[0].work.name, "the engine");
    return (searches ? scripted_worker_run : scripted_worker_time_out)(worker);
}

void play_run(struct play *play)
{
    for (unsigned i = 0; i < 3 && play->ended == 0; i++) {
        while (fake_transport_run(play->fake) + end_work(play->worker) > 0) {
        }
        if (i == 0 && play->ended == 0) {
            play->kind->cancel(&play->io, play->memory, true);
        } else if (play->ended == 0) { // what cannot be cancelled fails
            fake_transport_fail(play->fake, ERROR_TRANSIENT, ECONNREFUSED, "refused");
        }
    }
    MUST(play->ended == 1);
    MUST(fake_transport_under_way(play->fake) == 0);
}

// r is of the function that began it; action is NULL for an observation.
static void finish(struct play *play, int r, const struct error *err, const struct action *action)
{
    MUST(play->ended == 0);
    if (r < 0) {
        play_ended(play, err);
    } else {
        play_run(play);
    }
    if (play->err.kind != ERROR_NONE) {
        char message[2 * ERROR_TEXT_MAX] = "";
        enum reason reason =
            play->kind->explain(&play->input, action, &play->err, message, sizeof(message));
        MUST(reason < _REASON_COUNT && reason != REASON_CONVERGED);
        MUST(message[0] != '\0');
        must_be_line(message);
    }
}

bool play_observe(struct play *play)
{
    struct error err = {0};
    if (play->current != NULL) {
        play->kind->free_current(TAKE_PTR(play->current));
    }
    play->ended = 0;
    int r = play->kind->observe(&play->io, &play->memory, &play->input, on_observed, play, &err);
    finish(play, r, &err, NULL);
    return play->current != NULL;
}

static void check_action(const struct plan *plan, const struct action *action)
{
    MUST(action->verb[0] != '\0');
    MUST(plan_condition(plan, action->resource)->ready != READY_TRUE);
    must_be_line(action->target == NULL ? "" : action->target);
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        must_be_line(field->path);
        MUST(field->current != NULL || field->desired != NULL);
        must_be_line(field->current == NULL ? "" : field->current);
        must_be_line(field->desired == NULL ? "" : field->desired);
    }
}

void play_plan(struct play *play, struct plan *ret)
{
    *ret = (struct plan){0};
    play->kind->plan(&play->input, play->current, ret);
    for (size_t i = 0; i < ret->condition_count; i++) {
        const struct condition *condition = &ret->conditions[i];
        must_be_line(condition->resource);
        must_be_line(condition->message);
        MUST(condition == plan_condition(ret, condition->resource));
        // Whoever is not told what to do is told that there is nothing to be done.
        MUST(condition->ready == READY_TRUE || condition->message[0] != '\0');
        MUST((condition->ready == READY_TRUE) == (condition->reason == REASON_CONVERGED));
    }
    for (size_t i = 0; i < ret->action_count; i++) {
        check_action(ret, ret->actions[i]);
    }
}

void play_act(struct play *play, const struct action *action)
{
    struct error err = {0};
    play->ended = 0;
    int r = play->kind->act(&play->io, &play->memory, action, &play->input, play_ended, play, &err);
    finish(play, r, &err, action);
}
