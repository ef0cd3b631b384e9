// Every key of the configuration: its type, its default, its bounds.
#pragma once

#include "lib/config/config_values.h"
#include "lib/doc/schema.h"

#define ALIASES_MAX 32

// Of a struct config; what schema_print makes of one, config_parse reads back to an equal one.
extern const struct schema_field config_schema[];

// The rule for docker.host, which the environment variable DOCKER_HOST obeys as well; a
// schema_spell_fn.
int config_spell_docker_host(const char *text, char **ret, struct error *err);

// A HOST:PORT that image names begin with; a schema_spell_fn.
int config_spell_alias(const char *text, char **ret, struct error *err);
