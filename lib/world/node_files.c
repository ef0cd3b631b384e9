#include "lib/world/node_files.h"

#include "lib/base/str.h"

const struct world_hosts_dir *world_node_files_dir(const struct world_node_files *files,
                                                   const char *name)
{
    for (size_t i = 0; i < files->dir_count; i++) {
        if (str_equal(files->dirs[i].name, name)) {
            return &files->dirs[i];
        }
    }
    return NULL;
}

void world_node_files_free(struct world_node_files *files)
{
    if (files == NULL) {
        return;
    }
    for (size_t i = 0; i < files->dir_count; i++) {
        free(files->dirs[i].name);
        free(files->dirs[i].content);
        free(files->dirs[i].not_directory);
        free(files->dirs[i].not_file);
    }
    free(files->dirs);
    free(files);
}
