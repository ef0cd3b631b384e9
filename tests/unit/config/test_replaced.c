// A configuration file that changes while it is read. This program's read() stands between the
// loader and the file: the first one is followed by what somebody else does.
#include "lib/base/str.h"
#include "lib/config/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#define OLD "registry: {name: before}\n"
#define NEW "registry: {name: afterwards}\n"

static char directory[] = "/tmp/config-XXXXXX";
static char *file;
static void (*meddle)(void);

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static ssize_t read_once(int fd, void *data, size_t size)
{
    ssize_t n = syscall(SYS_read, fd, data, size);
    void (*then)(void) = meddle;
    meddle = NULL;
    if (then != NULL) {
        then();
    }
    return n;
}

ssize_t read(int fd, void *buf, size_t nbytes)
{
    return read_once(fd, buf, nbytes);
}

// What the C library's headers call when the program is hardened.
ssize_t __read_chk(int fd, void *data, size_t size, size_t room);
ssize_t __read_chk(int fd, void *data, size_t size, size_t room)
{
    assert_true(size <= room);
    return read_once(fd, data, size);
}

static void replace(void)
{
    _cleanup_free_ char *new = str_printf("%s.new", file);
    assert_non_null(new);
    write_file(new, NEW);
    assert_int_equal(rename(new, file), 0);
}

static void overwrite(void)
{
    write_file(file, NEW);
}

static void cut_off(void)
{
    assert_int_equal(truncate(file, 0), 0);
}

static void take_away(void)
{
    assert_int_equal(unlink(file), 0);
}

static void load_one(void (*what)(void), const char *name, const char *problem)
{
    struct config *config = NULL;
    struct config_problems problems = {0};
    write_file(file, OLD);
    meddle = what;
    int r = config_load(file, true, &config_process_environment, &config, &problems);
    assert_null(meddle); // it was read
    if (name != NULL) {
        assert_int_equal(r, 0);
        assert_string_equal(config->registry.name, name);
    } else {
        assert_true(r < 0);
        assert_int_equal(problems.count, 1);
        assert_string_equal(problems.items[0].text, problem);
    }
    config_free(config);
    config_problems_done(&problems);
}

static void test_replaced(void **state)
{
    (void)state;
    load_one(replace, "before", NULL);
    load_one(take_away, "before", NULL);
    load_one(overwrite, NULL, "cannot be read: it is being written");
    load_one(cut_off, NULL, "cannot be read: it is being written");
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    file = str_printf("%s/registryd.yaml", directory);
    return file == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(file);
    free(file);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replaced),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
