// A worker without threads: work waits until the test runs it, or lets its time pass.
#pragma once

#include "lib/work/work.h"

#include <stdbool.h>
#include <stddef.h>

struct waiting_work {
    struct work work;
    void *block;
    bool cancelled;
};

struct scripted_worker {
    struct worker base; // first: for struct io
    struct waiting_work *waiting;
    size_t count;
};

struct scripted_worker *scripted_worker_new(void);
// No work may wait.
void scripted_worker_free(struct scripted_worker *worker);

// Ends all work that waits, also what is submitted meanwhile, by running it, or with ETIMEDOUT;
// what was cancelled ends with ECANCELED in any case. Returns how many there were.
size_t scripted_worker_run(struct scripted_worker *worker);
size_t scripted_worker_time_out(struct scripted_worker *worker);
