// The lines of a config.toml, and of what containerd prints of it, that matter here. Pure.
#pragma once

#include <stdbool.h>

// The plugin that pulls images, by the format's version.
#define CONFIG_PLUGIN_2 "io.containerd.grpc.v1.cri"   // of its own until 1.7; 2.x knows the name
#define CONFIG_PLUGIN_3 "io.containerd.cri.v1.images" // since 2.0; of version 4 too

const char *config_skip_blanks(const char *at);

// NULL behind the last one.
const char *config_next_line(const char *line);

// The value in a line KEY = VALUE, from its first character to wherever the text ends; NULL in
// another line.
const char *config_setting(const char *line, const char *key);

// The versions of the format ("34") in which every containerd reads the section that a line
// [plugins."PLUGIN".registry…] begins, with what follows `registry` in *ret; NULL for another line,
// and unless version is '\0' for one of other versions.
const char *config_registry(const char *line, char version, const char **ret);

struct config_scan {
    char version; // of the format, '2' to '4'; '\0': none, or another one
    // Values, from the first character to wherever the text ends; NULL: not there.
    const char *config_path; // with its quotes, in the first table of a registry
    const char *versions;    // as of config_registry, of that table
    const char *containerd;  // what `containerd --version` says
    bool mirrors;
    bool tls; // of `configs`
};

// The tables are those that config_registry finds for version.
struct config_scan config_scan(const char *text, char version);
