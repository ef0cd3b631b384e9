// Tables that say how a YAML mapping becomes a struct, and back. A key without a value (or null)
// has its default, like one that is missing.
#pragma once

#include "lib/doc/problem.h"
#include "lib/doc/schema_type.h"

#include <stdio.h>

// Bytes that the names and values of a map may have in all.
#define SCHEMA_MAP_BYTES_MAX (64u * 1024u)

// Fills object, which must be all zero, and adds every problem to problems; a field with a problem
// has its default. What the object then owns is freed by schema_done.
void schema_decode(const struct schema_field *fields, const struct yaml_node *node,
                   const struct path_source *source, void *object, struct problems *problems);

// Frees what the fields of object own.
void schema_done(const struct schema_field *fields, void *object);

// Writes the object as YAML that schema_decode reads back to an equal one. Errors of the stream
// stay in it.
void schema_print(const struct schema_field *fields, const void *object, FILE *out);
