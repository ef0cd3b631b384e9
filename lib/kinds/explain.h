// From a failed request to the reason and the sentence that a user reads.
#pragma once

#include "lib/base/error.h"
#include "lib/kinds/condition.h"

#include <stdbool.h>
#include <stddef.h>

// Writes the sentence to message, as one printable line of at most size bytes. Returns reason.
enum reason explain(char *message, size_t size, enum reason reason, const char *format, ...)
    _printf_(4, 5);

// Whether the peer does not let us: 401 or 403.
bool explain_is_refusal(const struct error *error);
// Whether no answer came: nobody listens, the connection broke, the peer is not who it should be.
bool explain_is_unreachable(const struct error *error);

// The reason for a failed request to whatever is spoken to through the engine, with its sentence:
// EngineUnreachable, PermissionDenied or Error.
enum reason explain_engine_error(const struct error *error, char *message, size_t size);
