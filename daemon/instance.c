#include "daemon/instance.h"

#include "lib/base/str.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void claim_done(struct claim *claim)
{
    free(claim->what);
    free(claim->path);
    closep(&claim->lock);
}

// Whether the lock is that of the file which is there now.
static bool is_held(int lock, const char *path)
{
    struct stat ours;
    struct stat there;
    return lock >= 0 && fstat(lock, &ours) == 0 && lstat(path, &there) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

void instance_done(struct instance *instance)
{
    const struct claim *config_file = &instance->claims[CLAIM_CONFIG_FILE];
    // Else somebody else's status may be there by now.
    if (instance->status_file != NULL && is_held(config_file->lock, config_file->path)) {
        (void)unlink(instance->status_file);
    }
    free(instance->status_file);
    closep(&instance->status_lock);
    for (size_t i = 0; i < _CLAIM_COUNT; i++) {
        claim_done(&instance->claims[i]);
    }
    free(instance->config_file);
    free(instance->directory);
    *instance = (struct instance)INSTANCE_NONE;
}

// Says what is to be claimed, and by which files.
static int name_claims(struct instance *instance, const char *directory, const char *config_file,
                       const struct config *config)
{
    const char *host = config->docker.host;
    struct claim *claims = instance->claims;
    claims[CLAIM_REGISTRY_NAME].what = str_printf("registry.name %s", config->registry.name);
    claims[CLAIM_REGISTRY_STORAGE].what =
        str_printf("registry.storage %s", config->registry.storage);
    instance->config_file = str_dup(config_file);
    instance->directory = str_dup(directory);
    claims[CLAIM_CONFIG_FILE].path = runtime_path(directory, config_file, ".lock");
    bool whole = instance->config_file != NULL && instance->directory != NULL &&
                 claims[CLAIM_CONFIG_FILE].path != NULL;
    for (size_t i = CLAIM_REGISTRY_NAME; whole && i < _CLAIM_COUNT; i++) {
        _cleanup_free_ char *name =
            claims[i].what == NULL ? NULL : str_printf("%s %s", host, claims[i].what);
        claims[i].path = name == NULL ? NULL : runtime_path(directory, name, ".lock");
        whole = claims[i].path != NULL;
    }
    return whole ? 0 : -ENOMEM;
}

// Returns 1 when it had to be locked, 0 when it is held.
static int lock_claim(struct claim *claim, const char *config_file, struct error *err)
{
    _cleanup_(holder_done) struct holder other = {0};
    if (is_held(claim->lock, claim->path)) {
        return 0;
    }
    int r = runtime_lock(claim->path, config_file, &other);
    if (r == -EBUSY) {
        return error_set(err, ERROR_PERMANENT, EBUSY, "process %d runs with %s%s%s already",
                         (int)other.pid, other.config_file,
                         claim->what == NULL ? "" : " and keeps ",
                         claim->what == NULL ? "" : claim->what);
    }
    if (r < 0) {
        return error_set(err, ERROR_PERMANENT, -r, "cannot lock %s: %s", claim->path, strerror(-r));
    }
    closep(&claim->lock);
    claim->lock = r;
    return 1;
}

// Takes status.json, or else the name that no other process has.
static int open_status(struct instance *instance)
{
    _cleanup_(holder_done) struct holder other = {0};
    _cleanup_free_ char *lock = str_printf("%s/status.lock", instance->directory);
    _cleanup_free_ char *shared = str_printf("%s/status.json", instance->directory);
    _cleanup_free_ char *own = runtime_path(instance->directory, instance->config_file, ".json");
    if (lock == NULL || shared == NULL || own == NULL) {
        return -ENOMEM;
    }
    closep(&instance->status_lock);
    instance->status_lock = runtime_lock(lock, instance->config_file, &other);
    // What one that was killed has left tells of nobody.
    (void)unlink(own);
    if (instance->status_lock >= 0) {
        (void)unlink(shared);
    }
    free(instance->status_file);
    instance->status_file = instance->status_lock >= 0 ? TAKE_PTR(shared) : TAKE_PTR(own);
    return 0;
}

// Returns 1 when something had to be locked.
static int lock_all(struct instance *instance, struct error *err)
{
    bool changed = false;
    for (size_t i = 0; i < _CLAIM_COUNT; i++) {
        int r = lock_claim(&instance->claims[i], instance->config_file, err);
        if (r < 0) {
            return r;
        }
        changed = changed || r > 0;
    }
    int r = changed ? open_status(instance) : 0;
    return r < 0 ? error_oom(err) : changed;
}

int instance_claim(const char *config_file, const struct config *config, struct instance *ret,
                   struct error *err)
{
    _cleanup_(instance_done) struct instance instance = INSTANCE_NONE;
    _cleanup_free_ char *directory = NULL;
    int r = runtime_directory(&directory, err);
    if (r < 0) {
        return r;
    }
    if (name_claims(&instance, directory, config_file, config) < 0) {
        return error_oom(err);
    }
    r = lock_all(&instance, err);
    if (r < 0) {
        return r;
    }
    *ret = TAKE(instance, (struct instance)INSTANCE_NONE);
    return 0;
}

int instance_renew(struct instance *instance, struct error *err)
{
    int r = runtime_make_directory(instance->directory, err);
    return r < 0 ? r : lock_all(instance, err);
}

int instance_reclaim(struct instance *instance, const struct config *config, struct error *err)
{
    _cleanup_(instance_done) struct instance next = INSTANCE_NONE;
    int r = instance_renew(instance, err);
    if (r < 0) {
        return r;
    }
    if (name_claims(&next, instance->directory, instance->config_file, config) < 0) {
        return error_oom(err);
    }
    for (size_t i = 0; r >= 0 && i < _CLAIM_COUNT; i++) {
        bool same = str_equal(next.claims[i].path, instance->claims[i].path);
        r = same ? 0 : lock_claim(&next.claims[i], instance->config_file, err);
    }
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < _CLAIM_COUNT; i++) {
        if (next.claims[i].lock >= 0) {
            struct claim old = instance->claims[i];
            instance->claims[i] = next.claims[i];
            next.claims[i] = old;
        }
    }
    return 0;
}

int instance_find(const char *config_file, struct holder *ret, char **ret_status_file,
                  struct error *err)
{
    _cleanup_free_ char *directory = NULL;
    int r = runtime_directory(&directory, err);
    if (r < 0) {
        return r;
    }
    _cleanup_free_ char *lock = runtime_path(directory, config_file, ".lock");
    _cleanup_free_ char *own = runtime_path(directory, config_file, ".json");
    _cleanup_free_ char *shared = str_printf("%s/status.json", directory);
    if (lock == NULL || own == NULL || shared == NULL) {
        return error_oom(err);
    }
    r = runtime_find(lock, ret);
    if (r < 0) {
        return error_set(err, ERROR_PERMANENT, -r, "cannot look at %s: %s", lock, strerror(-r));
    }
    if (r > 0) {
        *ret_status_file = access(own, F_OK) == 0 ? TAKE_PTR(own) : TAKE_PTR(shared);
    }
    return r;
}
