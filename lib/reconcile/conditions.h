// Conditions from plans and failures into the status. A failure's condition stands while its
// resource still has something to do, so that a retry does not write "Converging" and the same
// failure again each time.
#pragma once

#include "lib/reconcile/key.h"

// Makes plan (taken over) the key's latest and sets its conditions; resources that no plan has any
// more vanish from the status.
void conditions_from_plan(struct key *key, struct plan *plan);
// The key cannot be observed: the conditions of all its resources say why.
enum key_result conditions_unobserved(struct key *key, const struct input *input,
                                      const struct error *why);
// Shows what the record of a resource says.
void conditions_from_record(struct key *key, const char *resource, const char *cluster);
// The key goes, and its resources with it.
void conditions_remove(struct key *key);

// KEY_CLEAN, _WAITING or _BLOCKED, by the conditions of the latest plan and by what holds its
// changes back.
enum key_result conditions_result(const struct key *key);
// Whether time may help what failed with this reason for this error: an error without a reason of
// its own may pass unless it says that it does not.
bool failure_may_pass(enum reason reason, const struct error *error);
