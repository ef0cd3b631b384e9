// A backend before another one that fails the test when a key has two operations at once, or an
// operation's end comes twice, or from inside the call that began it.
#pragma once

#include "lib/reconcile/backend.h"

struct guard_backend;

// Borrows backend.
struct guard_backend *guard_backend_new(struct backend *backend);
// Nothing may be under way. NULL is fine.
void guard_backend_free(struct guard_backend *guard);
struct backend *guard_backend(struct guard_backend *guard);
// The most operations that were under way at once.
size_t guard_backend_peak(const struct guard_backend *guard);
