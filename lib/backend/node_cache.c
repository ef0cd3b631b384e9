#include "lib/backend/node_cache.h"

#include "lib/base/str.h"

#include <string.h>

void path_stamps_free(struct path_stamp *stamps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(stamps[i].path);
        free(stamps[i].stamp);
    }
    free(stamps);
}

int node_cache_compare(const char *node, const void *element)
{
    return strcmp(node, (*(const struct node_cache *const *)element)->node);
}

struct node_cache *node_cache_get(struct sorted *caches, const char *node)
{
    struct node_cache *cache = sorted_find(caches, node);
    if (cache != NULL) {
        return cache;
    }
    cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return NULL;
    }
    cache->node = str_dup(node);
    if (cache->node == NULL || sorted_insert(caches, node, cache) < 0) {
        node_cache_free(cache);
        return NULL;
    }
    return cache;
}

void node_cache_expire(struct sorted *caches, const char *node)
{
    struct node_cache *cache = sorted_find(caches, node);
    if (cache != NULL) {
        cache->expired = true;
        path_stamps_free(TAKE_PTR(cache->stamps), cache->stamp_count);
        cache->stamp_count = 0;
    }
}

void node_cache_free(struct node_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    path_stamps_free(cache->stamps, cache->stamp_count);
    world_node_files_free(cache->files);
    free(cache->container_id);
    free(cache->node);
    free(cache);
}

void node_caches_done(struct sorted *caches)
{
    for (size_t i = 0; i < caches->count; i++) {
        node_cache_free(caches->items[i]);
    }
    sorted_done(caches);
}

struct world_node_files *node_files_copy(const struct world_node_files *files)
{
    _cleanup_(world_node_files_freep) struct world_node_files *copy = calloc(1, sizeof(*copy));
    if (copy == NULL) {
        return NULL;
    }
    copy->config_path = files->config_path;
    copy->dirs = calloc(files->dir_count + 1, sizeof(*copy->dirs));
    if (copy->dirs == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < files->dir_count; i++) {
        struct world_hosts_dir *dir = &copy->dirs[copy->dir_count++];
        if (str_replace(&dir->name, files->dirs[i].name) < 0 ||
            str_replace(&dir->content, files->dirs[i].content) < 0 ||
            str_replace(&dir->not_directory, files->dirs[i].not_directory) < 0 ||
            str_replace(&dir->not_file, files->dirs[i].not_file) < 0) {
            return NULL;
        }
    }
    return TAKE_PTR(copy);
}
