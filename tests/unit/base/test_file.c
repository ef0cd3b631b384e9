#include "lib/base/file.h"

#include "lib/base/str.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define WAIT_S 30 // for what must not wait: then SIGALRM ends the program
#define FILE_NAME "file"

static void write_file(const char *path, const char *data, size_t length)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, length), length);
}

// What somebody else does once the first bytes of a file are read: this program's read() stands
// between.
static void (*meddle)(void);

static ssize_t read_and_meddle(int fd, void *data, size_t size)
{
    ssize_t n = syscall(SYS_read, fd, data, size);
    void (*then)(void) = TAKE_PTR(meddle);
    if (then != NULL) {
        then();
    }
    return n;
}

ssize_t read(int fd, void *buf, size_t nbytes)
{
    return read_and_meddle(fd, buf, nbytes);
}

// What the C library's headers call when the program is hardened.
ssize_t __read_chk(int fd, void *data, size_t size, size_t room);
ssize_t __read_chk(int fd, void *data, size_t size, size_t room)
{
    assert_true(size <= room);
    return read_and_meddle(fd, data, size);
}

static void assert_refused(const char *path, enum file_source source, int code, const char *text)
{
    char *none = NULL;
    size_t length = 99;
    struct error err = {0};
    assert_int_equal(file_read(path, 2, source, &none, &length, &err), code);
    assert_null(none);
    assert_int_equal(length, 99);
    assert_int_equal(err.kind, code == -EBUSY ? ERROR_TRANSIENT : ERROR_PERMANENT);
    assert_string_equal(err.text, text);
}

static void assert_contents(const char *path, const char *expected, size_t expected_length)
{
    _cleanup_free_ char *data = NULL;
    size_t length = 99;
    assert_int_equal(file_read(path, expected_length, FILE_REGULAR, &data, &length, NULL), 0);
    assert_int_equal(length, expected_length);
    assert_memory_equal(data, expected, length + 1);
}

static void test_file_read(_unused_ void **state)
{
    static const char *const contents[] = {"", "a", "text\n", "1234567"};
    for (size_t i = 0; i < ELEMENTS(contents); i++) {
        write_file(FILE_NAME, contents[i], strlen(contents[i]));
        assert_contents(FILE_NAME, contents[i], strlen(contents[i]));
    }
    write_file(FILE_NAME, "a\0b", 3);
    assert_contents(FILE_NAME, "a\0b", 3);
    assert_refused(FILE_NAME, FILE_REGULAR, -EFBIG, "exceeds 2 bytes");
    assert_refused("none", FILE_REGULAR, -ENOENT, "cannot be read: No such file or directory");
}

static void replace(void)
{
    write_file("new", "2", 1);
    assert_int_equal(rename("new", FILE_NAME), 0);
}

static void overwrite(void)
{
    write_file(FILE_NAME, "2", 1);
}

static void cut_off(void)
{
    assert_int_equal(truncate(FILE_NAME, 0), 0);
}

static void take_away(void)
{
    assert_int_equal(unlink(FILE_NAME), 0);
}

// It is read as it was, or not at all: never a mixture.
static void test_file_that_changes_meanwhile(_unused_ void **state)
{
    static void (*const whole[])(void) = {replace, take_away};
    static void (*const mixed[])(void) = {overwrite, cut_off};
    for (size_t i = 0; i < ELEMENTS(whole); i++) {
        write_file(FILE_NAME, "11", 2);
        meddle = whole[i];
        assert_contents(FILE_NAME, "11", 2);
        assert_null(meddle);
        write_file(FILE_NAME, "11", 2);
        meddle = mixed[i];
        assert_refused(FILE_NAME, FILE_REGULAR, -EBUSY, "cannot be read: it is being written");
    }
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

// None of it is waited for, whoever names it.
static void test_what_is_no_file(_unused_ void **state)
{
    static const struct {
        const char *path;
        const char *text;
    } cases[] = {
        {"fifo", "is a FIFO, not a file"},        {"link", "is a FIFO, not a file"},
        {"socket", "is a socket, not a file"},    {".", "is a directory, not a file"},
        {"/dev/zero", "is a device, not a file"},
    };
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(symlink("fifo", "link"), 0);
    make_socket("socket");
    (void)alarm(WAIT_S);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        assert_refused(cases[i].path, FILE_REGULAR, -EINVAL, cases[i].text);
        assert_refused(cases[i].path, FILE_OR_PIPE, -EINVAL, cases[i].text);
    }
    (void)alarm(0);
}

// Until the process waits for something.
static void await_sleep(pid_t pid)
{
    _cleanup_free_ char *path = str_printf("/proc/%d/stat", (int)pid);
    for (char state = 0; state != 'S'; (void)sched_yield()) {
        char *text = NULL;
        size_t length = 0;
        if (file_read(path, 4096, FILE_REGULAR, &text, &length, NULL) == 0) {
            state = strrchr(text, ')')[2];
            free(text);
        }
    }
}

// A shell's <(…): its name leads to a pipe that has none.
static void test_pipe(_unused_ void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    _cleanup_free_ char *path = str_printf("/dev/fd/%d", ends[0]);
    assert_refused(path, FILE_REGULAR, -EINVAL, "is a FIFO, not a file");
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        (void)alarm(WAIT_S);
        await_sleep(getppid());
        _exit(write(ends[1], "text", 4) == 4 ? 0 : 1);
    }
    (void)close(ends[1]);
    (void)alarm(WAIT_S);
    _cleanup_free_ char *data = NULL;
    size_t length = 0;
    assert_int_equal(file_read(path, 9, FILE_OR_PIPE, &data, &length, NULL), 0);
    assert_string_equal(data, "text");
    assert_refused(path, FILE_OR_PIPE, -ENODATA, "is a pipe that nothing comes through");
    (void)alarm(0);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    (void)close(ends[0]);
}

static void test_file_replace(_unused_ void **state)
{
    _cleanup_free_ char *new_path = str_printf("%s.%d.new", FILE_NAME, (int)getpid());
    struct stat st;
    assert_int_equal(file_replace(FILE_NAME, "one", 3), 0);
    assert_contents(FILE_NAME, "one", 3);
    assert_int_equal(stat(FILE_NAME, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(file_replace(FILE_NAME, "two", 3), 0);
    assert_contents(FILE_NAME, "two", 3);

    write_file("other", "precious", strlen("precious"));
    assert_int_equal(symlink("other", new_path), 0);
    assert_int_equal(file_replace(FILE_NAME, "one", 3), -ELOOP);
    assert_contents("other", "precious", strlen("precious"));
    assert_contents(FILE_NAME, "two", 3);
    assert_int_equal(lstat(new_path, &st), -1);
}

// Each test has a directory of its own.
static int enter_directory(void **state)
{
    char path[] = "/tmp/hostk8s-registryd-test-XXXXXX";
    *state = mkdtemp(path) == NULL ? NULL : str_dup(path);
    return *state == NULL || chdir(*state) < 0 ? -1 : 0;
}

static int remove_directory(void **state)
{
    _cleanup_free_ char *path = *state;
    glob_t files;
    int r = glob("*", 0, NULL, &files);
    for (size_t i = 0; r == 0 && i < files.gl_pathc; i++) {
        (void)unlink(files.gl_pathv[i]);
    }
    globfree(&files);
    return chdir("/") < 0 || rmdir(path) < 0 ? -1 : 0;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, enter_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_file_read),       TEST(test_file_that_changes_meanwhile),
        TEST(test_what_is_no_file), TEST(test_pipe),
        TEST(test_file_replace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
