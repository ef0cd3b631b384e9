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
// An action of the key failed: its resource is held back, and its condition says why. Returns
// whether that was the spec that does not come up.
bool conditions_failed(struct key *key, const struct input *input, const struct action *action,
                       const struct error *err);
// The key goes, and its resources with it.
void conditions_remove(struct key *key);

// KEY_CLEAN, _WAITING or _BLOCKED, by the conditions of the latest plan and by what holds its
// changes back.
enum key_result conditions_result(const struct key *key);
