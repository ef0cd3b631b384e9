// What a command prints on stdout, and whether it got there.
#pragma once

#include <jansson.h>

// Prints value, indented. Returns 0, -EFBIG, or -ENOMEM, also for NULL; what stdout does not take
// shows in output_end.
int output_json(const json_t *value);

// Ends the printing that went as r says. Returns 0 when stdout has taken everything, else -errno,
// said on stderr.
int output_end(int r);
