// Splits a stream of JSON values, one a line, that arrives in chunks cut anywhere: the engine's
// /events and pull progress, Kubernetes' watches.
#pragma once

#include "lib/base/buf.h"
#include "lib/base/error.h"

#include <jansson.h>

// Borrows value until it returns. A negative return ends the feeding and becomes its result; the
// function explains itself in err.
typedef int (*json_lines_fn)(void *ctx, json_t *value, struct error *err);

struct json_lines {
    struct buf partial; // the line that has not ended yet; whoever feeds frees it
    json_lines_fn fn;
    void *ctx;
};

// A line may hold max_line bytes.
#define JSON_LINES_INIT(max_line, function, context)                                               \
    ((struct json_lines){.partial = BUF_INIT(max_line), .fn = (function), .ctx = (context)})

// Calls fn for every line that is complete; blank lines are skipped. Returns 0, what fn returned,
// -EFBIG (permanent) for a line that is too long, or -EBADMSG (transient) for one that is no JSON
// object or array. After an error the stream is of no more use.
int json_lines_feed(struct json_lines *lines, const char *data, size_t length, struct error *err);

// The stream has ended: the last line may lack its line end, but not its end. Returns as
// json_lines_feed.
int json_lines_end(struct json_lines *lines, struct error *err);
