// What went wrong, in words a user can act on, and of which kind, so that code can decide.
//
// A function that can fail returns 0 or -errno and explains itself in its last parameter,
// `struct error *err` (may be NULL). The struct owns nothing, so that it is copied and dropped
// freely. Decide by kind, code or status, never by text.
#pragma once

#include "lib/base/cleanup.h"

#include <errno.h>
#include <stdbool.h>

enum error_kind {
    ERROR_NONE,
    ERROR_TRANSIENT, // may pass by itself: refused, timeout, 5xx, 429
    ERROR_CONFLICT,  // not as it was observed: 404, 409, 410, 412; observe again
    ERROR_PERMANENT, // will fail again until somebody changes something: 400, 401, 403, 422
    ERROR_FATAL,     // a broken invariant
};

#define ERROR_TEXT_MAX 512

struct error {
    enum error_kind kind;
    int code;                  // positive errno
    int status;                // HTTP status of the answer, 0 when there was none
    unsigned retry_ms;         // what a Retry-After header asked for, 0 when none
    char text[ERROR_TEXT_MAX]; // one line, control characters replaced, no space at its end
};

// Fills err and returns -code.
int error_set(struct error *err, enum error_kind kind, int code, const char *format, ...)
    _printf_(4, 5);

// What a user gave is not what it must be: permanent, EINVAL. Returns -EINVAL.
#define error_invalid(err, ...) error_set((err), ERROR_PERMANENT, EINVAL, __VA_ARGS__)

// Prefixes the text with "outer: ". Returns -err->code, so that `return error_wrap(...)` works.
int error_wrap(struct error *err, const char *format, ...) _printf_(2, 3);

// Whether it says nothing about the other side: the request was cancelled, or the process lacks
// memory or descriptors.
bool error_is_own(const struct error *err);
