// Why an engine's socket may not be used: each case has its own cure.
#include "lib/docker/docker_access.h"

#include "lib/base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534
#define REFUSED "no permission to use /run/a.sock; "

static void cases_have_cures(void **unused)
{
    (void)unused;
    static const struct {
        struct docker_access access;
        const char *text;
    } cases[] = {
        {{.owner = "root", .group = "docker", .member = true},
         REFUSED "me is in the group docker, this process is not, for it is of an older login: "
                 "`systemctl --user exit` (or `loginctl terminate-user me`), then log in again"},
        {{.owner = "root", .group = "docker"},
         REFUSED "me is not in the group docker: `sudo usermod -aG docker me`, then `loginctl "
                 "terminate-user me` and log in again"},
        {{.owner = "root"},
         REFUSED "it is root's alone: run an engine as me (rootless), or give the socket a group "
                 "that me is in"},
        {{.owner = "root", .group = "docker", .member = true, .joined = true},
         REFUSED "a directory on the way to it is closed to this user: open it, or set "
                 "docker.host"},
        {{0},
         REFUSED "a directory on the way to it is closed to this user: open it, or set "
                 "docker.host"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct docker_access access = cases[i].access;
        struct error err = {0};
        access.path = "/run/a.sock";
        access.user = "me";
        assert_int_equal(docker_access_refused(&access, &err), -EACCES);
        assert_int_equal(err.kind, ERROR_TRANSIENT);
        assert_string_equal(err.text, cases[i].text);
    }
}

// What is asked of this machine: its own files and users.
static void machine_is_asked(void **unused)
{
    (void)unused;
    char directory[] = "/tmp/access-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/a", directory);
    assert_int_equal(docker_access(path, NULL), 0); // there is none
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(docker_access(path, NULL), 0);
    if (getuid() == 0) { // else everything is this user's
        pid_t child = fork();
        if (child == 0) {
            struct error err = {0};
            bool good = chmod(directory, 0755) == 0 && chown(path, 0, 1) == 0 &&
                        chmod(path, 0660) == 0 && setregid(NOBODY, NOBODY) == 0 &&
                        setreuid(NOBODY, NOBODY) == 0;
            good =
                good && docker_access(path, &err) == -EACCES && strstr(err.text, "usermod") != NULL;
            _exit(good ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    assert_int_equal(unlink(path) + rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_have_cures),
        cmocka_unit_test(machine_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
