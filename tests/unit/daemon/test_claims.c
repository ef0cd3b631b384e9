// The directory of this user's processes, with or without a session, what a lock file tells while
// it is written, and who is refused. This program's lstat() and mkdir() stand between it and the
// machine's root.
#include "daemon/claims.h"

#include "lib/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define PATH_SIZE 128
#define CONFIG_FILE "/home/me/registryd.yaml"

static char root[] = "/tmp/claims-XXXXXX";

static const char *below_root(const char *path, char there[PATH_SIZE])
{
    const char *prefix = str_starts_with(path, root) ? "" : root;
    assert_true(snprintf(there, PATH_SIZE, "%s%s", prefix, path) < PATH_SIZE);
    return there;
}

int lstat(const char *restrict file, struct stat *restrict buf)
{
    char there[PATH_SIZE];
    return fstatat(AT_FDCWD, below_root(file, there), buf, AT_SYMLINK_NOFOLLOW);
}

int mkdir(const char *path, mode_t mode)
{
    char there[PATH_SIZE];
    return mkdirat(AT_FDCWD, below_root(path, there), mode);
}

static bool watched; // the lock of CONFIG_FILE is read after each change of its text

static void read_lock(void)
{
    _cleanup_free_ char *status_file = NULL;
    struct error error = {0};
    pid_t pid = 0;
    if (watched) {
        assert_int_equal(claims_find(CONFIG_FILE, &pid, &status_file, &error), 1);
        assert_int_equal(pid, getpid());
    }
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    ssize_t written = pwrite64(fd, buf, n, offset);
    read_lock();
    return written;
}

int ftruncate(int fd, off_t length)
{
    int r = ftruncate64(fd, length);
    read_lock();
    return r;
}

static char session[PATH_SIZE];  // as the program knows it
static char fallback[PATH_SIZE]; // likewise

static void assert_directory(const char *expected)
{
    _cleanup_free_ char *status_file = NULL;
    struct error error = {0};
    pid_t pid = 0;
    char there[PATH_SIZE];
    assert_int_equal(claims_find(CONFIG_FILE, &pid, &status_file, &error), 0);
    assert_int_equal(rmdir(below_root(expected, there)), 0);
}

static void the_session_s_directory_comes_first(void **state)
{
    (void)state;
    static const char *const others[] = {NULL, "", "run"}; // a relative one counts as none
    char there[PATH_SIZE];
    char own[PATH_SIZE + 32];
    (void)below_root(session, there);
    (void)snprintf(own, sizeof(own), "%s/hostk8s-registryd", session);
    for (size_t i = 0; i < ELEMENTS(others); i++) {
        assert_int_equal(others[i] == NULL ? unsetenv("XDG_RUNTIME_DIR")
                                           : setenv("XDG_RUNTIME_DIR", others[i], 1),
                         0);
        assert_directory(fallback);
        assert_int_equal(mkdir(session, S_IRWXU), 0);
        assert_directory(own);
        assert_int_equal(rmdir(there), 0);
    }
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "/tmp", 1), 0);
    assert_directory("/tmp/hostk8s-registryd");
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
}

static void what_is_no_directory_of_the_user_is_none(void **state)
{
    (void)state;
    char there[PATH_SIZE];
    assert_int_equal(symlink("/tmp", below_root(session, there)), 0);
    assert_directory(fallback);
    assert_int_equal(unlink(there), 0);
    int fd = creat(there, S_IRWXU);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_directory(fallback);
    assert_int_equal(unlink(there), 0);
}

static struct config a_config(const char *host)
{
    return (struct config){
        .registry = {.name = (char *)"hostk8s-registry", .storage = (char *)"/nowhere/storage"},
        .docker = {.host = (char *)host},
    };
}

static void a_lock_tells_who_has_it_while_it_is_written(void **state)
{
    (void)state;
    const struct config config = a_config("tcp://engine:2375");
    for (int i = 0; i < 3; i++) {
        _cleanup_(claims_freep) struct claims *claims = NULL;
        struct error error = {0};
        assert_int_equal(claims_new(CONFIG_FILE, &config, &claims, &error), 0);
        read_lock();
        watched = true; // not the first time: a new file is empty until it is written
    }
    watched = false;
}

static void assert_refused(const char *file, const struct config *config, const char *why)
{
    struct claims *claims = NULL;
    struct error error = {0};
    assert_int_equal(claims_new(file, config, &claims, &error), -EBUSY);
    assert_non_null(strstr(error.text, why));
    assert_null(claims);
}

static void the_claims_follow_the_configuration(void **state)
{
    (void)state;
    const struct config here = a_config("unix:///nowhere/docker.sock");
    const struct config spelled = a_config("unix:///tmp/../nowhere//docker.sock");
    const struct config there = a_config("unix:///elsewhere/docker.sock");
    _cleanup_(claims_freep) struct claims *claims = NULL;
    struct error error = {0};
    assert_int_equal(claims_new(CONFIG_FILE, &here, &claims, &error), 0);
    assert_refused(CONFIG_FILE, &there, "runs with " CONFIG_FILE " already");
    assert_refused("/other.yaml", &here, "and keeps registry.name hostk8s-registry already");
    assert_refused("/other.yaml", &spelled, "and keeps registry.name hostk8s-registry already");

    // Its own claims are in nobody's way but others', and what it gives up is free.
    assert_int_equal(claims_change(claims, &spelled, &error), 0);
    assert_refused("/other.yaml", &here, "and keeps registry.name hostk8s-registry already");
    assert_int_equal(claims_change(claims, &there, &error), 0);
    struct claims *other = NULL;
    assert_int_equal(claims_new("/other.yaml", &here, &other, &error), 0);
    assert_int_equal(claims_change(claims, &here, &error), -EBUSY);
    assert_refused("/third.yaml", &there, "runs with " CONFIG_FILE " and keeps");
    claims_free(other);
    assert_int_equal(claims_change(claims, &here, &error), 0);
}

static void the_storage_alone_refuses(void **state)
{
    (void)state;
    const struct config config = a_config("tcp://engine:2375");
    struct config other = config;
    _cleanup_(claims_freep) struct claims *claims = NULL;
    struct error error = {0};
    assert_int_equal(claims_new(CONFIG_FILE, &config, &claims, &error), 0);
    other.registry.name = (char *)"other";
    other.registry.storage = (char *)"/tmp/../nowhere/./storage/";
    assert_refused("/other.yaml", &other, "and keeps registry.storage /tmp/../nowhere/./storage/");
    other.docker.host = (char *)"tcp://another:2375";
    struct claims *free_one = NULL;
    assert_int_equal(claims_new("/other.yaml", &other, &free_one, &error), 0);
    claims_free(free_one);
}

// ---- set up ----

static int use_root(void **state)
{
    (void)state;
    return setenv("XDG_RUNTIME_DIR", root, 1);
}

// Lock files stay; that is all there may be.
static int remove_locks(void **state)
{
    (void)state;
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/hostk8s-registryd", root);
    DIR *directory = opendir(path);
    int r = directory == NULL ? -1 : 0;
    for (struct dirent *entry = NULL; r == 0 && (entry = readdir(directory)) != NULL;) {
        if (str_ends_with(entry->d_name, ".lock")) {
            r = unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return r < 0 || rmdir(path) < 0 || unsetenv("XDG_RUNTIME_DIR") < 0 ? -1 : 0;
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(session, sizeof(session), "/run/user/%u", (unsigned)getuid());
    (void)snprintf(fallback, sizeof(fallback), "/tmp/hostk8s-registryd-%u", (unsigned)getuid());
    return mkdtemp(root) == NULL || mkdir("/run", S_IRWXU) < 0 || mkdir("/run/user", S_IRWXU) < 0 ||
                   mkdir("/tmp", S_IRWXU) < 0
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const made[] = {"/tmp", "/run/user", "/run", ""};
    char there[PATH_SIZE];
    int r = 0;
    for (size_t i = 0; i < ELEMENTS(made); i++) {
        r = rmdir(below_root(made[i], there)) < 0 ? -1 : r;
    }
    return r;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_session_s_directory_comes_first),
        cmocka_unit_test(what_is_no_directory_of_the_user_is_none),
        cmocka_unit_test_setup_teardown(a_lock_tells_who_has_it_while_it_is_written, use_root,
                                        remove_locks),
        cmocka_unit_test_setup_teardown(the_claims_follow_the_configuration, use_root,
                                        remove_locks),
        cmocka_unit_test_setup_teardown(the_storage_alone_refuses, use_root, remove_locks),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
