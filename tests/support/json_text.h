// JSON as a test writes it, with ' for ", which would need a backslash in C.
#pragma once

#include <jansson.h>

// The text as JSON has it; the caller frees it. No ' can stand in a value.
char *json_text(const char *text);
// Its value; the test fails where it is none. The caller owns the reference.
json_t *json_of(const char *text);
