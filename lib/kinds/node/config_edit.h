// The edit of a node's config.toml that makes its containerd read hosts.toml files: what kind's
// containerdConfigPatches would do to it at the cluster's creation. Pure.
#pragma once

// The file with config_path set in the registry's table, and without `mirrors` there; the caller
// frees it. It is the same text where none of this is to be done, and NULL where the format's
// version is none in which that table is known.
//
// Only lines of the shapes that config_line.h knows are understood: what is written in another way
// stands beside the edit, and containerd refuses the whole. So ask that before it is used.
char *config_edit(const char *config_toml);
