#include "lib/registry/reference.h"

#include "lib/base/str.h"

#include <string.h>

#define NAME_BYTES_MAX 255 // of a repository
#define COMPONENT "[a-z0-9]+([._-]+[a-z0-9]+)*"

bool reference_is_repository(const char *name)
{
    return strlen(name) <= NAME_BYTES_MAX && str_matches(name, "^" COMPONENT "(/" COMPONENT ")*$");
}

bool reference_is_tag(const char *name)
{
    return str_matches(name, "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$");
}

// There are many of them, and a pattern takes its time.
bool reference_is_digest(const char *digest)
{
    return str_starts_with(digest, REFERENCE_ALGORITHM ":") &&
           strlen(REFERENCE_HEX(digest)) == REFERENCE_DIGITS &&
           strspn(REFERENCE_HEX(digest), "0123456789abcdef") == REFERENCE_DIGITS;
}
