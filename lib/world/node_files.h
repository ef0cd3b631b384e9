// What a node's file system says about registries: /etc/containerd/certs.d and whether containerd
// reads it.
#pragma once

#include "lib/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

#define WORLD_CERTS_PARENT "/etc/containerd"
#define WORLD_CERTS_DIR "certs.d" // below WORLD_CERTS_PARENT
#define WORLD_CONTAINERD_CONFIG "/etc/containerd/config.toml"
#define WORLD_HOSTS_FILE "hosts.toml"

enum config_path {
    CONFIG_PATH_UNKNOWN, // the version could not be read
    CONFIG_PATH_ENABLED,
    CONFIG_PATH_DISABLED, // no config_path, or another directory, or `mirrors` rule it out
    _CONFIG_PATH_COUNT,
};

// One directory of certs.d.
struct world_hosts_dir {
    char *name;    // "localhost:5000", "_default", …
    char *content; // of its hosts.toml, NULL when there is none
    // What has the place of the directory, or of its hosts.toml, and is none ("a symbolic link").
    char *not_directory;
    char *not_file;
};

struct world_node_files {
    struct world_hosts_dir *dirs;
    size_t dir_count;
    enum config_path config_path;
};

// Whether containerd reads hosts.toml files below /etc/containerd/certs.d, from its config.toml
// (either section name: io.containerd.grpc.v1.cri, io.containerd.cri.v1.images) and the output of
// `containerd --version` (NULL when not needed or not known): an explicit config_path wins; without
// one containerd from 2.2.0 on has that default unless `mirrors` are set.
enum config_path world_config_path(const char *config_toml, const char *version_output);

// Whether world_config_path needs the version to decide.
bool world_config_path_needs_version(const char *config_toml);

const struct world_hosts_dir *world_node_files_dir(const struct world_node_files *files,
                                                   const char *name);
void world_node_files_free(struct world_node_files *files);
DEFINE_CLEANUP(struct world_node_files *, world_node_files_free)
