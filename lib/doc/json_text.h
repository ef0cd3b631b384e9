// JSON from text and to text, safe when memory runs out: jansson's own functions are not (see
// json_text.c), so nothing else in lib/ or daemon/ parses or prints JSON.
#pragma once

#include "lib/base/buf.h"

#include <jansson.h>

// Parses a text that is one object or array. Returns 0 with *ret owned by the caller, -ENOMEM, or
// -EBADMSG with *ret_position (may be NULL) at the byte from which on it is no JSON.
int json_parse(const char *text, size_t length, json_t **ret, int *ret_position) _must_check_;

// Appends the text of a value; flags are those of json_dumps. Returns 0, -EFBIG, or -ENOMEM, also
// for NULL, which is what jansson gives for a value without memory. A part may be appended then.
int json_print(struct buf *buf, const json_t *value, size_t flags) _must_check_;
