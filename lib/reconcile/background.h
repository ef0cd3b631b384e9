// Actions that take minutes, such as an image pull: they go on beside their key's attempts, since
// all other keys follow from what those observe. The end of one makes its key due.
#pragma once

#include "lib/reconcile/key.h"

// Whether one is under way for the resource.
bool background_has(const struct reconciler *reconciler, const char *resource);
// Begins the action, which is of the key's plan. Returns 0 or -errno.
int background_begin(struct key *key, const struct action *action, struct error *err);
// Takes up those that ended: an action that failed holds its resource back.
void background_advance(struct reconciler *reconciler);
