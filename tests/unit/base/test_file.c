#include "lib/base/file.h"

#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char *new_directory(void)
{
    char *path = str_dup("/tmp/hostk8s-registryd-test-XXXXXX");
    assert_non_null(path);
    assert_non_null(mkdtemp(path));
    return path;
}

static void write_file(const char *path, const char *data, size_t length)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, length), length);
}

static void test_file_read(void **state)
{
    (void)state;
    _cleanup_free_ char *directory = new_directory();
    _cleanup_free_ char *path = str_printf("%s/file", directory);
    static const char *const contents[] = {"", "a", "text\n", "1234567"};
    for (size_t i = 0; i < ELEMENTS(contents); i++) {
        write_file(path, contents[i], strlen(contents[i]));
        _cleanup_free_ char *data = NULL;
        size_t length = 99;
        assert_int_equal(file_read(path, 7, &data, &length), 0);
        assert_int_equal(length, strlen(contents[i]));
        assert_string_equal(data, contents[i]);
    }
    write_file(path, "a\0b", 3);
    _cleanup_free_ char *data = NULL;
    size_t length = 0;
    assert_int_equal(file_read(path, 3, &data, &length), 0);
    assert_int_equal(length, 3);
    assert_memory_equal(data, "a\0b", 4);

    char *none = NULL;
    assert_int_equal(file_read(path, 2, &none, &length), -EFBIG);
    assert_int_equal(file_read(directory, 2, &none, &length), -EISDIR);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(file_read(path, 3, &none, &length), -ENOENT);
    assert_null(none);
    assert_int_equal(length, 3);
    assert_int_equal(rmdir(directory), 0);
}

static int write_text(void *ctx, FILE *stream)
{
    return fputs(ctx, stream) < 0 ? -errno : 0;
}

static int write_and_fail(void *ctx, FILE *stream)
{
    (void)write_text(ctx, stream);
    return -ENOMEM;
}

static void assert_contents(const char *path, const char *expected)
{
    _cleanup_free_ char *data = NULL;
    size_t length = 0;
    assert_int_equal(file_read(path, 99, &data, &length), 0);
    assert_string_equal(data, expected);
}

static void test_file_replace(void **state)
{
    (void)state;
    _cleanup_free_ char *directory = new_directory();
    _cleanup_free_ char *path = str_printf("%s/file", directory);
    _cleanup_free_ char *other = str_printf("%s/other", directory);
    _cleanup_free_ char *new_path = str_printf("%s.%d.new", path, (int)getpid());
    char one[] = "one";
    char two[] = "two";
    struct stat st;
    assert_int_equal(file_replace(path, write_text, one), 0);
    assert_contents(path, "one");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(file_replace(path, write_text, two), 0);
    assert_contents(path, "two");

    assert_int_equal(file_replace(path, write_and_fail, one), -ENOMEM);
    assert_contents(path, "two");
    assert_int_equal(stat(new_path, &st), -1);

    write_file(other, "precious", strlen("precious"));
    assert_int_equal(symlink(other, new_path), 0);
    assert_int_equal(file_replace(path, write_text, one), -ELOOP);
    assert_contents(other, "precious");
    assert_contents(path, "two");

    assert_int_equal(unlink(other), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_read),
        cmocka_unit_test(test_file_replace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
