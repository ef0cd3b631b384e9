// Streams of events that make keys due as soon as something changes; the poll finds what they miss.
// A stream that ends makes its key due, since that is news too.
#pragma once

#include "lib/reconcile/key.h"

#define WATCH_COALESCE_MS 10 // a burst of events is one attempt

// The key was observed: its events since then are followed.
void watch_follow(struct key *key);
// Nothing follows the key's events any more.
void watch_drop(struct key *key);
// Takes up what the streams had and opens those that are due.
void watches_advance(struct reconciler *reconciler);
void watches_stop(struct reconciler *reconciler);
