// What the tags of a store keep, how much that is, and what is to be removed of the rest. Pure.
#pragma once

#include "lib/base/buf.h"
#include "lib/base/strv.h"
#include "lib/registry/store.h"

// Which tags are to go.
struct mark_rules {
    size_t newest;              // so many of each repository stay; 0: all
    const struct strv *only;    // of these repositories; NULL: of every one
    const struct store *agreed; // marked: nothing goes that does not go in this one; NULL: no limit
};

// Decides, once, what is kept and measures it. A tag that carries what belongs to a digest, by its
// name (sha256-HEX.sig), is no version: it is not counted, and goes with what it belongs to.
void mark_store(struct store *store, const struct mark_rules *rules);

// The repository to which, within so many seconds of now_s, Unix time, something was pushed that
// nothing keeps: somebody may be about to push what refers to it. "a repository" when it is a blob,
// of which that is not known; NULL: nowhere.
const char *mark_pushed_to(const struct store *store, int64_t now_s, int64_t seconds);

// Appends the directories that are to be removed, below the storage's root, one a line: tags before
// what they refer to. Those that do not fit are left out. What is left of a repository that keeps
// nothing is among them. Blobs are not: they are garbage-collect's.
void mark_list_removals(const struct store *store, struct buf *lines);
