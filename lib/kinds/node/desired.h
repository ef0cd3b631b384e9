// What every hosts.toml on a node should be, and who wrote the one that is there. Pure.
#pragma once

#include "lib/base/arena.h"
#include "lib/config/config.h"

#include <stdbool.h>

#define REGISTRY_PORT "5000" // in its container

// The content for a name of the registry, or for the upstream of a cache; of the arena.
// https://github.com/containerd/containerd/blob/main/docs/hosts.md
const char *hosts_toml_desired(const struct config *config, const struct config_cache *cache,
                               struct arena *arena);

// Whether this program wrote the content.
bool hosts_toml_is_own(const char *content);

// Whether the content is what HostK8s' or kind's script writes for a local registry
// (`[host."http://…:5000"]` alone, with at most `server`, `capabilities`, `skip_verify`), so that
// it may be replaced.
bool hosts_toml_is_script(const char *content);
