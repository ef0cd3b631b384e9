// What a node's files were just observed to say about registries, and by what it is known whether
// that still holds.
#pragma once

#include "lib/base/arena.h"
#include "lib/kinds/node/config_path.h"
#include "lib/kinds/node/proxy.h"

#include <stdbool.h>

#define NODE_HOSTS_FILE "hosts.toml" // in each directory of NODE_CERTS_DIR

// One directory of certs.d.
struct hosts_dir {
    const char *name;    // "localhost:5000", "_default", …
    const char *content; // of its hosts.toml, NULL when there is none
    // What is in the place of the directory, or of its hosts.toml, and is of another sort ("a
    // symbolic link"); NULL otherwise.
    const char *not_directory;
    const char *not_file;
};

// Shared by an observation's receiver and what is kept for the next one.
struct node_current {
    struct arena arena; // holds every string
    unsigned refs;
    const char *id;     // of the node's container
    const char **paths; // that matter
    size_t path_count;
    const char *stamps; // of these: as long as they are the same, and the next, so is the rest
    unsigned writes;    // of the engine's node, when the files were read
    struct hosts_dir *dirs;
    size_t dir_count;
    enum config_path config_path;
    const char *config_toml; // NULL where it is of no interest
    const char *former;      // what it was before it was edited, NULL: it is not, or no more
    bool staged;             // an edit has begun, and not ended
    bool set_up;             // kubeadm has made the node; known where config.toml may be edited
    bool has_proxy;          // known: the container keeps the variables it was made with
    struct proxy proxy;
};

// Of the container of this id nothing more is known.
struct node_current *node_current_new(const char *id);
struct node_current *node_current_ref(struct node_current *current);
// As free_current in struct kind: frees with the last. NULL is fine.
void node_current_unref(void *node_current);

void node_current_add_path(struct node_current *current, const char *path);

// Takes what a file or directory below NODE_CONFIG_DIR ("certs.d/localhost:5000/hosts.toml") tells.
// content is NULL for what is no file, special what it is when it is no directory either.
void node_current_add_file(struct node_current *current, const char *path, const char *content,
                           const char *special);

// NULL when there is none of the name.
const struct hosts_dir *node_current_dir(const struct node_current *current, const char *name);
