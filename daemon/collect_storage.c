// What the storage has, before, while the registry is stopped, and in the end.
#include "daemon/collect.h"
#include "daemon/collector.h"
#include "daemon/storage.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/registry/survey.h"
#include "lib/registry/walk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define QUIET_POLL_MS 2000u
#define WALK_MS (10u * 60u * 1000u) // for one look at the storage
#define SURVEYS_MAX 3u

// ---- what the storage has ----

struct walk_job {
    struct store *store;
    struct error error;
    char directory[];
};

static void run_walk(void *block)
{
    struct walk_job *job = block;
    (void)walk_storage(job->directory, &job->store, &job->error);
}

static void free_walk(void *block)
{
    store_free(((struct walk_job *)block)->store);
    free(block);
}

static int walk(struct collector *c, void (*done)(void *, void *, const struct error *))
{
    size_t size = strlen(c->plan->here) + 1;
    struct walk_job *job = xcalloc(1, sizeof(*job) + size);
    memcpy(job->directory, c->plan->here, size);
    work_submit(c->session.worker,
                &(struct work){.name = c->plan->here,
                               .run = run_walk,
                               .destroy = free_walk,
                               .timeout_ms = WALK_MS,
                               .done = done,
                               .ctx = c},
                job);
    return 0;
}

// Takes the store of a job, marked; NULL with err.
static struct store *take_store(struct collector *c, struct walk_job *job, const struct error *err,
                                const struct store *agreed)
{
    if (err == NULL && job->error.kind != ERROR_NONE) {
        err = &job->error;
    }
    if (err != NULL) {
        collector_fail(c, err);
        return NULL;
    }
    struct mark_rules rules = *c->plan->rules;
    rules.agreed = agreed;
    mark_store(job->store, &rules);
    return TAKE_PTR(job->store);
}

static const char *pushed_to(const struct store *store)
{
    return mark_pushed_to(store, time(NULL), COLLECT_QUIET_SECONDS);
}

// ---- nobody pushes ----

static void on_quiet_walk(void *ctx, void *block, const struct error *err);

static void on_quiet_timer(uv_timer_t *timer)
{
    struct collector *c = timer->data;
    if (c->error.kind != ERROR_NONE) {
        collector_complete(c, NULL);
    } else {
        (void)walk(c, on_quiet_walk);
    }
}

static void on_quiet_walk(void *ctx, void *block, const struct error *err)
{
    struct collector *c = ctx;
    struct error error = {0};
    _cleanup_(store_freep) struct store *store = take_store(c, block, err, c->plan->agreed);
    const char *where = store == NULL ? NULL : pushed_to(store);
    if (where == NULL || c->error.kind != ERROR_NONE) {
        collector_complete(c, NULL);
    } else if (uv_now(&c->session.loop) - c->begin_ms >= COLLECTOR_DEADLINE_MS) {
        (void)error_set(&error, ERROR_PERMANENT, EAGAIN,
                        "%s is being pushed to; run gc again when that is over", where);
        collector_complete(c, &error);
    } else {
        (void)uv_timer_start(&c->timer, on_quiet_timer, QUIET_POLL_MS, 0);
    }
}

int collector_wait_quiet(struct collector *c, _unused_ struct error *err)
{
    const char *where = pushed_to(c->plan->agreed);
    if (where == NULL) {
        return 1;
    }
    (void)printf("%s was pushed to a moment ago: waits until nobody has pushed for %d s\n", where,
                 COLLECT_QUIET_SECONDS);
    c->begin_ms = uv_now(&c->session.loop);
    return walk(c, on_quiet_walk);
}

// ---- what goes ----

static void on_walked(void *ctx, void *block, const struct error *err)
{
    struct collector *c = ctx;
    struct error error = {0};
    c->found = take_store(c, block, err, c->plan->agreed);
    const char *where = c->found == NULL ? NULL : pushed_to(c->found);
    if (where != NULL) {
        (void)error_set(
            &error, ERROR_PERMANENT, EAGAIN,
            "%s was pushed to meanwhile; nothing was removed, run gc again when that is "
            "over",
            where);
    }
    collector_complete(c, where == NULL ? NULL : &error);
}

int collector_walk(struct collector *c, _unused_ struct error *err)
{
    return walk(c, on_walked);
}

// ---- what is left ----

static void on_measured(void *ctx, void *block, const struct error *err)
{
    struct collector *c = ctx;
    store_free(c->left);
    c->left = take_store(c, block, err, NULL);
    collector_complete(c, NULL);
}

int collector_measure(struct collector *c, _unused_ struct error *err)
{
    return c->error.kind != ERROR_NONE ? 1 : walk(c, on_measured);
}

// Names a tag that was kept and is not there any more, or a repository that lacks more than before.
static void check_kept(struct collector *c, const struct store *after)
{
    struct error error = {0};
    for (size_t i = 0; i < c->found->repository_count; i++) {
        const struct store_repository *before = &c->found->repositories[i];
        const struct store_repository *now = store_repository(after, before->name);
        for (size_t j = 0; j < before->tag_count; j++) {
            const struct store_tag *tag = &before->tags[j];
            if (tag->kept && (now == NULL || store_tag(now, tag->name) == NULL)) {
                (void)error_set(&error, ERROR_FATAL, ENODATA, "%s:%s is gone; push it again",
                                before->name, tag->name);
            }
        }
        if (now != NULL && now->damaged > before->damaged) {
            (void)error_set(&error, ERROR_FATAL, ENODATA,
                            "%s lacks parts of its images; push these again", before->name);
        }
    }
    if (error.kind != ERROR_NONE) {
        collector_fail(c, &error);
    }
}

static void on_surveyed(void *ctx, struct store *store, const struct error *err)
{
    struct collector *c = ctx;
    _cleanup_(store_freep) struct store *after = store;
    bool again = err != NULL && err->kind == ERROR_TRANSIENT && c->error.kind == ERROR_NONE;
    if (again && c->surveys < SURVEYS_MAX) {
        collector_ask_again(c); // another gc, whose turn it is, may have stopped the registry
        return;
    }
    if (err != NULL && err->status == 401) {
        (void)printf("the registry wants a login: it was not asked for its tags\n");
        err = NULL;
    } else if (err == NULL) {
        mark_store(after, &(struct mark_rules){0});
        check_kept(c, after);
    }
    collector_complete(c, err);
}

int collector_ask(struct collector *c, struct error *err)
{
    if (c->error.kind != ERROR_NONE) {
        return 1;
    }
    check_kept(c, c->left);
    c->surveys++;
    int r =
        c->api != NULL ? 0 : storage_open_registry(c->plan->config, &c->session.io, &c->api, err);
    return r < 0 ? r : survey_begin(c->api, on_surveyed, c, err);
}
