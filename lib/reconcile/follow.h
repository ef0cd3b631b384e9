// Which keys there are follows from the configuration and the engine that was observed.
#pragma once

#include "lib/reconcile/key.h"

// Takes a reference to engine as the latest. Keys appear and go, and those become due for which a
// fact changed, or all of them.
void follow_engine(struct reconciler *reconciler, struct engine *engine, bool all);
// The engine cannot be observed: neither can what is behind it; the others go on by what is known.
void follow_lost_engine(struct reconciler *reconciler, const struct error *why);
// Takes the key out with its conditions, and frees it.
void follow_remove(struct key *key);
