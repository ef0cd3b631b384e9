// What the fuzz targets share. fuzz_NAME.c is one target: what it does with an input, and what has
// to hold of it. libFuzzer makes inputs up; fuzz_main.c replays those of corpus/NAME.
#pragma once

#include "lib/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Returns 0.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Aborts, which is what a fuzzer and a replay take for a finding.
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            must_fail(__FILE__, __LINE__, #condition);                                             \
        }                                                                                          \
    } while (0)
_Noreturn void must_fail(const char *file, int line, const char *condition);

// The text is one line that a terminal, the journal and JSON take as it is: well-formed UTF-8
// without control characters.
void must_be_line(const char *text);

// It says what went wrong, in a line, with an errno and a kind that is not fatal.
void must_explain(const struct error *err);

// The input as a string, up to the first NUL; the caller frees.
char *text_of_input(const uint8_t *data, size_t size);
