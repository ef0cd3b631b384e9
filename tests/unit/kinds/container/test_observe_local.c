// What is found at the place of the storage directory. Files of docker.tls: test_observe.c.
#include "lib/base/str.h"
#include "lib/kinds/container/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    const char *name;
    enum storage_state state;
    const char *why; // behind the directory's name
} cases[] = {
    {"there", STORAGE_USABLE, NULL},
    {"link", STORAGE_USABLE, NULL},
    {"missing", STORAGE_MISSING, NULL},
    {"missing/below", STORAGE_MISSING, NULL},
    {"link/below", STORAGE_MISSING, NULL},
    {"dangling", STORAGE_BROKEN, "/dangling is a link to /mnt/not-mounted, which is not there"},
    {"dangling/a/b", STORAGE_BROKEN, "/dangling is a link to /mnt/not-mounted, which is not there"},
    {"second", STORAGE_BROKEN, "/second is a link to dangling, which is not there"},
    {"loop", STORAGE_BROKEN, "/loop cannot be used (Too many levels of symbolic links)"},
    {"file", STORAGE_BROKEN, "/file cannot be used (Not a directory)"},
    {"file/below", STORAGE_BROKEN, "/file/below cannot be used (Not a directory)"},
};

static fsblkcnt_t left_for_root;

// In place of libc's: of every file system.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved
int statvfs(const char *path, struct statvfs *fs)
{
    (void)path;
    *fs = (struct statvfs){.f_frsize = 1, .f_blocks = 64u << 20, .f_bfree = left_for_root};
    return 0;
}

static void full_is_what_has_no_room_even_for_root(void **state)
{
    (void)state;
    for (unsigned taken = 0; taken < 2; taken++) {
        left_for_root = (17u << 20) - taken;
        _cleanup_free_ struct file_job *job = file_job_new("/");
        storage_check(job);
        assert_int_equal(job->storage.free_bytes, 0);
        assert_int_equal(job->storage.full, taken == 1);
    }
}

static void directories_are_told_apart(void **unused)
{
    (void)unused;
    char directory[] = "/tmp/storage-XXXXXX";
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    assert_int_equal(mkdir("there", 0755), 0);
    assert_int_equal(symlink("there", "link"), 0);
    assert_int_equal(symlink("/mnt/not-mounted", "dangling"), 0);
    assert_int_equal(symlink("dangling", "second"), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(mknod("file", S_IFREG | 0644, 0), 0);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *path = str_printf("%s/%s", directory, cases[i].name);
        _cleanup_free_ struct file_job *job = file_job_new(path);
        storage_check(job);
        assert_int_equal(job->storage.state, cases[i].state);
        if (cases[i].why != NULL) {
            assert_string_equal(job->storage.why + strlen(directory), cases[i].why);
        }
        assert_int_equal(job->storage.total_bytes > 0, cases[i].state == STORAGE_USABLE);
        assert_true(job->storage.free_bytes <= job->storage.total_bytes);
        assert_false(job->storage.others);
    }
    static const char *const made[] = {"there", "link", "dangling", "second", "loop", "file"};
    for (size_t i = 0; i < ELEMENTS(made); i++) {
        assert_int_equal(remove(made[i]), 0);
    }
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories_are_told_apart),
        cmocka_unit_test(full_is_what_has_no_room_even_for_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
