// A reconciler over scripted kinds and a clock that the test moves. The world is a table of things,
// one for each key: the leading "engine", "node/…",
// "cluster/…", and "page/…", which follows them. A thing is as it should be when
// its value is 1; an action sets it. What is asked is answered when the test lets it.
#pragma once

#include "tests/support/scripted_kinds.h"

// A reconciler in this mode over the engine alone. config_text is YAML.
struct scripted *scripted_new(enum reconcile_mode mode, const char *config_text);
void scripted_free(struct scripted *scripted);
DEFINE_CLEANUP(struct scripted *, scripted_free)

// Adds a thing with the value 0.
struct thing *scripted_add(struct scripted *scripted, const char *key, const char *cluster);

// Lets everything be answered that does not hang, and the reconciler go on, until now is over.
void scripted_settle(struct scripted *scripted);
// The same through all that is due in the next ms.
void scripted_advance(struct scripted *scripted, uint64_t ms);
// The engine is found as it is now, though its observation may go on.
void scripted_find_engine(struct scripted *scripted);
// Answers what hangs, as the thing is now; nothing hangs any more.
void scripted_release(struct scripted *scripted);
// An event for the key; ends its stream.
void scripted_event(struct scripted *scripted, const char *key);
void scripted_end_watch(struct scripted *scripted, const char *key, const struct error *why);

// Asserts what was told since the last call, line by line.
void assert_told(struct scripted *scripted, const char *expected);
void scripted_invalidate_log(struct scripted *scripted);
// "12/12 ready" and so on.
void assert_line(struct scripted *scripted, const char *expected);
