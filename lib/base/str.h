// Strings: allocation, and the few tests that <string.h> lacks.
#pragma once

#include "lib/base/cleanup.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Each returns a string that the caller frees. str_dup(NULL) is NULL.
char *str_dup(const char *s);
char *str_dup_n(const char *s, size_t n);
char *str_printf(const char *format, ...) _printf_(1, 2);
char *str_vprintf(const char *format, va_list args) _printf_(1, 0);

// Replaces *target by a copy of s (which may be NULL, or a part of it).
void str_replace(char **target, const char *s);

bool str_equal(const char *a, const char *b); // NULL equals NULL alone
bool str_empty(const char *s);                // NULL is empty
bool str_starts_with(const char *s, const char *prefix);
bool str_ends_with(const char *s, const char *suffix);

// Whether s matches an extended regular expression, which is a constant of the program.
bool str_matches(const char *s, const char *pattern);

// Whether an absolute path is the directory or something below it. A path with a ".." in it is not:
// where that leads is not looked at.
bool str_is_path_within(const char *path, const char *directory);

// Replaces control characters and bytes that are no UTF-8 by '?' in place (line ends and tabs by a
// space), so that text from outside, cut anywhere, fits a line of a log or a status and JSON.
void str_make_printable(char *s);

// Takes spaces and line ends off the end, in place: text from outside has them, and more follows.
void str_trim_end(char *s);

// Copies the beginning of text from outside (a proxy's page, a program's output) onto one line:
// white space and control characters become single spaces, what is cut ends with "..." and never
// within an UTF-8 character. size is at least 8.
void str_excerpt(const char *s, char *out, size_t size);

// "812 B", "1.2 GB", in powers of 1000; the caller frees it.
char *str_bytes(uint64_t bytes);

// Base-10 digits alone, no sign, no space. Returns 0, -EINVAL or -ERANGE.
int str_to_u64(const char *s, uint64_t max, uint64_t *ret);

// FNV-1a, 64 bits: tells texts apart, but hides nothing, since a text that has the hash is soon
// found. http://www.isthe.com/chongo/tech/comp/fnv/
uint64_t str_hash(const char *s);

// Whether s is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool str_is_utf8(const char *s);
