// glibc 2.36 does not get over a lack of memory in regcomp: re_compile_internal leaks what parse
// has made, and frees arrays that analyze had no time to fill (posix/regcomp.c). Here both
// functions need memory as one allocation, and only that can fail. Takes
// -Wl,--wrap=regcomp,--wrap=regexec.
#include "tests/support/alloc.h"

#include <regex.h>

// Names that the linker's --wrap gives.
int __wrap_regcomp(regex_t *regex, const char *pattern, int flags);
int __real_regcomp(regex_t *regex, const char *pattern, int flags);
int __wrap_regexec(const regex_t *regex, const char *text, size_t count, regmatch_t *matches,
                   int flags);
int __real_regexec(const regex_t *regex, const char *text, size_t count, regmatch_t *matches,
                   int flags);

static bool has_memory(void)
{
    void *volatile some = malloc(1);
    bool has = some != NULL;
    free(some);
    return has;
}

int __wrap_regcomp(regex_t *regex, const char *pattern, int flags)
{
    if (!has_memory()) {
        return REG_ESPACE;
    }
    ALLOC_LOOK_AWAY;
    return __real_regcomp(regex, pattern, flags);
}

int __wrap_regexec(const regex_t *regex, const char *text, size_t count, regmatch_t *matches,
                   int flags)
{
    if (!has_memory()) {
        return REG_ESPACE;
    }
    ALLOC_LOOK_AWAY;
    return __real_regexec(regex, text, count, matches, flags);
}
