// One look at a node's files. A HEAD of each file of interest costs the engine a millisecond, a GET
// of an archive forty times as much, so the whole of /etc/containerd is read, and only when a stamp
// (size and modification time) differs from the one it was read at. The stamps are taken before the
// content: a change in between shows at the next look. The first look reads at once: for one who
// looks only once stamps are of no use.
#include "lib/backend/backend_internal.h"

#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

#define FIXED_STAMPS 1 // containerd's config
// No image's name begins with anything else, so another directory is nobody's.
#define ALIAS_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:[]-"
#define CERTS_PATH WORLD_CERTS_PARENT "/" WORLD_CERTS_DIR

struct node_look {
    struct real_backend *backend;
    struct docker *docker;
    observe_done_fn done;
    void *ctx;
    char *node;
    char *container_id;
    struct path_stamp *stamps; // containerd's config, then one of each alias
    size_t stamp_count;
    size_t stamped; // so many of them are taken
    struct world_node_files *files;
    char *config_toml;
};

static void stamps_free(struct path_stamp *stamps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(stamps[i].path);
        free(stamps[i].stamp);
    }
    free(stamps);
}

void node_cache_free(struct node_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    stamps_free(cache->stamps, cache->stamp_count);
    world_node_files_free(cache->files);
    free(cache->container_id);
    free(cache->node);
    free(cache);
}

void node_cache_expire(struct real_backend *backend, const char *node)
{
    struct node_cache *cache = sorted_find(&backend->nodes, node);
    if (cache != NULL) {
        cache->expired = true;
        stamps_free(TAKE_PTR(cache->stamps), cache->stamp_count);
        cache->stamp_count = 0;
    }
}

static void node_look_free(struct node_look *look)
{
    if (look == NULL) {
        return;
    }
    stamps_free(look->stamps, look->stamp_count);
    world_node_files_free(look->files);
    free(look->config_toml);
    free(look->container_id);
    free(look->node);
    free(look);
}
DEFINE_CLEANUP(struct node_look *, node_look_free)

int node_cache_compare(const char *node, const void *element)
{
    return strcmp(node, (*(const struct node_cache *const *)element)->node);
}

static void look_end(struct node_look *look, const struct error *err)
{
    struct observation observation = {.node = err == NULL ? TAKE_PTR(look->files) : NULL};
    look->done(look->ctx, &observation, err);
    world_node_files_free(observation.node);
    node_look_free(look);
}

static struct world_node_files *files_copy(const struct world_node_files *files)
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
            str_replace(&dir->content, files->dirs[i].content) < 0) {
            return NULL;
        }
    }
    return TAKE_PTR(copy);
}

// Returns NULL when out of memory.
static struct node_cache *cache_get(struct real_backend *backend, const char *node)
{
    struct node_cache *cache = sorted_find(&backend->nodes, node);
    if (cache != NULL) {
        return cache;
    }
    cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return NULL;
    }
    cache->node = str_dup(node);
    if (cache->node == NULL || sorted_insert(&backend->nodes, node, cache) < 0) {
        node_cache_free(cache);
        return NULL;
    }
    return cache;
}

// Keeps what was just read, for the next look, and ends.
static void look_store(struct node_look *look)
{
    struct error error;
    struct node_cache *cache = sorted_find(&look->backend->nodes, look->node);
    if (cache == NULL || cache->expired) {
        look_end(look, NULL); // what was read may be of before
        return;
    }
    struct world_node_files *files = files_copy(look->files);
    if (files == NULL) {
        (void)error_oom(&error);
        look_end(look, &error);
        return;
    }
    stamps_free(cache->stamps, cache->stamp_count);
    world_node_files_free(cache->files);
    free(cache->container_id);
    cache->container_id = TAKE_PTR(look->container_id);
    cache->stamps = TAKE_PTR(look->stamps);
    cache->stamp_count = look->stamp_count;
    cache->files = files;
    look->stamp_count = 0;
    look_end(look, NULL);
}

static void on_version(void *ctx, int exit_code, const char *output, const struct error *err)
{
    struct node_look *look = ctx;
    if (err != NULL && err->kind != ERROR_PERMANENT) {
        look_end(look, err);
        return;
    }
    const char *version = err == NULL && exit_code == 0 ? output : NULL;
    look->files->config_path = world_config_path(look->config_toml, version);
    look_store(look);
}

static void read_version(struct node_look *look)
{
    static const char *const argv[] = {"containerd", "--version", NULL};
    struct error error = {0};
    if (!world_config_path_needs_version(look->config_toml)) {
        look->files->config_path = world_config_path(look->config_toml, NULL);
        look_store(look);
        return;
    }
    if (docker_exec(look->docker, look->container_id, argv, DOCKER_READS, on_version, look,
                    &error) < 0) {
        look_end(look, &error);
    }
}

// From "certs.d/NAME" and "certs.d/NAME/hosts.toml" to directories with their hosts.toml. A name
// that is not UTF-8 is none of ours, and could not stand in the JSON of a request.
static int add_entry(struct world_node_files *files, const char *path, const char *content)
{
    if (!str_starts_with(path, WORLD_CERTS_DIR "/") || !str_is_utf8(path)) {
        return 0;
    }
    const char *name = path + strlen(WORLD_CERTS_DIR "/");
    const char *slash = strchr(name, '/');
    bool is_hosts = slash != NULL && str_equal(slash + 1, WORLD_HOSTS_FILE);
    size_t length = slash == NULL ? strlen(name) : (size_t)(slash - name);
    if (length == 0 || length != strspn(name, ALIAS_CHARACTERS) || (slash != NULL && !is_hosts) ||
        (slash == NULL && content != NULL)) {
        return 0;
    }

    struct world_hosts_dir *dir = NULL;
    for (size_t i = 0; i < files->dir_count; i++) {
        if (strncmp(files->dirs[i].name, name, length) == 0 &&
            files->dirs[i].name[length] == '\0') {
            dir = &files->dirs[i];
        }
    }
    if (dir == NULL) {
        struct world_hosts_dir *dirs =
            reallocarray(files->dirs, files->dir_count + 1, sizeof(*dirs));
        if (dirs == NULL) {
            return -ENOMEM;
        }
        files->dirs = dirs;
        dirs[files->dir_count] = (struct world_hosts_dir){.name = str_dup_n(name, length)};
        if (dirs[files->dir_count].name == NULL) {
            return -ENOMEM;
        }
        dir = &dirs[files->dir_count++];
    }
    return is_hosts && content != NULL ? str_replace(&dir->content, content) : 0;
}

// The tree comes as "containerd/config.toml", "containerd/certs.d/…".
static int add_file(struct node_look *look, const struct docker_file *file)
{
    const char *path = strchr(file->path, '/');
    if (path == NULL) {
        return 0;
    }
    path++;
    if (str_equal(path, "config.toml") && file->content != NULL) {
        return str_replace(&look->config_toml, file->content);
    }
    return add_entry(look->files, path, file->content);
}

static void on_tree(void *ctx, const struct docker_file *files, size_t count,
                    const struct error *err)
{
    struct node_look *look = ctx;
    struct error error = {0};
    if (err != NULL && err->status != 404) {
        look_end(look, err);
        return;
    }
    int r = str_replace(&look->config_toml, "");
    for (size_t i = 0; r >= 0 && err == NULL && i < count; i++) {
        r = add_file(look, &files[i]);
    }
    if (r < 0) {
        (void)error_oom(&error);
        look_end(look, &error);
        return;
    }
    read_version(look);
}

static int read_tree(struct node_look *look, struct error *err)
{
    look->files = calloc(1, sizeof(*look->files));
    if (look->files == NULL) {
        return error_oom(err);
    }
    return docker_archive_get(look->docker, look->container_id, WORLD_CERTS_PARENT, on_tree, look,
                              err);
}

static bool stamps_hold(const struct node_look *look, const struct node_cache *cache)
{
    if (cache == NULL || !str_equal(cache->container_id, look->container_id) ||
        cache->stamp_count != look->stamp_count) {
        return false;
    }
    for (size_t i = 0; i < look->stamp_count; i++) {
        const struct path_stamp *now = &look->stamps[i];
        const struct path_stamp *then = &cache->stamps[i];
        if (!str_equal(now->path, then->path) || !str_equal(now->stamp, then->stamp)) {
            return false;
        }
    }
    return true;
}

static void on_stamped(struct node_look *look)
{
    struct error error = {0};
    const struct node_cache *cache = sorted_find(&look->backend->nodes, look->node);
    if (stamps_hold(look, cache)) {
        look->files = files_copy(cache->files);
        int r = look->files == NULL ? error_oom(&error) : 0;
        look_end(look, r < 0 ? &error : NULL);
    } else if (read_tree(look, &error) < 0) {
        look_end(look, &error);
    }
}

static void on_stamp(void *ctx, const char *stamp, const struct error *err);

// One after the other: the engine has a lock for each container, side by side they would only wait.
static int stamp_next(struct node_look *look, struct error *err)
{
    return docker_path_stamp(look->docker, look->container_id, look->stamps[look->stamped].path,
                             on_stamp, look, err);
}

static void on_stamp(void *ctx, const char *stamp, const struct error *err)
{
    struct node_look *look = ctx;
    struct error error = {0};
    if (err == NULL && str_replace(&look->stamps[look->stamped].stamp, stamp) < 0) {
        (void)error_oom(&error);
        err = &error;
    }
    if (err != NULL) {
        look_end(look, err);
        return;
    }
    look->stamped++;
    if (look->stamped == look->stamp_count) {
        on_stamped(look);
    } else if (stamp_next(look, &error) < 0) {
        look_end(look, &error);
    }
}

static int add_stamp(struct node_look *look, char *path)
{
    if (path == NULL) {
        return -ENOMEM;
    }
    look->stamps[look->stamp_count++] = (struct path_stamp){.path = path};
    return 0;
}

static int take_stamps(struct node_look *look, const struct strv *aliases, struct error *err)
{
    look->stamps = calloc(FIXED_STAMPS + aliases->count, sizeof(*look->stamps));
    if (look->stamps == NULL || add_stamp(look, str_dup(WORLD_CONTAINERD_CONFIG)) < 0) {
        return error_oom(err);
    }
    for (size_t i = 0; i < aliases->count; i++) {
        if (add_stamp(look, str_printf(CERTS_PATH "/%s/" WORLD_HOSTS_FILE, aliases->items[i])) <
            0) {
            return error_oom(err);
        }
    }
    return stamp_next(look, err);
}

int observe_node(struct real_backend *backend, const char *name, const struct plan_input *input,
                 observe_done_fn done, void *ctx, struct error *err)
{
    const struct world_node *node = world_engine_node(input->engine, name);
    if (node == NULL) {
        return error_set(err, ERROR_CONFLICT, ENOENT, "no such node on the engine");
    }
    _cleanup_(node_look_freep) struct node_look *look = malloc(sizeof(*look));
    if (look == NULL) {
        return error_oom(err);
    }
    *look = (struct node_look){.backend = backend, .done = done, .ctx = ctx};
    look->node = str_dup(name);
    look->container_id = str_dup(node->id);
    struct node_cache *cache = cache_get(backend, name);
    if (look->node == NULL || look->container_id == NULL || cache == NULL) {
        return error_oom(err);
    }
    cache->expired = false;
    int r = backend_docker(backend, input->config, &look->docker, err);
    if (r < 0) {
        return r;
    }
    r = cache->files == NULL ? read_tree(look, err)
                             : take_stamps(look, &input->config->nodes.aliases, err);
    if (r < 0) {
        return r;
    }
    TAKE_PTR(look);
    return 0;
}
