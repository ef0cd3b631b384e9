// The full pass: the leading key is observed first, and then every key is due. It ends with the
// last of them; one that does not answer is not waited for.
#pragma once

#include "lib/reconcile/key.h"

// Begins a full pass when the poll is due.
void pass_poll(struct reconciler *reconciler);
// The observation of the leading key, which begins, leads a full pass.
void pass_begin(struct reconciler *reconciler);
// The engine was found, or could not be: from now on all others take part.
void pass_spread(struct reconciler *reconciler);
// Makes every key but the leading one due, those in back-off only when forced, those behind the
// engine only while that can be observed.
void pass_enqueue_keys(struct reconciler *reconciler, bool forced);
// The full pass waits for the key, or no longer.
void pass_join(struct key *key);
void pass_leave(struct key *key);
// Neither the pass nor those that are due wait any longer for what does not answer.
void pass_take_slots(struct reconciler *reconciler);
// Ends the pass if it waits for nothing more.
void pass_end(struct reconciler *reconciler);
