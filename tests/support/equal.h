// Lists and maps that have to be the same.
#pragma once

#include "lib/base/strmap.h"
#include "lib/base/strv.h"

void assert_lists_equal(const struct strv *a, const struct strv *b); // same strings, same order
void assert_maps_equal(const struct strmap *a, const struct strmap *b);
