#include "lib/work/uv_worker.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

// One piece of work. The loop's, but for the block, which is the thread's until it has ended; once
// the worker is freed, the whole of it is the thread's.
struct job {
    struct uv_worker *worker;
    struct work work; // with a name of its own
    void *block;
    uint64_t deadline_ms; // of the loop's time
    uint64_t due_ms;      // likewise: when it is given up, with err
    struct error err;
    bool threaded;
    bool given_up; // its done has run
    LIST_ENTRY(job) link;
    STAILQ_ENTRY(job) ended_link;
};

STAILQ_HEAD(job_queue, job);

struct uv_worker {
    struct worker base;
    uv_timer_t timer; // of the job that is due first
    uv_async_t async; // a thread has ended
    LIST_HEAD(job_list, job) jobs;
    atomic_uint owners;   // both handles and every thread; the last one frees this
    pthread_mutex_t lock; // of the two below
    struct job_queue ended;
    bool freed;
};

static void worker_unref(struct uv_worker *worker)
{
    if (atomic_fetch_sub(&worker->owners, 1) == 1) {
        (void)pthread_mutex_destroy(&worker->lock);
        free(worker);
    }
}

static void job_free(struct job *job)
{
    (job->work.destroy == NULL ? free : job->work.destroy)(job->block);
    free((char *)job->work.name);
    free(job);
}

static void *job_main(void *arg)
{
    struct job *job = arg;
    struct uv_worker *worker = job->worker;
    job->work.run(job->block);
    (void)pthread_mutex_lock(&worker->lock);
    bool freed = worker->freed;
    if (!freed) {
        STAILQ_INSERT_TAIL(&worker->ended, job, ended_link);
        (void)uv_async_send(&worker->async);
    }
    (void)pthread_mutex_unlock(&worker->lock);
    if (freed) {
        job_free(job);
    }
    worker_unref(worker);
    return NULL;
}

static struct job *first_due(const struct uv_worker *worker)
{
    struct job *first = NULL;
    struct job *job = NULL;
    LIST_FOREACH(job, &worker->jobs, link)
    {
        if (!job->given_up && (first == NULL || job->due_ms < first->due_ms)) {
            first = job;
        }
    }
    return first;
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct uv_worker *worker)
{
    const struct job *first = first_due(worker);
    uint64_t now = uv_now(worker->timer.loop);
    if (first == NULL) {
        (void)uv_timer_stop(&worker->timer);
    } else {
        uint64_t delay = first->due_ms > now ? first->due_ms - now : 0;
        (void)uv_timer_start(&worker->timer, on_timer, delay, 0);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct uv_worker *worker = timer->data;
    struct job *job = first_due(worker);
    if (job != NULL && job->due_ms <= uv_now(timer->loop)) {
        bool threaded = job->threaded; // then it may be gone after a done that frees the worker
        job->given_up = true;
        job->work.done(job->work.ctx, NULL, &job->err);
        if (!threaded) {
            LIST_REMOVE(job, link);
            job_free(job);
        }
    }
    set_timer(worker);
}

// Ends what the threads have brought. With freed the jobs that still run are their threads'.
static void deliver(struct uv_worker *worker, bool freed)
{
    struct job_queue ended = STAILQ_HEAD_INITIALIZER(ended);
    struct job *job = NULL;
    (void)pthread_mutex_lock(&worker->lock);
    worker->freed = freed;
    STAILQ_CONCAT(&ended, &worker->ended);
    STAILQ_FOREACH(job, &ended, ended_link)
    {
        LIST_REMOVE(job, link);
    }
    (void)pthread_mutex_unlock(&worker->lock);
    while ((job = STAILQ_FIRST(&ended)) != NULL) {
        STAILQ_REMOVE_HEAD(&ended, ended_link);
        if (!job->given_up) {
            job->work.done(job->work.ctx, job->block, NULL);
        }
        job_free(job);
    }
}

static void on_ended(uv_async_t *async)
{
    deliver(async->data, false);
    set_timer(async->data);
}

static bool name_hangs(const struct uv_worker *worker, const char *name, uint64_t now)
{
    const struct job *job = NULL;
    LIST_FOREACH(job, &worker->jobs, link)
    {
        if (job->threaded && job->given_up && job->deadline_ms <= now &&
            str_equal(job->work.name, name)) {
            return true;
        }
    }
    return false;
}

static void submit(struct worker *base, const struct work *work, void *block)
{
    struct uv_worker *worker = (struct uv_worker *)base;
    struct job *job = xcalloc(1, sizeof(*job));
    pthread_t thread;
    uv_update_time(worker->timer.loop);
    uint64_t now = uv_now(worker->timer.loop);
    job->worker = worker;
    job->work = *work;
    job->work.name = str_dup(work->name);
    job->block = block;
    job->deadline_ms = now + work->timeout_ms;
    job->due_ms = now;
    (void)error_set(&job->err, ERROR_TRANSIENT, ETIMEDOUT, "no answer within %" PRIu64 " ms",
                    work->timeout_ms);
    if (!name_hangs(worker, work->name, now)) {
        worker->owners++;
        job->threaded = true;
        if (pthread_create(&thread, NULL, job_main, job) == 0) {
            (void)pthread_detach(thread);
            job->due_ms = job->deadline_ms;
        } else {
            worker->owners--;
            job->threaded = false;
            (void)error_set(&job->err, ERROR_TRANSIENT, EAGAIN, "there can be no more threads");
        }
    }
    LIST_INSERT_HEAD(&worker->jobs, job, link);
    set_timer(worker);
}

static void cancel_all(struct worker *base)
{
    struct uv_worker *worker = (struct uv_worker *)base;
    struct job *job = NULL;
    LIST_FOREACH(job, &worker->jobs, link)
    {
        if (!job->given_up) {
            (void)error_set(&job->err, ERROR_TRANSIENT, ECANCELED, "canceled");
            job->due_ms = 0;
        }
    }
    set_timer(worker);
}

static void on_closed(uv_handle_t *handle)
{
    worker_unref(handle->data);
}

static void release(struct worker *base)
{
    struct uv_worker *worker = (struct uv_worker *)base;
    assert(first_due(worker) == NULL);
    deliver(worker, true);
    uv_close((uv_handle_t *)&worker->timer, on_closed);
    uv_close((uv_handle_t *)&worker->async, on_closed);
}

struct worker *uv_worker_new(uv_loop_t *loop)
{
    struct uv_worker *worker = xcalloc(1, sizeof(*worker));
    worker->base = (struct worker){submit, cancel_all, release};
    worker->owners = 2;
    STAILQ_INIT(&worker->ended);
    (void)pthread_mutex_init(&worker->lock, NULL);
    (void)uv_timer_init(loop, &worker->timer);
    (void)uv_async_init(loop, &worker->async, on_ended);
    uv_unref((uv_handle_t *)&worker->async); // the timer tells that there is work
    worker->timer.data = worker;
    worker->async.data = worker;
    return &worker->base;
}
