// What the commands print: on stdout what was asked for, and whether it got there; on stderr what
// went wrong. Colour and a live line on a terminal alone, and not where NO_COLOR is set:
// https://no-color.org/
#pragma once

#include "lib/base/cleanup.h"

#include <jansson.h>
#include <stdbool.h>

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

// Shows text in place of everything that the terminal shows, as many lines of it as there is room
// for.
void terminal_redraw(const char *text);

// Shows text on the terminal's current line in place of what was there; "" clears it.
void terminal_progress(const char *text);

// Prints value, indented. What stdout does not take shows in terminal_end.
void terminal_json(const json_t *value);

// Asks on stdout, and whether the answer begins with y.
bool terminal_confirms(const char *question);

// Ends the printing that went as r says. Returns 0 when stdout has taken everything, else -errno,
// said on stderr.
int terminal_end(int r);

// Says on stderr, in one line that begins with the program's name, what went wrong.
void terminal_complain(const char *format, ...) _printf_(1, 2);
