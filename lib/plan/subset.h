// Whether an object has all that it should have. The API server adds fields of its own and other
// managers add theirs; server-side apply leaves both alone, and so does the comparison: objects are
// compared as subsets. A container or an environment variable that somebody else added to the
// Deployment is no difference either, for the lists that are maps by a key tolerate more elements.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
#pragma once

#include "lib/base/cleanup.h"
#include "lib/plan/plan_internal.h"

#include <jansson.h>
#include <stdbool.h>

// All zero: nothing differs.
struct subset_diff {
    struct field_diffs fields;
    bool recreate; // apply cannot make it right: an immutable field, or one that another manager
                   // owns and that must not be there
};

// Appends what `should` has and `is` has not (or differently), in the order of should. Returns 0 or
// -ENOMEM; ret is to be released by subset_diff_done in any case.
int subset_compare(const json_t *is, const json_t *should, struct subset_diff *ret);

// Appends the fields that manager owns in `is` by an earlier apply and that `should` no longer has:
// applying takes them away.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
int subset_compare_managed(const json_t *is, const json_t *should, const char *manager,
                           struct subset_diff *ret);

void subset_diff_done(struct subset_diff *diff);

#define _cleanup_subset_diff_ _cleanup_(subset_diff_done)
