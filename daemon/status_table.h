// The status document as people read it.
#pragma once

#include <jansson.h>
#include <stdio.h>
#include <time.h>

// Prints a row for each resource, and below it the message, within width columns: a name that is
// too long has a line of its own, a word that is too long stands beyond. status is of no use after.
void status_table_print(json_t *status, int width, time_t now, FILE *out);
