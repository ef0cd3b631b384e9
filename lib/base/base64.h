// Base64 with the standard alphabet and padding (RFC 4648, section 4).
#pragma once

#include "lib/base/cleanup.h"

#include <stddef.h>

// Decodes strictly: padding is required, bits left over must be zero; only line ends are skipped.
// Returns 0 with *ret owned by the caller and followed by a NUL that is not counted, or -EINVAL.
// What was decoded before an error is wiped.
int base64_decode(const char *text, size_t length, char **ret, size_t *ret_length) _must_check_;
