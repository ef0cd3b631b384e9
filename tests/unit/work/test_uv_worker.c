#include "lib/work/uv_worker.h"

#include "lib/base/alloc.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <pthread.h>

#define LONG_MS 60000 // more than any test takes

// A block whose thread waits until the test lets it go.
struct gate {
    int ends[2];
    int answer;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int destroyed; // under lock

static struct gate *gate_new(void)
{
    struct gate *gate = xcalloc(1, sizeof(*gate));
    assert_int_equal(pipe(gate->ends), 0);
    return gate;
}

static void gate_run(void *block)
{
    struct gate *gate = block;
    char c = 0;
    gate->answer = read(gate->ends[0], &c, 1) == 0 ? 42 : 1;
}

static void gate_destroy(void *block)
{
    struct gate *gate = block;
    (void)close(gate->ends[0]);
    free(gate);
    (void)pthread_mutex_lock(&lock);
    destroyed++;
    (void)pthread_cond_signal(&changed);
    (void)pthread_mutex_unlock(&lock);
}

static int count_destroyed(void)
{
    (void)pthread_mutex_lock(&lock);
    int count = destroyed;
    (void)pthread_mutex_unlock(&lock);
    return count;
}

struct seen {
    int answers; // sum of those that came
    int timed_out;
    int canceled;
    struct worker *frees; // freed by the next done
};

static void on_done(void *ctx, void *block, const struct error *err)
{
    struct seen *seen = ctx;
    assert_int_equal(block == NULL, err != NULL);
    if (block != NULL) {
        seen->answers += ((const struct gate *)block)->answer;
    } else if (err->code == ETIMEDOUT) {
        assert_int_equal(err->kind, ERROR_TRANSIENT);
        seen->timed_out++;
    } else {
        assert_int_equal(err->code, ECANCELED);
        seen->canceled++;
    }
    worker_free(TAKE_PTR(seen->frees));
}

struct fixture {
    uv_loop_t loop;
    struct worker *worker;
    struct seen seen;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->worker = uv_worker_new(&f->loop);
    destroyed = 0;
    *state = f;
    return 0;
}

// Nothing keeps the loop, whatever still hangs.
static int tear_down(void **state)
{
    struct fixture *f = *state;
    worker_free(f->worker);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

// Returns the end by which the test lets the thread go.
static int submit(struct fixture *f, const char *name, uint64_t timeout_ms)
{
    struct gate *gate = gate_new();
    int end = gate->ends[1];
    const struct work work = {
        .name = name,
        .run = gate_run,
        .destroy = gate_destroy,
        .timeout_ms = timeout_ms,
        .done = on_done,
        .ctx = &f->seen,
    };
    struct seen before = f->seen;
    work_submit(f->worker, &work, gate);
    assert_memory_equal(&before, &f->seen, sizeof(before));
    return end;
}

static void run(struct fixture *f)
{
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
}

static void on_idle(uv_idle_t *idle)
{
    if (count_destroyed() == *(const int *)idle->data) {
        uv_close((uv_handle_t *)idle, NULL);
    }
}

static void run_until_destroyed(struct fixture *f, int count)
{
    uv_idle_t idle = {.data = &count};
    assert_int_equal(uv_idle_init(&f->loop, &idle), 0);
    assert_int_equal(uv_idle_start(&idle, on_idle), 0);
    run(f);
}

// What a thread frees is freed some time after it was let go.
static void await_destroyed(int count)
{
    (void)pthread_mutex_lock(&lock);
    while (destroyed < count) {
        (void)pthread_cond_wait(&changed, &lock);
    }
    (void)pthread_mutex_unlock(&lock);
    assert_int_equal(count_destroyed(), count);
}

static void answers_come(void **state)
{
    struct fixture *f = *state;
    int first = submit(f, "a", LONG_MS);
    int second = submit(f, "a", LONG_MS);
    (void)close(second);
    (void)close(first);
    run(f);
    assert_int_equal(f->seen.answers, 84);
    assert_int_equal(f->seen.timed_out + f->seen.canceled, 0);
    assert_int_equal(count_destroyed(), 2);
}

static void what_takes_too_long_is_given_up(void **state)
{
    struct fixture *f = *state;
    int hanging = submit(f, "a", 1);
    run(f);
    assert_int_equal(f->seen.timed_out, 1);
    assert_int_equal(count_destroyed(), 0); // the thread has it

    // The same again takes no second thread, another work does.
    (void)close(submit(f, "a", LONG_MS));
    (void)close(submit(f, "b", LONG_MS));
    run(f);
    assert_int_equal(f->seen.timed_out, 2);
    assert_int_equal(f->seen.answers, 42);
    assert_int_equal(count_destroyed(), 2);

    (void)close(hanging);
    run_until_destroyed(f, 3);
    assert_int_equal(f->seen.answers, 42);
    (void)close(submit(f, "a", LONG_MS));
    run(f);
    assert_int_equal(f->seen.answers, 84);
}

static void all_is_canceled(void **state)
{
    struct fixture *f = *state;
    int a = submit(f, "a", LONG_MS);
    int b = submit(f, "b", LONG_MS);
    work_cancel(f->worker);
    assert_int_equal(f->seen.canceled, 0);
    run(f);
    assert_int_equal(f->seen.canceled, 2);

    // What was canceled in good time does not count as hanging.
    (void)close(submit(f, "a", LONG_MS));
    run(f);
    assert_int_equal(f->seen.answers, 42);
    (void)close(a);
    (void)close(b);
    run_until_destroyed(f, 3);
    assert_int_equal(f->seen.answers, 42);
    work_cancel(f->worker);
}

static void a_thread_outlives_the_worker(void **state)
{
    struct fixture *f = *state;
    int hanging = submit(f, "a", 1);
    run(f);
    worker_free(TAKE_PTR(f->worker));
    run(f);
    (void)close(hanging);
    await_destroyed(1);
}

// Freed by its last done: of what was given up, of what was never begun, of what has ended.
static void the_last_done_may_free_the_worker(void **state)
{
    struct fixture *f = *state;
    int hanging = submit(f, "a", 1);
    f->seen.frees = f->worker;
    run(f);
    assert_int_equal(f->seen.timed_out, 1);

    f->worker = uv_worker_new(&f->loop);
    int again = submit(f, "a", 1);
    run(f);
    (void)close(submit(f, "a", 1));
    f->seen.frees = f->worker;
    run(f);
    assert_int_equal(f->seen.timed_out, 3);

    f->worker = uv_worker_new(&f->loop);
    (void)close(submit(f, "a", LONG_MS));
    f->seen.frees = TAKE_PTR(f->worker);
    run(f);
    assert_int_equal(f->seen.answers, 42);
    (void)close(hanging);
    (void)close(again);
    await_destroyed(4);
}

// A block without a destructor is freed; NULL is no worker.
static void do_nothing(void *block)
{
    (void)block;
}

static void on_nothing(void *ctx, void *block, const struct error *err)
{
    assert_non_null(block);
    assert_null(err);
    *(int *)ctx += 1;
}

static void defaults(void **state)
{
    struct fixture *f = *state;
    int calls = 0;
    const struct work work = {
        .name = "n", .run = do_nothing, .timeout_ms = LONG_MS, .done = on_nothing, .ctx = &calls};
    work_submit(f->worker, &work, xmalloc(1));
    run(f);
    assert_int_equal(calls, 1);
    worker_free(NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_come),
        TEST(what_takes_too_long_is_given_up),
        TEST(all_is_canceled),
        TEST(a_thread_outlives_the_worker),
        TEST(the_last_done_may_free_the_worker),
        TEST(defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
