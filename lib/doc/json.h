// JSON to text, and null-tolerant getters over jansson: a value that is missing, null
// or of another type reads as the fallback, at any step of the path. Engines send null for empty
// lists and maps, and labels have dots in their names; hence a path is a list of keys that ends
// with NULL:
//
//     const char *ip = json_get_string(container, "NetworkSettings", "Networks", name, "IPAddress",
//                                      NULL);
//
// jansson's memory is xmalloc's in every program that has these functions: it fails for other
// reasons alone, as json_pack and json_string do for a text that is no UTF-8.
#pragma once

#include "lib/base/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// Appends the text of a value; flags are those of json_dumps. Returns 0, -EFBIG, or -EINVAL for
// NULL.
int json_print(struct buf *buf, const json_t *value, size_t flags) _must_check_;

#define _json_path_ __attribute__((sentinel))

// The value of whatever type but null, borrowed from value; NULL when there is none. value may be
// NULL in all of these.
json_t *json_get(const json_t *value, ...) _json_path_;

// Borrowed from value, NULL when there is none.
json_t *json_get_object(const json_t *value, ...) _json_path_;
json_t *json_get_array(const json_t *value, ...) _json_path_;
const char *json_get_string(const json_t *value, ...) _json_path_;

// fallback is true or false; an int, as va_start needs a type that is not promoted.
bool json_get_bool(const json_t *value, int fallback, ...) _json_path_;
int64_t json_get_int(const json_t *value, int64_t fallback, ...) _json_path_;
