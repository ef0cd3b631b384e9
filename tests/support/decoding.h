// An engine's answers, as recorded or broken, and what is decoded of them.
#pragma once

#include "lib/kinds/container/current.h"

struct decoding {
    struct config *config;
    struct secrets *secrets;
    struct current *current;
};

// For cmocka: *state is a struct decoding.
int decoding_setup(void **state);
int decoding_teardown(void **state);

// A text with ' for ", or the name of a file below tests/fixtures; the caller owns the reference.
json_t *decoding_json(const char *text);
