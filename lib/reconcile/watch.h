// Streams of events that make keys due as soon as something changes; the poll finds what they miss.
// A stream that begins makes its key due, since what changed before it began was missed, and one
// that ends does, since that is news too.
#pragma once

#include "lib/reconcile/key.h"

// The key was observed: from now on its events are followed.
void watch_follow(struct key *key);
// Nothing follows the key's events any more.
void watch_drop(struct key *key);
// Takes up what the streams had and opens those that are due.
void watches_advance(struct reconciler *reconciler);
void watches_stop(struct reconciler *reconciler);
