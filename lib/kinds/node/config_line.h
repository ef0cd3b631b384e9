// The lines of a config.toml, and of what containerd prints of it, that matter here. Pure.
#pragma once

// The plugin that pulls images, by the format's version.
#define CONFIG_PLUGIN_2 "io.containerd.grpc.v1.cri"   // of its own until 1.7; 2.x knows the name
#define CONFIG_PLUGIN_3 "io.containerd.cri.v1.images" // since 2.0; of version 4 too

const char *config_skip_blanks(const char *at);

// NULL behind the last one.
const char *config_next_line(const char *line);

// The value in a line KEY = VALUE, from its first character to wherever the text ends; NULL in
// another line.
const char *config_setting(const char *line, const char *key);

// The versions of the file ("34") in which every containerd reads the section that a line
// [plugins."PLUGIN".registry…] begins, with what follows `registry` in *ret; NULL for another line.
const char *config_registry(const char *line, const char **ret);
