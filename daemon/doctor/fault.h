// What a station found wrong, in two sentences. Both are an arena's, or static.
#pragma once

#include "lib/base/arena.h"
#include "lib/kinds/condition.h"

struct fault {
    const char *cause; // NULL: nothing is wrong
    const char *cure;
};

// Of a resource that is not ready: its message says both, with "; " between them, unless it is only
// not made yet.
struct fault fault_of_condition(struct arena *arena, const struct condition *condition);

// A text with the value of each {name} in the place of that.
struct fault_word {
    const char *name;
    const char *value; // NULL counts as ""
};
const char *fault_text(struct arena *arena, const char *text, const struct fault_word *words,
                       size_t count);
