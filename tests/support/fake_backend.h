// A backend over a fake_world, for tests of the reconciler. Nothing is answered before the test
// says so, errors come as they are ordered.
#pragma once

#include "lib/reconcile/backend.h"
#include "tests/support/fake_world.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_backend;

struct fake_backend *fake_backend_new(void);
// Nothing may be under way.
void fake_backend_free(struct fake_backend *fake);
struct backend *fake_backend(struct fake_backend *fake);

struct fake_world *fake_world(struct fake_backend *fake);

// ---- faults ----
#define FAKE_OBSERVE _ACTION_TYPE_COUNT // in place of an action's type
// The next `count` operations of the type on the key's things (an action's resource or the key
// observed begins with `prefix`) fail. count SIZE_MAX: until fake_heal.
void fake_fail(struct fake_backend *fake, const char *prefix, unsigned type,
               const struct error *error, size_t count);
// The next submission is refused with the error, without a callback.
void fake_refuse(struct fake_backend *fake, const struct error *error);
void fake_heal(struct fake_backend *fake);
// From now on actions are answered without having any effect.
void fake_ignore_actions(struct fake_backend *fake, bool ignore);
// Operations on things that begin with `prefix` are not answered while it is set (NULL: all are).
void fake_silence(struct fake_backend *fake, const char *prefix);

// ---- streams ----
// From now on there is something to listen to.
void fake_offer_streams(struct fake_backend *fake);
bool fake_is_listened_to(const struct fake_backend *fake, const char *key);
// The stream of `key` tells that `dirty` may have changed.
void fake_tell(struct fake_backend *fake, const char *key, const char *dirty);
// The stream of `key` ends.
void fake_hang_up(struct fake_backend *fake, const char *key, const struct error *error);

// ---- running ----
// Answers what was submitted before the call, in order. Returns how many.
size_t fake_run(struct fake_backend *fake);
// Answers the first that was submitted. Returns false when there is none.
bool fake_run_one(struct fake_backend *fake);
size_t fake_under_way(const struct fake_backend *fake);

// ---- what was asked ----
size_t fake_observed(const struct fake_backend *fake, const char *key);  // times
size_t fake_acted(const struct fake_backend *fake, unsigned type);       // times, ok or not
size_t fake_forgotten(const struct fake_backend *fake, const char *key); // NULL: all
size_t fake_most_under_way(const struct fake_backend *fake);
bool fake_overlapped(const struct fake_backend *fake); // a key had two operations at once
