// Single values as they stand in YAML.
#pragma once

#include <stdio.h>

// What YAML 1.2 reads a plain scalar as, "a number" or "a boolean"; NULL for text (or null).
const char *yaml_plain_meaning(const char *text);

// Writes a text so that readers of YAML 1.1 and 1.2 alike read it as this text. Errors of the
// stream stay in it.
void yaml_print_text(const char *text, FILE *out);
