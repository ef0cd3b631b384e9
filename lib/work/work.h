// Blocking work off the loop. A file system can hang like a network: what stats, reads or writes a
// file of the user's runs in a thread, and is given up after a time.
#pragma once

#include "lib/base/error.h"

#include <stdint.h>

// One piece of work. The block belongs to the worker from work_submit on: run(block) fills it in a
// thread and touches nothing else.
struct work {
    const char *name; // what it is about, e.g. a path; borrowed until work_submit returns
    void (*run)(void *block);
    void (*destroy)(void *block); // NULL: free
    uint64_t timeout_ms;
    // In the loop, exactly once and never from inside work_submit: the block (borrowed until
    // return), or NULL with a transient err of code ETIMEDOUT, ECANCELED, or EAGAIN when there can
    // be no more threads. The thread may then still run.
    void (*done)(void *ctx, void *block, const struct error *err);
    void *ctx;
};

// Embedded first in every implementation's own struct; lib/work/uv_worker.h has the real one.
struct worker {
    void (*submit)(struct worker *worker, const struct work *work, void *block);
    void (*cancel)(struct worker *worker);
    void (*free)(struct worker *worker);
};

// Takes block over. While work of the same name still hangs that was given up and is beyond its
// timeout, this is ended at once with ETIMEDOUT: what hangs takes one thread, not all of them.
static inline void work_submit(struct worker *worker, const struct work *work, void *block)
{
    worker->submit(worker, work, block);
}

// Ends all work with ECANCELED; done still comes.
static inline void work_cancel(struct worker *worker)
{
    worker->cancel(worker);
}

// No done may be outstanding; threads that hang are left behind. NULL is fine.
static inline void worker_free(struct worker *worker)
{
    if (worker != NULL) {
        worker->free(worker);
    }
}
