#include "lib/kinds/node/current.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/kinds/name.h"

#include <string.h>

struct node_current *node_current_new(const char *id)
{
    struct node_current *current = node_current_ref(xcalloc(1, sizeof(*current)));
    current->id = arena_dup(&current->arena, id);
    return current;
}

struct node_current *node_current_ref(struct node_current *current)
{
    current->refs++;
    return current;
}

void node_current_unref(void *node_current)
{
    struct node_current *current = node_current;
    if (current != NULL && --current->refs == 0) {
        arena_done(&current->arena);
        free(current);
    }
}

void node_current_add_path(struct node_current *current, const char *path)
{
    *ARENA_GROW(&current->arena, current->paths, current->path_count) =
        arena_dup(&current->arena, path);
}

const struct hosts_dir *node_current_dir(const struct node_current *current, const char *name)
{
    for (size_t i = 0; i < current->dir_count; i++) {
        if (str_equal(current->dirs[i].name, name)) {
            return &current->dirs[i];
        }
    }
    return NULL;
}

void node_current_add_file(struct node_current *current, const char *path, const char *content,
                           const char *special)
{
    static const char certs[] = NODE_CERTS "/";
    struct arena *arena = &current->arena;
    const char *rest = path + strlen(certs);
    if (!str_starts_with(path, certs)) {
        return;
    }
    size_t length = strcspn(rest, "/");
    const char *name = arena_dup_n(arena, rest, length);
    bool is_hosts_file = str_equal(rest + length, "/" NODE_HOSTS_FILE);
    if ((rest[length] != '\0' && !is_hosts_file) || !name_is_valid_hosts(name)) {
        return;
    }
    struct hosts_dir *dir = (struct hosts_dir *)node_current_dir(current, name);
    if (dir == NULL) {
        dir = ARENA_GROW(arena, current->dirs, current->dir_count);
        dir->name = name;
    }
    bool is_directory = content == NULL && special == NULL;
    const char *sort = special == NULL ? "a file" : arena_dup(arena, special);
    if (is_hosts_file) {
        dir->content = arena_dup(arena, content);
        dir->not_file = content != NULL ? NULL : is_directory ? "a directory" : sort;
    } else {
        dir->not_directory = is_directory ? NULL : sort;
    }
}
