// Values that no message may show. Who learns one adds it; what another program says (an engine, an
// API server, a command's output) passes secrets_hide before it becomes a part of a message, since
// it may repeat what it was given.
#pragma once

#include "lib/base/cleanup.h"

// A set that only grows, so that what was a secret once stays one.
struct secrets;

struct secrets *secrets_new(void);

// A value is split at characters that get escaped; each piece of at least 6 bytes is hidden. NULL
// is none.
#define SECRET_BYTES_MIN 6
void secrets_add(struct secrets *secrets, const char *value);

// A copy of text (its beginning, of a very long one) with "***" for each secret; the caller frees
// it. NULL for NULL. secrets may be NULL: there are none.
char *secrets_hide(const struct secrets *secrets, const char *text);

// NULL is fine.
void secrets_free(struct secrets *secrets);
DEFINE_CLEANUP(struct secrets *, secrets_free)

// Overwrites and frees a text. NULL is fine.
void secret_wipe(char *text);
DEFINE_CLEANUP(char *, secret_wipe)
