// JSON as a test writes it, with ' for ", which would need a backslash in C; no ' can stand in a
// value. "NAME.json" is what that file below tests/fixtures has.
#pragma once

#include <jansson.h>

// The text as JSON has it; the caller frees it.
char *json_text(const char *text);
// Its value; the test fails where it is none. The caller owns the reference.
json_t *json_of(const char *text);
