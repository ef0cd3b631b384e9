// What one key alone does not show.
#pragma once

#include "lib/config/config_values.h"
#include "lib/doc/path.h"
#include "lib/doc/problem.h"
#include "lib/doc/yaml.h"

// Completes what depends on more than one key or on the environment (DOCKER_HOST, the aliases that
// are always there), and adds the problems of keys that contradict each other.
void config_complete(struct config *config, const struct yaml_node *root,
                     const struct path_source *source, struct problems *problems);
