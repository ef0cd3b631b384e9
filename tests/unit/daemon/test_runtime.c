// The directory of this user's processes, with or without a session, and what a lock file tells
// while it is written. This program's lstat() and mkdir() stand between it and the machine's root.
#include "daemon/runtime.h"

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

static char root[] = "/tmp/runtime-XXXXXX";

static const char *below_root(const char *path, char there[PATH_SIZE])
{
    assert_true(snprintf(there, PATH_SIZE, "%s%s", root, path) < PATH_SIZE);
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

// The path of a lock file that is looked at after each step of its writing, NULL: none is.
static const char *watched;

static void look_at_lock(void)
{
    _cleanup_(holder_done) struct holder holder = {0};
    if (watched != NULL) {
        assert_int_equal(runtime_find(watched, &holder), 1);
        assert_int_equal(holder.pid, getpid());
        assert_string_not_equal(holder.config_file, "");
    }
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    ssize_t written = pwrite64(fd, buf, n, offset);
    look_at_lock();
    return written;
}

int ftruncate(int fd, off_t length)
{
    int r = ftruncate64(fd, length);
    look_at_lock();
    return r;
}

static char session[PATH_SIZE];  // as the program knows it
static char fallback[PATH_SIZE]; // likewise

static void assert_directory(const char *expected)
{
    _cleanup_free_ char *directory = NULL;
    struct error error = {0};
    char there[PATH_SIZE];
    assert_int_equal(runtime_directory(&directory, &error), 0);
    assert_string_equal(directory, expected);
    assert_int_equal(rmdir(below_root(directory, there)), 0);
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

static void a_lock_tells_who_has_it_while_it_is_written(void **state)
{
    (void)state;
    static const char *const files[] = {"/a/longer/path.yaml", "/short.yaml",
                                        "/a/longer/path.yaml"};
    char path[PATH_SIZE];
    (void)below_root("/lock", path);
    for (size_t i = 0; i < ELEMENTS(files); i++) {
        _cleanup_(holder_done) struct holder other = {0};
        _cleanup_(holder_done) struct holder found = {0};
        _cleanup_close_ int lock = runtime_lock(path, files[i], &other);
        assert_true(lock >= 0);
        assert_int_equal(runtime_find(path, &found), 1);
        assert_string_equal(found.config_file, files[i]);
        watched = path; // not the first time: a new file is empty until it is written
    }
    watched = NULL;
    assert_int_equal(unlink(path), 0);
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
        cmocka_unit_test(a_lock_tells_who_has_it_while_it_is_written),
        cmocka_unit_test(what_is_no_directory_of_the_user_is_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
