// An attempt of a key: observe, plan, act, and observe again, until a plan has nothing to do. What
// a kind answers is only put down by its callbacks; the next step goes on from there, so that
// nothing happens inside of a callback and the time is always known.
#pragma once

#include "lib/reconcile/key.h"

void attempt_begin(struct key *key);
// Goes on with a key that is answered; the key may be gone afterwards.
void attempt_advance(struct key *key);
// The engine that the leading key's attempt has found and that is not taken up yet, borrowed; NULL
// when there is none.
struct engine *attempt_found_engine(const struct reconciler *reconciler);
// Takes it up, though the attempt goes on.
void attempt_take_engine(struct reconciler *reconciler);
// Whether the key's actions may be carried out now.
bool attempt_may_act(const struct key *key);
