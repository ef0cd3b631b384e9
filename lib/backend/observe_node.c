// One look at a node's files. A HEAD of each file of interest costs the engine a millisecond, a GET
// of an archive forty times as much, so the whole of /etc/containerd is read, and only when a stamp
// (size and modification time) differs from the one it was read at. The stamps are taken before the
// content: a change in between shows at the next look.
//
// A directory that comes or goes beside those of interest changes the stamp of the one above. The
// first look of a process also checks the parent directory's stamp: no event has told it what
// happened before.
#include "lib/backend/backend_internal.h"

#include "lib/base/str.h"
#include "lib/world/name.h"

#include <errno.h>
#include <string.h>

#define FIXED_STAMPS 2 // containerd's config and the directory above those of the aliases
#define CERTS_PATH WORLD_CERTS_PARENT "/" WORLD_CERTS_DIR

struct node_look {
    struct real_backend *backend;
    struct docker *docker;
    observe_done_fn done;
    void *ctx;
    char *node;
    char *container_id;
    struct path_stamp *stamps; // containerd's config, each alias, the directory above them
    size_t stamp_count;
    size_t stamped; // so many of them are taken
    struct world_node_files *files;
    char *config_toml;
};

static void node_look_free(struct node_look *look)
{
    if (look == NULL) {
        return;
    }
    path_stamps_free(look->stamps, look->stamp_count);
    world_node_files_free(look->files);
    free(look->config_toml);
    free(look->container_id);
    free(look->node);
    free(look);
}
DEFINE_CLEANUP(struct node_look *, node_look_free)

static void look_end(struct node_look *look, const struct error *err)
{
    struct observation observation = {.node = err == NULL ? TAKE_PTR(look->files) : NULL};
    look->done(look->ctx, &observation, err);
    world_node_files_free(observation.node);
    node_look_free(look);
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
    struct world_node_files *files = node_files_copy(look->files);
    if (files == NULL) {
        (void)error_oom(&error);
        look_end(look, &error);
        return;
    }
    path_stamps_free(cache->stamps, cache->stamp_count);
    world_node_files_free(cache->files);
    free(cache->container_id);
    cache->container_id = TAKE_PTR(look->container_id);
    cache->stamps = TAKE_PTR(look->stamps);
    cache->stamp_count = look->stamp_count;
    cache->files = files;
    cache->recalled = false;
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

// That of the name, made if there is none. Returns NULL when out of memory.
static struct world_hosts_dir *get_dir(struct world_node_files *files, const char *name)
{
    for (size_t i = 0; i < files->dir_count; i++) {
        if (str_equal(files->dirs[i].name, name)) {
            return &files->dirs[i];
        }
    }
    struct world_hosts_dir *dirs = reallocarray(files->dirs, files->dir_count + 1, sizeof(*dirs));
    if (dirs == NULL) {
        return NULL;
    }
    files->dirs = dirs;
    dirs[files->dir_count] = (struct world_hosts_dir){.name = str_dup(name)};
    return dirs[files->dir_count].name == NULL ? NULL : &dirs[files->dir_count++];
}

// From "certs.d/NAME" and "certs.d/NAME/hosts.toml" to directories with their hosts.toml.
static int add_entry(struct world_node_files *files, const char *path,
                     const struct docker_file *file)
{
    if (!str_starts_with(path, WORLD_CERTS_DIR "/")) {
        return 0;
    }
    const char *rest = path + strlen(WORLD_CERTS_DIR "/");
    const char *slash = strchr(rest, '/');
    if (slash != NULL && !str_equal(slash + 1, WORLD_HOSTS_FILE)) {
        return 0;
    }
    _cleanup_free_ char *name = str_dup_n(rest, strcspn(rest, "/"));
    if (name == NULL) {
        return -ENOMEM;
    }
    if (!world_hosts_name_is_valid(name)) {
        return 0;
    }
    struct world_hosts_dir *dir = get_dir(files, name);
    if (dir == NULL) {
        return -ENOMEM;
    }
    bool is_directory = file->content == NULL && file->special == NULL;
    if (slash == NULL) {
        return is_directory ? 0
                            : str_replace(&dir->not_directory,
                                          file->special == NULL ? "a file" : file->special);
    }
    return file->content != NULL
               ? str_replace(&dir->content, file->content)
               : str_replace(&dir->not_file, is_directory ? "a directory" : file->special);
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
    return add_entry(look->files, path, file);
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

// Whether those taken so far are as they were.
static bool stamps_hold(const struct node_look *look, const struct node_cache *cache)
{
    if (!str_equal(cache->container_id, look->container_id) ||
        cache->stamp_count != look->stamp_count) {
        return false;
    }
    for (size_t i = 0; i < look->stamped; i++) {
        const struct path_stamp *now = &look->stamps[i];
        const struct path_stamp *then = &cache->stamps[i];
        if (!str_equal(now->path, then->path) || !str_equal(now->stamp, then->stamp)) {
            return false;
        }
    }
    return true;
}

static void on_stamp(void *ctx, const char *stamp, const struct error *err);

// One after the other: the engine has a lock for each container, side by side they would only wait.
static int stamp_next(struct node_look *look, struct error *err)
{
    return docker_path_stamp(look->docker, look->container_id, look->stamps[look->stamped].path,
                             on_stamp, look, err);
}

// After a stamp: the next one, or what is known if they hold, or else a reading.
static int look_on(struct node_look *look, struct error *err)
{
    struct node_cache *cache = sorted_find(&look->backend->nodes, look->node);
    bool holds = cache != NULL && stamps_hold(look, cache);
    size_t left = look->stamp_count - look->stamped;
    if (left > 1 || (left == 1 && (!holds || cache->recalled))) {
        return stamp_next(look, err);
    }
    if (!holds) {
        return read_tree(look, err);
    }
    look->files = node_files_copy(cache->files);
    if (look->files == NULL) {
        return error_oom(err);
    }
    cache->recalled = false;
    look_end(look, NULL);
    return 0;
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
    if (look_on(look, &error) < 0) {
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
    if (add_stamp(look, str_dup(CERTS_PATH)) < 0) {
        return error_oom(err);
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
    struct node_cache *cache = node_cache_get(&backend->nodes, name);
    if (look->node == NULL || look->container_id == NULL || cache == NULL) {
        return error_oom(err);
    }
    cache->expired = false;
    int r = backend_docker(backend, input->config, &look->docker, err);
    if (r < 0) {
        return r;
    }
    r = take_stamps(look, &input->config->nodes.aliases, err);
    if (r < 0) {
        return r;
    }
    TAKE_PTR(look);
    return 0;
}
