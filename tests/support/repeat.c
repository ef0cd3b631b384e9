#include "tests/support/repeat.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

unsigned repetitions(unsigned full)
{
    const char *fraction = getenv("TEST_FRACTION");
    uint64_t divisor = 1;
    if (fraction != NULL) {
        assert_int_equal(str_to_u64(fraction, full, &divisor), 0);
        assert_int_not_equal(divisor, 0);
    }
    return full / (unsigned)divisor;
}
