// What two spellings of one file are, and what a file system that hangs makes of one.
#include "daemon/resolve.h"

#include "lib/base/str.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define HANGING "/hanging/docker.sock"

static char root[] = "/tmp/resolve-XXXXXX";
static pthread_mutex_t hang = PTHREAD_MUTEX_INITIALIZER; // held while what hangs is to hang

ssize_t __real_readlink(const char *restrict path, char *restrict buf, size_t size);
ssize_t __wrap_readlink(const char *restrict path, char *restrict buf, size_t size);
ssize_t __wrap_readlink(const char *restrict path, char *restrict buf, size_t size)
{
    if (str_equal(path, HANGING)) {
        (void)pthread_mutex_lock(&hang);
        (void)pthread_mutex_unlock(&hang);
    }
    return __real_readlink(path, buf, size);
}

// Both are below the root, unless they begin with a slash.
static void assert_means(const char *spelling, const char *expected)
{
    _cleanup_free_ char *path = str_printf("%s/%s", spelling[0] == '/' ? "" : root, spelling);
    _cleanup_free_ char *meant =
        expected[0] == '/' ? str_dup(expected) : str_printf("%s/%s", root, expected);
    _cleanup_free_ char *found = resolve(path);
    assert_string_equal(found, meant);
}

static void spellings_of_one_file_are_one(void **state)
{
    (void)state;
    static const char *const spellings[] = {
        "run/docker.sock", "./run/../run//docker.sock", "directory/docker.sock", "file.sock",
        "absolute.sock",   "link-of-link.sock",         "run/docker.sock/.",
    };
    // Before there is a directory, before the engine has made its socket, and with it.
    for (int part = 0; part < 3; part++) {
        for (size_t i = 0; i < ELEMENTS(spellings); i++) {
            assert_means(spellings[i], "run/docker.sock");
        }
        assert_int_equal(part < 2 ? mkdir(part == 0 ? "run" : "run/docker.sock", S_IRWXU) : 0, 0);
    }
    assert_int_equal(rmdir("run/docker.sock"), 0);
    assert_int_equal(rmdir("run"), 0);
}

static void paths_that_lead_nowhere_stay(void **state)
{
    (void)state;
    assert_means("/nowhere", "/nowhere");
    assert_means("/nowhere//at/./all", "/nowhere/at/all");
    assert_means("/nowhere/at/../../../all/..", "/");
    assert_means("/", "/");
    // A link that leads to itself is followed as often as the kernel does it, and no more.
    assert_means("loop/x", "loop/x");
}

static void what_hangs_is_not_waited_for(void **state)
{
    (void)state;
    struct timespec before;
    struct timespec after;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &before), 0);
    assert_int_equal(pthread_mutex_lock(&hang), 0);
    _cleanup_free_ char *found = resolve(HANGING);
    assert_int_equal(pthread_mutex_unlock(&hang), 0);
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &after), 0);
    assert_string_equal(found, HANGING);
    assert_true(after.tv_sec - before.tv_sec >= RESOLVE_S);
}

static const char *const links[][2] = {
    {"run", "directory"},
    {"run/docker.sock", "file.sock"},
    {"file.sock", "link-of-link.sock"},
    {"directory/docker.sock", "absolute.sock"},
    {"loop", "loop"},
};

static int set_up(void **state)
{
    (void)state;
    int r = mkdtemp(root) == NULL || chdir(root) < 0 ? -1 : 0;
    for (size_t i = 0; i < ELEMENTS(links) && r == 0; i++) {
        bool absolute = str_equal(links[i][1], "absolute.sock");
        _cleanup_free_ char *target =
            str_printf("%s%s%s", absolute ? root : "", absolute ? "/" : "", links[i][0]);
        r = symlink(target, links[i][1]);
    }
    return r;
}

static int tear_down(void **state)
{
    (void)state;
    int r = 0;
    for (size_t i = 0; i < ELEMENTS(links); i++) {
        r = unlink(links[i][1]) < 0 ? -1 : r;
    }
    return rmdir(root) < 0 ? -1 : r;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_file_are_one),
        cmocka_unit_test(paths_that_lead_nowhere_stay),
        cmocka_unit_test(what_hangs_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
