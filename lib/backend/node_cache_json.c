// {"version": "0.1.0", "nodes": {"kind-worker": {"container": "ID", "configPath": 1,
//   "stamps": [["/etc/containerd/config.toml", "…"], …],
//   "dirs": [["localhost:5002", "…", null, null], …]}}}
// Another version may make something else of the same files, so it starts anew.
#include "lib/backend/node_cache.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/world/name.h"

#include <errno.h>

static json_t *cache_to_json(const struct node_cache *cache)
{
    json_auto_t *stamps = json_array();
    json_auto_t *dirs = json_array();
    for (size_t i = 0; i < cache->stamp_count; i++) {
        const struct path_stamp *stamp = &cache->stamps[i];
        if (json_array_append_new(stamps, json_pack("[s, s?]", stamp->path, stamp->stamp)) < 0) {
            return NULL;
        }
    }
    for (size_t i = 0; i < cache->files->dir_count; i++) {
        const struct world_hosts_dir *dir = &cache->files->dirs[i];
        if (json_array_append_new(dirs, json_pack("[s, s?, s?, s?]", dir->name, dir->content,
                                                  dir->not_directory, dir->not_file)) < 0) {
            return NULL;
        }
    }
    return json_pack("{s:s, s:i, s:O, s:O}", "container", cache->container_id, "configPath",
                     (int)cache->files->config_path, "stamps", stamps, "dirs", dirs);
}

json_t *node_caches_to_json(const struct sorted *caches)
{
    json_auto_t *nodes = json_object();
    for (size_t i = 0; i < caches->count; i++) {
        const struct node_cache *cache = caches->items[i];
        bool certain = cache->files != NULL && cache->stamp_count > 0 && !cache->recalled;
        if (certain && cache->files->config_path != CONFIG_PATH_UNKNOWN) {
            // Left out when it has a file that is not UTF-8.
            (void)json_object_set_new(nodes, cache->node, cache_to_json(cache));
        }
    }
    return json_pack("{s:s, s:O}", "version", PROGRAM_VERSION, "nodes", nodes);
}

// The texts of a list, copied; only the first one is never null.
static int read_texts(const json_t *list, char **const *targets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_string(value) && !(i > 0 && json_is_null(value))) {
            return -EBADMSG;
        }
        if (str_replace(targets[i], json_string_value(value)) < 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int read_stamps(struct node_cache *cache, const json_t *stamps)
{
    cache->stamps = calloc(json_array_size(stamps) + 1, sizeof(*cache->stamps));
    int r = cache->stamps == NULL ? -ENOMEM : 0;
    for (size_t i = 0; r == 0 && i < json_array_size(stamps); i++) {
        struct path_stamp *stamp = &cache->stamps[cache->stamp_count++];
        char **const targets[] = {&stamp->path, &stamp->stamp};
        r = read_texts(json_array_get(stamps, i), targets, ELEMENTS(targets));
    }
    return r;
}

static int read_files(struct node_cache *cache, const json_t *dirs, int64_t config_path)
{
    struct world_node_files *files = calloc(1, sizeof(*files));
    cache->files = files;
    if (files == NULL) {
        return -ENOMEM;
    }
    files->config_path = (enum config_path)config_path;
    files->dirs = calloc(json_array_size(dirs) + 1, sizeof(*files->dirs));
    int r = files->dirs == NULL ? -ENOMEM : 0;
    for (size_t i = 0; r == 0 && i < json_array_size(dirs); i++) {
        struct world_hosts_dir *dir = &files->dirs[files->dir_count++];
        char **const targets[] = {&dir->name, &dir->content, &dir->not_directory, &dir->not_file};
        r = read_texts(json_array_get(dirs, i), targets, ELEMENTS(targets));
        if (r == 0 && !world_hosts_name_is_valid(dir->name)) {
            r = -EBADMSG;
        }
    }
    return r;
}

static int cache_from_json(struct node_cache *cache, const json_t *json)
{
    const char *container_id = json_get_string(json, "container", NULL);
    const json_t *stamps = json_get_array(json, "stamps", NULL);
    const json_t *dirs = json_get_array(json, "dirs", NULL);
    int64_t config_path = json_get_int(json, -1, "configPath", NULL);
    if (container_id == NULL || stamps == NULL || dirs == NULL || config_path < 0 ||
        config_path >= _CONFIG_PATH_COUNT) {
        return -EBADMSG;
    }
    cache->recalled = true;
    int r = str_replace(&cache->container_id, container_id) < 0 ? -ENOMEM : 0;
    if (r == 0) {
        r = read_stamps(cache, stamps);
    }
    return r == 0 ? read_files(cache, dirs, config_path) : r;
}

int node_caches_from_json(struct sorted *caches, const json_t *json)
{
    json_t *nodes = json_get_object(json, "nodes", NULL);
    if (nodes == NULL || !str_equal(json_get_string(json, "version", NULL), PROGRAM_VERSION)) {
        return -EBADMSG;
    }
    const char *node;
    const json_t *value;
    json_object_foreach (nodes, node, value) {
        struct node_cache *cache = node_cache_get(caches, node);
        int r = cache == NULL ? -ENOMEM : cache_from_json(cache, value);
        if (r < 0) {
            node_cache_free(sorted_remove(caches, node));
            return r;
        }
    }
    return 0;
}
