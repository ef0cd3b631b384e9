// What the commands print: on stdout what was asked for, and whether it got there; on stderr what
// went wrong. Colour and a live line on a terminal alone, and not where NO_COLOR is set:
// https://no-color.org/
#pragma once

#include "lib/base/cleanup.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum style {
    STYLE_RESET,
    STYLE_RED,
    STYLE_GREEN,
};

// The escape sequence for stdout, "" where there is to be none.
const char *terminal_style(enum style style);

// Whether stdout is a terminal.
bool terminal_is_open(void);

// Of the terminal; 80 where there is none.
int terminal_columns(void);

// The same, but no bound where there is none: what a program reads has its lines whole.
int terminal_width(void);

// How many columns the bytes of UTF-8 take, one for each character.
int terminal_columns_of(const char *text, size_t length);

// Prints text with a line end, broken between words so that no line is wider than width, and every
// line but the current one indented. Of that, `at` columns are taken already.
void terminal_wrap(int at, int indent, const char *text, int width, FILE *out);

// Shows text in place of everything that the terminal shows, as many lines of it as there is room
// for.
void terminal_redraw(const char *text);

// Shows text on the terminal's current line in place of what was there; "" clears it.
void terminal_progress(const char *text);

// Prints value, indented. What stdout does not take shows in terminal_end.
void terminal_json(const json_t *value);

// Asks on stdout, and whether the answer begins with y.
bool terminal_confirms(const char *question);

// Ends the printing. Returns EXIT_OK when stdout has taken everything, else EXIT_FAILED, said on
// stderr.
int terminal_end(void);

// Says on stderr, in one line that begins with the program's name, what went wrong.
void terminal_complain(const char *format, ...) _printf_(1, 2);
