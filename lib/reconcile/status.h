// The daemon's view as a table of conditions, for `status`, STATUS= and status.json.
#pragma once

#include "lib/base/buf.h"
#include "lib/kinds/condition.h"
#include "lib/kinds/engine.h"

#include <stddef.h>
#include <stdint.h>

struct status_entry {
    struct condition condition; // its strings are the entry's own
    int64_t since_s;            // Unix time of the last change of ready or reason
    enum reason told;           // last (news.h), _REASON_COUNT: none
    uint64_t news_ms;           // monotonic, since when it has another, STATUS_NEVER: it has not
};
#define STATUS_NEVER UINT64_MAX

struct status {
    struct status_entry *entries; // sorted: container, network, nodes, then clusters, then routes
    size_t count;
    size_t ready;         // of them that are
    uint64_t passes;      // full passes that ended
    uint64_t pass_ms;     // duration of the last full pass
    uint64_t pass_cpu_us; // CPU time of this process in the last full pass
    const struct engine
        *engine; // the latest observed, borrowed from the reconciler; NULL: none yet
};

enum status_change {
    STATUS_SAME,
    STATUS_REWORDED, // another sentence for the same
    STATUS_MOVED,    // another readiness or reason, or a resource that is new
};

// Sets one resource's condition (copied), at this Unix and monotonic time.
enum status_change status_set(struct status *status, const struct condition *condition,
                              int64_t now_s, uint64_t now_ms);
// Takes out a resource that no plan has any more. Returns whether it was there.
bool status_remove(struct status *status, const char *resource);
// NULL when there is none.
const struct condition *status_get(const struct status *status, const char *resource);

// "12/12 ready", "9/12 ready: node/hostk8s-worker NodeNotRunning" (the first one that is not).
void status_line(const struct status *status, char *line, size_t size);

// Appends the JSON document of status.json, a line for each resource. pid and config_file are of
// the daemon; progress is what struct io tells last, or NULL. Returns 0, or -EFBIG.
int status_print_json(const struct status *status, int pid, const char *config_file,
                      const char *progress, struct buf *text);

void status_done(struct status *status);
