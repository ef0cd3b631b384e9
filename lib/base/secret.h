// Values that no message may show. Who has one says so; what another program says (an engine, an
// API server, a command's output) passes secret_hide before it becomes a part of a message, since
// it may repeat what it was given.
#pragma once

#include "lib/base/cleanup.h"

// The secrets of one owner, as long as it lives.
struct secrets;

// Returns 0 with *ret, or -ENOMEM.
int secrets_new(struct secrets **ret);

// A value is split at characters that get escaped; each piece of at least 6 bytes is hidden.
#define SECRET_BYTES_MIN 6
// Returns 0 or -ENOMEM.
int secrets_add(struct secrets *secrets, const char *value);

// NULL is fine.
void secrets_free(struct secrets *secrets);
DEFINE_CLEANUP(struct secrets *, secrets_free)

// A copy of text (its beginning, of a very long one) with "***" for each secret of every owner; the
// caller frees it. NULL when out of memory, and for NULL.
char *secret_hide(const char *text);
