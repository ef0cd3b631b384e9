// Random choices that a seed repeats.
#pragma once

#include "lib/base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

// 0 … below - 1 (splitmix64).
static inline uint32_t random_below(struct random *random, uint32_t below)
{
    uint64_t z = (random->state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return (uint32_t)((z ^ (z >> 31)) >> 33) % below;
}

static inline bool random_chance(struct random *random, uint32_t percent)
{
    return random_below(random, 100) < percent;
}

// One element of an array.
#define RANDOM_PICK(random, array) ((array)[random_below((random), (uint32_t)ELEMENTS(array))])
