// Random choices that a seed repeats.
#pragma once

#include "lib/base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

// 0 … below - 1 (splitmix64).
uint32_t random_below(struct random *random, uint32_t below);
bool random_chance(struct random *random, uint32_t percent);
// One element of an array.
#define RANDOM_PICK(random, array) ((array)[random_below((random), (uint32_t)ELEMENTS(array))])

// How often what is tested with random cases is repeated: full, or one nth of it with
// TEST_FRACTION=n in the environment, for valgrind, under which each takes fifty times as long.
unsigned repetitions(unsigned full);
