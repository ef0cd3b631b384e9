// Blocking work off a libuv loop: a thread for each piece of work, which nobody waits for when it
// hangs. Not libuv's own pool: four works that hang would be all of it, uv_loop_close fails while
// one does, and the process cannot even exit, since the library joins its threads then (1.44).
#pragma once

#include "lib/work/work.h"

#include <uv.h>

// The worker's handles close after worker_free, which takes a turn of the loop.
struct worker *uv_worker_new(uv_loop_t *loop);
