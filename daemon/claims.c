#include "daemon/claims.h"

#include "daemon/resolve.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/kinds/hints.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HOLDER_TEXT_MAX (PATH_MAX + 32)
#define OTHERS_MODE 0077
#define SESSION_PATH_MAX 32
#define UNIX_SCHEME "unix://"

struct lock {
    char *what; // in words, "registry.name hostk8s-registry"; NULL for the configuration file
    char *path;
    int fd; // -1: not held
};

struct locks {
    struct lock *items;
    size_t count;
};

struct claims {
    atomic_uint references;
    char *config_file;
    char *directory;    // of all these files, as long as the process runs
    struct locks locks; // the first one is the configuration file's
    int status_lock;    // held by the one whose status is status.json, else -1
    char *status_file;
};

// ---- the directory ----

// A link is none, whatever it points to.
static bool is_own_directory(const char *path, struct stat *ret)
{
    return lstat(path, ret) == 0 && S_ISDIR(ret->st_mode) && ret->st_uid == getuid();
}

// The caller frees it. It is another one once the session of systemd begins or ends.
static char *directory_path(void)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    unsigned user = getuid();
    char session[SESSION_PATH_MAX];
    struct stat st;
    (void)snprintf(session, sizeof(session), "/run/user/%u", user);
    // A relative one is to be ignored: XDG base directories.
    if (base == NULL || base[0] != '/') {
        base = is_own_directory(session, &st) ? session : NULL;
    }
    return base == NULL ? str_printf("/tmp/hostk8s-registryd-%u", user)
                        : str_printf("%s/hostk8s-registryd", base);
}

// In /tmp the name is anybody's to take first.
static int make_directory(const char *path, struct error *err)
{
    struct stat st;
    if (mkdir(path, S_IRWXU) < 0 && errno != EEXIST) {
        int code = errno;
        return error_set(err, ERROR_PERMANENT, code, "cannot make %s: %s", path, strerror(code));
    }
    if (!is_own_directory(path, &st)) {
        return error_set(err, ERROR_PERMANENT, EPERM, "%s is no directory of this user", path);
    }
    if ((st.st_mode & OTHERS_MODE) != 0) {
        return error_set(err, ERROR_PERMANENT, EPERM,
                         "%s is open to other users; close it with `chmod 700 %s`", path, path);
    }
    return 0;
}

// The path of the file that stands for name, which may be anything. The caller frees it.
static char *file_of(const char *directory, const char *name, const char *suffix)
{
    return str_printf("%s/%016jx%s", directory, (uintmax_t)str_hash(name), suffix);
}

// ---- lock files: the process, and its configuration file ----

// Who has it. The caller frees *ret_file.
static int read_holder(int fd, pid_t *ret_pid, char **ret_file)
{
    char text[HOLDER_TEXT_MAX] = "";
    uint64_t pid = 0;
    if (pread(fd, text, sizeof(text) - 1, 0) < 0) {
        return -errno;
    }
    char *rest = text;
    const char *first = strsep(&rest, "\n");
    const char *second = strsep(&rest, "\n");
    (void)str_to_u64(first, INT32_MAX, &pid);
    *ret_pid = (pid_t)pid;
    *ret_file = str_dup(second == NULL ? "" : second);
    return 0;
}

static int write_holder(int fd, const char *config_file)
{
    _cleanup_free_ char *text = str_printf("%d\n%s\n", (int)getpid(), config_file);
    size_t length = strnlen(text, HOLDER_TEXT_MAX - 1);
    // In this order, since somebody may read meanwhile; what a longer text leaves is a third line.
    return pwrite(fd, text, length, 0) < 0 || ftruncate(fd, (off_t)length) < 0 ? -errno : 0;
}

// Locks the file and writes who holds it. Returns the descriptor, or -errno with a sentence: -EBUSY
// when another process keeps what (may be NULL) already.
static int lock_file(const char *path, const char *config_file, const char *what, struct error *err)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    _cleanup_free_ char *other_file = NULL;
    pid_t other = 0;
    int r = fd < 0 || fcntl(fd, F_OFD_SETLK, &whole_file) < 0 ? -errno : 0;
    if (fd >= 0 && (r == -EAGAIN || r == -EACCES)) {
        r = read_holder(fd, &other, &other_file);
        if (r == 0) {
            return error_set(err, ERROR_PERMANENT, EBUSY, "process %d runs with %s%s%s already",
                             (int)other, other_file, what == NULL ? "" : " and keeps ",
                             what == NULL ? "" : what);
        }
    } else if (r == 0) {
        r = write_holder(fd, config_file);
    }
    return r < 0 ? error_set(err, ERROR_PERMANENT, -r, "cannot lock %s: %s", path, strerror(-r))
                 : TAKE_FD(fd);
}

// Whether the lock is that of the file which is there now.
static bool is_held(const struct lock *lock)
{
    struct stat ours;
    struct stat found;
    return lock->fd >= 0 && fstat(lock->fd, &ours) == 0 && lstat(lock->path, &found) == 0 &&
           ours.st_dev == found.st_dev && ours.st_ino == found.st_ino;
}

static void locks_done(struct locks *locks)
{
    for (size_t i = 0; i < locks->count; i++) {
        free(locks->items[i].what);
        free(locks->items[i].path);
        closep(&locks->items[i].fd);
    }
    free(locks->items);
}

// ---- claims ----

// What the file stands for: the key and meant, which is what value means, of the engine.
static void add_lock(struct locks *locks, const char *directory, const char *engine,
                     const char *key, const char *value, const char *meant)
{
    _cleanup_free_ char *name = str_printf("%s %s %s", engine, key, meant);
    *ARRAY_GROW(locks->items, locks->count) =
        (struct lock){.what = str_printf("%s %s", key, value),
                      .path = file_of(directory, name, ".lock"),
                      .fd = -1};
}

// An engine is the path of its socket, or HOST:PORT, which is the same before it runs. The caller
// frees it. What is found now may be another engine later: two that look at the same places then
// meet as those of two users do.
static char *find_engine(const struct config *config)
{
    _cleanup_(arena_done) struct arena arena = {0};
    const struct docker_hints hints = hints_make(config, &arena);
    struct docker_place place;
    (void)docker_find(&hints, &place, NULL);
    const char *host = place.host == NULL ? "" : place.host; // a context that is of no use
    char *engine =
        str_starts_with(host, UNIX_SCHEME) ? resolve(host + strlen(UNIX_SCHEME)) : str_dup(host);
    docker_place_done(&place);
    return engine;
}

// A registry or a cache: what is claimed is told in the registry's words, which both follow from.
static void add_container(struct locks *locks, const char *directory, const char *engine,
                          const char *container, const char *storage)
{
    _cleanup_free_ char *resolved = resolve(storage);
    add_lock(locks, directory, engine, "registry.name", container, container);
    add_lock(locks, directory, engine, "registry.storage", storage, resolved);
}

// All that the configuration names; nothing is locked yet.
static struct locks locks_of(const struct claims *claims, const struct config *config)
{
    _cleanup_free_ char *engine = find_engine(config);
    const char *directory = claims->directory;
    struct locks locks = {0};
    *ARRAY_GROW(locks.items, locks.count) =
        (struct lock){.path = file_of(directory, claims->config_file, ".lock"), .fd = -1};
    add_container(&locks, directory, engine, config->registry.name, config->registry.storage);
    for (const struct config_cache *cache = config->caches; cache->upstream != NULL; cache++) {
        add_container(&locks, directory, engine, cache->container, cache->storage);
    }
    return locks;
}

// Takes status.json, or else the name that no other process has.
static void open_status(struct claims *claims)
{
    _cleanup_free_ char *lock = str_printf("%s/status.lock", claims->directory);
    _cleanup_free_ char *shared = str_printf("%s/status.json", claims->directory);
    _cleanup_free_ char *own = file_of(claims->directory, claims->config_file, ".json");
    closep(&claims->status_lock);
    claims->status_lock = lock_file(lock, claims->config_file, NULL, NULL);
    // What one that was killed has left tells of nobody.
    (void)unlink(own);
    if (claims->status_lock >= 0) {
        (void)unlink(shared);
    }
    free(claims->status_file);
    claims->status_file = claims->status_lock >= 0 ? TAKE_PTR(shared) : TAKE_PTR(own);
}

int claims_renew(struct claims *claims, struct error *err)
{
    int locked = 0;
    int r = make_directory(claims->directory, err);
    for (size_t i = 0; i < claims->locks.count && r == 0; i++) {
        struct lock *lock = &claims->locks.items[i];
        if (!is_held(lock)) {
            int fd = lock_file(lock->path, claims->config_file, lock->what, err);
            if (fd < 0) {
                return fd;
            }
            closep(&lock->fd);
            lock->fd = fd;
            locked = 1;
        }
    }
    if (locked) {
        open_status(claims);
    }
    return r < 0 ? r : locked;
}

// Holds the lock as well, if it is one of those that are held already.
static int share_lock(const struct locks *held, struct lock *lock)
{
    for (size_t i = 0; i < held->count; i++) {
        if (str_equal(held->items[i].path, lock->path)) {
            return fcntl(held->items[i].fd, F_DUPFD_CLOEXEC, 0);
        }
    }
    return -1;
}

int claims_change(struct claims *claims, const struct config *config, struct error *err)
{
    int r = claims_renew(claims, err);
    if (r < 0) {
        return r;
    }
    struct locks next = locks_of(claims, config);
    for (size_t i = 0; i < next.count && r >= 0; i++) {
        struct lock *lock = &next.items[i];
        lock->fd = share_lock(&claims->locks, lock);
        if (lock->fd < 0) {
            lock->fd = lock_file(lock->path, claims->config_file, lock->what, err);
        }
        r = lock->fd < 0 ? lock->fd : r;
    }
    if (r >= 0) {
        struct locks old = claims->locks;
        claims->locks = next;
        next = old;
    }
    locks_done(&next);
    if (r >= 0 && claims->status_file == NULL) {
        open_status(claims);
    }
    return r < 0 ? r : 0;
}

int claims_new(const char *config_file, const struct config *config, struct claims **ret,
               struct error *err)
{
    _cleanup_(claims_freep) struct claims *claims = xcalloc(1, sizeof(*claims));
    *claims = (struct claims){.references = 1,
                              .config_file = str_dup(config_file),
                              .directory = directory_path(),
                              .status_lock = -1};
    int r = claims_change(claims, config, err);
    if (r == 0) {
        *ret = TAKE_PTR(claims);
    }
    return r;
}

const char *claims_status_file(const struct claims *claims)
{
    return claims->status_file;
}

struct claims *claims_ref(struct claims *claims)
{
    claims->references++;
    return claims;
}

void claims_free(struct claims *claims)
{
    if (claims == NULL || --claims->references > 0) {
        return;
    }
    // Else somebody else's status may be there by now.
    if (claims->status_file != NULL && is_held(&claims->locks.items[0])) {
        (void)unlink(claims->status_file);
    }
    locks_done(&claims->locks);
    closep(&claims->status_lock);
    free(claims->status_file);
    free(claims->config_file);
    free(claims->directory);
    free(claims);
}

int claims_find(const char *config_file, pid_t *ret_pid, char **ret_status_file, struct error *err)
{
    _cleanup_free_ char *directory = directory_path();
    int r = make_directory(directory, err);
    if (r < 0) {
        return r;
    }
    _cleanup_free_ char *path = file_of(directory, config_file, ".lock");
    _cleanup_free_ char *own = file_of(directory, config_file, ".json");
    _cleanup_free_ char *file = NULL;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    r = fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 ? -errno : 0;
    if (r == 0 && lock.l_type != F_UNLCK) {
        r = read_holder(fd, ret_pid, &file);
    }
    if (r < 0) {
        return error_set(err, ERROR_PERMANENT, -r, "cannot look at %s: %s", path, strerror(-r));
    }
    if (lock.l_type == F_UNLCK) {
        return 0;
    }
    *ret_status_file =
        access(own, F_OK) == 0 ? TAKE_PTR(own) : str_printf("%s/status.json", directory);
    return 1;
}
