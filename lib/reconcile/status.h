// The daemon's view as a table of conditions, for `status`, STATUS= and status.json.
#pragma once

#include "lib/base/buf.h"
#include "lib/plan/condition.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct status_entry {
    struct condition condition;
    int64_t since_s;    // Unix time of the last change of ready or reason
    size_t text_length; // of its part of the status' text; 0: none yet
    bool in_text;       // that part is of what the entry is now
};

struct status {
    struct status_entry *entries; // sorted: container, network, nodes, then clusters
    size_t count;
    size_t ready;         // of them that are
    uint64_t passes;      // full passes that ended
    uint64_t pass_ms;     // duration of the last full pass
    uint64_t pass_cpu_us; // CPU time of this process in the last full pass
    struct buf text;      // the entries as JSON, as last written
    struct buf spare;     // the next text is put together here
};

// Sets one resource's condition (copied, the message made printable). *ret_changed tells whether
// ready, reason or message differ from before; if so *ret_before is what they were, released by
// condition_done (all zero for a resource that is new). Returns 0 or -ENOMEM (nothing changed).
int status_set(struct status *status, const struct condition *condition, int64_t now_s,
               bool *ret_changed, struct condition *ret_before);
// Forgets a resource that no plan has any more. Returns whether it was there.
bool status_remove(struct status *status, const char *resource);
const struct status_entry *status_get(const struct status *status, const char *resource);

// "12/12 ready", "9/12 ready: node/hostk8s-worker NodeNotRunning" (the first one that is not).
void status_line(const struct status *status, char *line, size_t size);

// Writes the JSON document of status.json, a line for each resource. pid and config_file are of the
// daemon. Returns 0, -ENOMEM, or -errno of the stream, with a part written.
int status_write_json(struct status *status, int pid, const char *config_file, FILE *stream);

void status_done(struct status *status);
