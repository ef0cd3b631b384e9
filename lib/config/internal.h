// Between the files of this directory.
#pragma once

#include "lib/config/config.h"
#include "lib/doc/schema.h"

#define ALIASES_MAX 32
#define DOCKER_HOST_PATH "docker.host"

// Of a struct config.
extern const struct schema_field config_schema[];

// The rule for docker.host, which the environment variable DOCKER_HOST obeys as well.
extern const struct schema_field config_docker_host_field;

// Completes what depends on more than one key or on the environment (DOCKER_HOST, the aliases that
// are always there), and adds the problems of keys that contradict each other. Returns 0 or
// -ENOMEM.
int config_complete(struct config *config, const struct yaml_node *root,
                    const struct schema_source *source, struct problems *problems);
