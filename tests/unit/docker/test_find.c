// Which engine is meant: contexts and sockets in directories of the test.
#include "lib/base/str.h"
#include "lib/docker/docker_find.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char base[64];
    struct strv sockets; // base/a.sock, base/b.sock
    struct docker_hints hints;
    struct docker_place place;
    struct error error;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    (void)snprintf(f->base, sizeof(f->base), "/tmp/find-XXXXXX");
    assert_non_null(mkdtemp(f->base));
    char path[128];
    for (const char *name = "ab"; *name != '\0'; name++) {
        (void)snprintf(path, sizeof(path), "%s/%c.sock", f->base, *name);
        strv_add(&f->sockets, path);
    }
    f->hints.config_dir = f->base;
    f->hints.sockets = &f->sockets;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s", f->base);
    assert_int_equal(system(command), 0);
    strv_done(&f->sockets);
    docker_place_done(&f->place);
    free(f);
    return 0;
}

// Directories on the way too; PATH is below the base.
static void write_file(const struct fixture *f, const char *path, const char *text)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "mkdir -p $(dirname %s/%s)", f->base, path);
    assert_int_equal(system(command), 0);
    (void)snprintf(command, sizeof(command), "%s/%s", f->base, path);
    FILE *file = fopen(command, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);
}

static int find(struct fixture *f)
{
    docker_place_done(&f->place);
    return docker_find(&f->hints, &f->place, &f->error);
}

static void test_given_host_wins(void **state)
{
    struct fixture *f = *state;
    write_file(f, "config.json", "{\"currentContext\": \"colima\"}");
    f->hints.host = "tcp://192.0.2.1:2376";
    f->hints.host_source = "DOCKER_HOST";
    f->hints.tls = true;
    f->hints.ca = "/ca.pem";
    assert_int_equal(find(f), 0);
    assert_string_equal(f->place.host, "tcp://192.0.2.1:2376");
    assert_string_equal(f->place.source, "named by DOCKER_HOST");
    assert_true(f->place.tls);
    assert_string_equal(f->place.ca, "/ca.pem");
    assert_string_equal(f->place.considered, "");
}

static void test_current_context(void **state)
{
    struct fixture *f = *state;
    make_socket(f->sockets.items[0]); // the context counts all the same
    write_file(f, "config.json", "{\"auths\": {}, \"currentContext\": \"colima\"}");
    write_file(f, "contexts/meta/11/meta.json",
               "{\"Name\": \"other\", \"Endpoints\": {\"docker\": {\"Host\": \"unix:///other\"}}}");
    write_file(f, "contexts/meta/22/meta.json",
               "{\"Name\": \"colima\", \"Metadata\": {}, \"Endpoints\": {\"docker\": {\"Host\": "
               "\"unix:///home/me/.colima/docker.sock\", \"SkipTLSVerify\": false}}}");
    assert_int_equal(find(f), 0);
    assert_string_equal(f->place.host, "unix:///home/me/.colima/docker.sock");
    assert_true(str_starts_with(f->place.source, "the context colima of /tmp/find-"));
    assert_true(str_ends_with(f->place.source, "/config.json"));
    assert_false(f->place.tls);
    f->hints.context = "other"; // DOCKER_CONTEXT counts more than the file
    assert_int_equal(find(f), 0);
    assert_string_equal(f->place.host, "unix:///other");
    assert_string_equal(f->place.source, "the context other of DOCKER_CONTEXT");
}

static void test_tls_of_a_context(void **state)
{
    struct fixture *f = *state;
    f->hints.context = "far";
    write_file(f, "contexts/meta/33/meta.json",
               "{\"Name\": \"far\", \"Endpoints\": {\"docker\": {\"Host\": \"tcp://h:2376\"}}}");
    write_file(f, "contexts/tls/33/docker/ca.pem", "ca");
    write_file(f, "contexts/tls/33/docker/cert.pem", "cert");
    write_file(f, "contexts/tls/33/docker/key.pem", "key");
    assert_int_equal(find(f), 0);
    assert_true(f->place.tls);
    assert_true(str_ends_with(f->place.ca, "/contexts/tls/33/docker/ca.pem"));
    assert_true(str_ends_with(f->place.cert, "/contexts/tls/33/docker/cert.pem"));
    assert_true(str_ends_with(f->place.key, "/contexts/tls/33/docker/key.pem"));
    write_file(f, "contexts/meta/33/meta.json",
               "{\"Name\": \"far\", \"Endpoints\": {\"docker\": {\"Host\": \"tcp://h:2376\", "
               "\"SkipTLSVerify\": true}}}");
    assert_int_equal(find(f), -EINVAL);
    assert_non_null(strstr(f->error.text, "the context far skips the verification"));
}

static void test_contexts_that_name_no_engine(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *meta;
        int code;
        const char *said;
    } cases[] = {
        {"{\"Name\": \"another\"}", ENOENT, "there is no context x (named by DOCKER_CONTEXT)"},
        {"{\"Name\": \"x\"}", EINVAL, "the context x is without a host, which is neither"},
        {"no json", ENOENT, "there is no context x"},
        {"[\"x\"]", ENOENT, "there is no context x"},
        {"{\"Name\": \"x\", \"Endpoints\": {\"docker\": {\"Host\": \"ssh://me@far\"}}}", EINVAL,
         "the context x is ssh://me@far: an engine behind ssh cannot be watched; forward"},
        {"{\"Name\": \"x\", \"Endpoints\": {\"docker\": {\"Host\": \"npipe:////./pipe/d\"}}}",
         EINVAL, "the context x is npipe:////./pipe/d, which is neither unix:// nor tcp://"},
        {"{\"Name\": \"x\", \"Endpoints\": {\"docker\": {\"Host\": \"unix://d.sock\"}}}", EINVAL,
         "the context x is unix://d.sock, which is not unix:// and an absolute path"},
    };
    f->hints.context = "x";
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        write_file(f, "contexts/meta/44/meta.json", cases[i].meta);
        assert_int_equal(find(f), -cases[i].code);
        assert_non_null(strstr(f->error.text, cases[i].said));
        assert_null(f->place.host);
    }
}

static void test_first_socket(void **state)
{
    struct fixture *f = *state;
    char said[256];
    assert_int_equal(find(f), 0); // none yet
    (void)snprintf(said, sizeof(said), "unix://%s/a.sock", f->base);
    assert_string_equal(f->place.host, said);
    assert_string_equal(f->place.source, "the default, since no socket was found");
    (void)snprintf(said, sizeof(said),
                   "%s/config.json (not there), %s/a.sock (not there), %s/b.sock (not there)",
                   f->base, f->base, f->base);
    assert_string_equal(f->place.considered, said);

    write_file(f, "a.sock", "a file");
    make_socket(f->sockets.items[1]);
    write_file(f, "config.json", "{\"currentContext\": \"default\"}"); // which is no context
    assert_int_equal(find(f), 0);
    (void)snprintf(said, sizeof(said), "unix://%s/b.sock", f->base);
    assert_string_equal(f->place.host, said);
    assert_string_equal(f->place.source, "the first socket that is there");
    (void)snprintf(said, sizeof(said), "%s/config.json (names no context), %s/a.sock (no socket)",
                   f->base, f->base);
    assert_string_equal(f->place.considered, said);
}

static void test_config_that_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    make_socket(f->sockets.items[0]);
    write_file(f, "config.json", "{");
    assert_int_equal(find(f), 0);
    assert_non_null(strstr(f->place.considered, "/config.json (is no JSON object)"));
    assert_true(str_ends_with(f->place.host, "/a.sock"));
    f->hints.config_dir = NULL;
    assert_int_equal(find(f), 0);
    assert_string_equal(f->place.considered, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_given_host_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_current_context, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls_of_a_context, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contexts_that_name_no_engine, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config_that_cannot_be_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
