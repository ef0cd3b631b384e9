// Whether a node's containerd reads the hosts.toml files of NODE_CERTS_DIR. Pure.
#pragma once

#include "lib/base/strv.h"

#include <stdbool.h>

#define NODE_CONFIG_DIR "/etc/containerd"
#define NODE_CONFIG_FILE NODE_CONFIG_DIR "/config.toml"
// Beside it, while it is edited: the file as it was, and the edited one until it takes its place.
#define NODE_CONFIG_FORMER "config.toml.hostk8s-registryd"
#define NODE_CONFIG_STAGED NODE_CONFIG_FORMER ".new"
#define NODE_CERTS "certs.d" // below NODE_CONFIG_DIR
#define NODE_CERTS_DIR NODE_CONFIG_DIR "/" NODE_CERTS

enum config_path {
    CONFIG_PATH_UNKNOWN, // the node could not say
    CONFIG_PATH_ENABLED,
    CONFIG_PATH_UNSET,   // no config_path, and this containerd has no default for it
    CONFIG_PATH_OTHER,   // config_path names other directories alone
    CONFIG_PATH_MIRRORS, // `mirrors` are set: beside them no hosts.toml is read
    CONFIG_PATH_REFUSED, // config_path and what it excludes: the CRI plugin does not load
};

// Whether a quoted value of config_path is NODE_CERTS_DIR, or names it in a list as PATH is one.
bool config_path_names_certs_dir(const char *value);

// Whether config.toml by itself leaves no doubt that they are read. Otherwise the node is asked.
bool config_path_is_plain(const char *config_toml);

// The command that asks a node, ended by NULL, and what its output says when it succeeded.
extern const char *const config_path_command[];
enum config_path config_path_decode(const char *output);

// Adds the absolute paths that config.toml imports, patterns among them. It is for knowing which
// files matter, and no more: an import that is written in an unusual way is not found.
#define CONFIG_IMPORTS_MAX 32
void config_path_imports(const char *config_toml, struct strv *ret);
