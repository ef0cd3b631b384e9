// What is known of a node's files: their content, and the stamps of the paths that it was read at.
#pragma once

#include "lib/base/sorted.h"
#include "lib/world/node_files.h"

#include <jansson.h>

// A path in a node as it was when its content was read.
struct path_stamp {
    char *path;
    char *stamp; // see docker_path_stamp; NULL: there was nothing
};
void path_stamps_free(struct path_stamp *stamps, size_t count);

// Good as long as there are stamps and each of them still holds.
struct node_cache {
    char *node; // key
    char *container_id;
    struct path_stamp *stamps;
    size_t stamp_count;
    struct world_node_files *files; // NULL: not read yet
    bool expired;                   // since the look under way began
    bool recalled;                  // from an earlier process, not looked at in this one
};

int node_cache_compare(const char *node, const void *element); // of struct sorted
// That of the node, made if there is none. Returns NULL when out of memory.
struct node_cache *node_cache_get(struct sorted *caches, const char *node);
// The node's files may be others, whatever their stamps say; nor is kept what is being read of them
// right now.
void node_cache_expire(struct sorted *caches, const char *node);
// NULL is fine.
void node_cache_free(struct node_cache *cache);
DEFINE_CLEANUP(struct node_cache *, node_cache_free)
void node_caches_done(struct sorted *caches);

// Returns NULL when out of memory.
struct world_node_files *node_files_copy(const struct world_node_files *files);

// For the next process: what this one knows for certain. Returns NULL when
// out of memory.
json_t *node_caches_to_json(const struct sorted *caches);
// Adds them, recalled. Returns 0, -ENOMEM, or -EBADMSG for what no process of this version wrote;
// what was added by then is whole.
int node_caches_from_json(struct sorted *caches, const json_t *json);
