// Colour and a live line on a terminal; neither when NO_COLOR is set or the output is no terminal.
// https://no-color.org/
#pragma once

#include <stdio.h>

enum style {
    STYLE_RESET,
    STYLE_RED,
    STYLE_GREEN,
};

// The escape sequence, "" where there is to be none.
const char *terminal_style(FILE *out, enum style style);

// Shows text on the terminal's current line in place of what was there; "" clears it. Nothing on
// anything but a terminal.
void terminal_progress(FILE *out, const char *text);
