#include "tests/support/random.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

uint32_t random_below(struct random *random, uint32_t below)
{
    uint64_t z = (random->state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return (uint32_t)((z ^ (z >> 31)) >> 33) % below;
}

bool random_chance(struct random *random, uint32_t percent)
{
    return random_below(random, 100) < percent;
}

unsigned repetitions(unsigned full)
{
    const char *fraction = getenv("TEST_FRACTION");
    uint64_t divisor = 1;
    assert_int_equal(fraction == NULL ? 0 : str_to_u64(fraction, full, &divisor), 0);
    assert_int_not_equal(divisor, 0);
    return full / (unsigned)divisor;
}
