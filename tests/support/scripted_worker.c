#include "tests/support/scripted_worker.h"

#include "lib/base/alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void scripted_submit(struct worker *worker, const struct work *work, void *block)
{
    struct scripted_worker *self = (struct scripted_worker *)worker;
    assert_non_null(work->name);
    assert_true(work->timeout_ms > 0);
    *ARRAY_GROW(self->waiting, self->count) = (struct waiting_work){.work = *work, .block = block};
}

static void scripted_cancel(struct worker *worker)
{
    struct scripted_worker *self = (struct scripted_worker *)worker;
    for (size_t i = 0; i < self->count; i++) {
        self->waiting[i].cancelled = true;
    }
}

struct scripted_worker *scripted_worker_new(void)
{
    struct scripted_worker *self = xcalloc(1, sizeof(*self));
    self->base = (struct worker){.submit = scripted_submit, .cancel = scripted_cancel};
    return self;
}

void scripted_worker_free(struct scripted_worker *worker)
{
    assert_int_equal(worker->count, 0);
    free(worker->waiting);
    free(worker);
}

static size_t end_all(struct scripted_worker *self, bool runs)
{
    size_t ended = 0;
    for (; self->count > 0; ended++) {
        const struct waiting_work first = self->waiting[0];
        struct error error = {0};
        memmove(self->waiting, self->waiting + 1, --self->count * sizeof(first));
        if (first.cancelled) {
            (void)error_set(&error, ERROR_TRANSIENT, ECANCELED, "cancelled");
        } else if (!runs) {
            (void)error_set(&error, ERROR_TRANSIENT, ETIMEDOUT, "timed out");
        } else {
            first.work.run(first.block);
        }
        bool done = error.kind == ERROR_NONE;
        first.work.done(first.work.ctx, done ? first.block : NULL, done ? NULL : &error);
        (first.work.destroy == NULL ? free : first.work.destroy)(first.block);
    }
    return ended;
}

size_t scripted_worker_run(struct scripted_worker *worker)
{
    return end_all(worker, true);
}

size_t scripted_worker_time_out(struct scripted_worker *worker)
{
    return end_all(worker, false);
}
