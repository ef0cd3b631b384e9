// The file tree of a simulated container: absolute paths, each with a time that changes when it is
// written, or when an entry of the directory comes or goes.
#pragma once

#include "tests/support/sim_reply.h"

struct sim_file {
    char *path;
    char *content; // NULL: a directory
    unsigned stamp;
};

// All zero is empty.
struct sim_files {
    struct sim_file *items; // sorted by path
    size_t count;
    unsigned stamp;
};

// The directories on the way are made. content NULL: a directory.
void sim_files_write(struct sim_files *files, const char *path, const char *content);
// The file or, if nothing is below it, the directory; another is left alone.
void sim_files_remove(struct sim_files *files, const char *path);
// All that is below path, and path.
void sim_files_remove_tree(struct sim_files *files, const char *path);
// NULL when there is none.
const struct sim_file *sim_files_get(const struct sim_files *files, const char *path);
void sim_files_done(struct sim_files *files);

// HEAD, GET and PUT of /containers/NAME/archive?path=.
void sim_files_stat(const struct sim_files *files, struct sim_exchange *x);
void sim_files_pack(const struct sim_files *files, struct sim_exchange *x);
void sim_files_unpack(struct sim_files *files, struct sim_exchange *x);
