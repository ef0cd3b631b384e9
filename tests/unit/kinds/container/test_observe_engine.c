// Where the engine is, and what it says of itself.
#include "lib/base/str.h"
#include "tests/support/container_rig.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define NOTHING "200 []", "404", "404" // is there

// ---- docker.tls ----

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

// The caller frees the path of the one file that is declared.
static char *declare_tls(struct container_rig *rig)
{
    struct config_docker *docker = &rig->config->docker;
    sample_set(&docker->host, "tcp://10.0.0.1:2376");
    docker->tls = true;
    docker->ca = str_printf("%s/ca.pem", rig->directory);
    return str_dup(docker->ca);
}

static void files_of_tls_are_read_off_the_loop(void **state)
{
    struct container_rig *rig = *state;
    _cleanup_free_ char *ca = declare_tls(rig);
    write_file(ca, "PEM");
    ANSWER(rig, "ping", NOTHING);
    container_rig_begin_observation(rig);
    assert_int_equal(fake_transport_count(rig->fake), 0);
    assert_int_equal(scripted_worker_run(rig->worker), 1);
    (void)fake_transport_run(rig->fake);
    assert_non_null(rig->current);
    assert_string_equal(fake_transport_endpoint(rig->fake, 0)->ca_pem, "PEM");
    assert_null(fake_transport_endpoint(rig->fake, 0)->key_pem);
    assert_int_equal(unlink(ca), 0);

    // The client is kept: nothing is read again.
    ANSWER(rig, NOTHING);
    container_rig_observe(rig);
    assert_non_null(rig->current);
}

static void files_of_tls_that_cannot_be_read(void **state)
{
    struct container_rig *rig = *state;
    _cleanup_free_ char *ca = declare_tls(rig);
    container_rig_observe(rig);
    assert_int_equal(rig->error.kind, ERROR_PERMANENT);
    assert_int_equal(rig->error.code, EINVAL);
    assert_non_null(strstr(rig->error.text, ca));

    container_rig_begin_observation(rig);
    assert_int_equal(scripted_worker_time_out(rig->worker), 1);
    assert_int_equal(rig->error.code, ETIMEDOUT);
    assert_string_equal(rig->error.text, "engine: look for it: timed out");

    write_file(ca, "PEM");
    // The configuration is another before they are read.
    container_rig_begin_observation(rig);
    container_kind.invalidate(&rig->io, &rig->memory);
    container_rig_run(rig);
    assert_int_equal(rig->error.code, ECANCELED);
    assert_null(rig->io.docker);
    assert_int_equal(unlink(ca), 0);
}

// ---- the search ----

// At base/NAME.sock; the caller closes it.
static int make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

// A user's own engine appears, and another one in its place.
static void engine_is_looked_for_until_it_answers(void **state)
{
    struct container_rig *rig = *state;
    struct config_docker *docker = &rig->config->docker;
    _cleanup_free_ char *first = str_printf("%s/first.sock", rig->directory);
    _cleanup_free_ char *second = str_printf("%s/second.sock", rig->directory);
    sample_set(&docker->host, "");
    strv_done(&docker->search.sockets);
    strv_add(&docker->search.sockets, first);
    strv_add(&docker->search.sockets, second);
    sample_set(&docker->search.config_dir, NULL);

    fake_transport_fail(rig->fake, ERROR_TRANSIENT, ENOENT, "no such socket");
    container_rig_observe(rig);
    assert_int_equal(rig->error.code, ENOENT);
    _cleanup_free_ char *told =
        str_printf("engine: ask for the API version: no such socket; it is unix://%s, the default, "
                   "since no socket was found; looked at %s (not there), %s (not there)",
                   first, first, second);
    assert_string_equal(rig->error.text, told);

    _unused_ _cleanup_close_ int fd = make_socket(second);
    ANSWER(rig, "ping", NOTHING);
    container_rig_observe(rig);
    const struct engine_about *about = &rig->current->engine->about;
    assert_true(str_ends_with(about->host, "/second.sock"));
    assert_non_null(strstr(about->origin, "/second.sock, the first socket that is there; looked"));
    assert_string_equal(fake_transport_endpoint(rig->fake, 1)->unix_socket, second);

    // It answers: nothing is looked for, until it does so no more.
    _unused_ _cleanup_close_ int better = make_socket(first);
    ANSWER(rig, NOTHING);
    container_rig_observe(rig);
    fake_transport_fail(rig->fake, ERROR_TRANSIENT, ECONNREFUSED, "refused");
    container_rig_observe(rig);
    ANSWER(rig, "ping", NOTHING);
    container_rig_observe(rig);
    assert_true(str_ends_with(rig->current->engine->about.host, "/first.sock"));
    assert_int_equal(fake_transport_endpoint_count(rig->fake), 3);

    // The same one again, by the same client: other keys may be using it.
    fake_transport_fail(rig->fake, ERROR_TRANSIENT, ECONNRESET, "reset");
    container_rig_observe(rig);
    ANSWER(rig, "ping", NOTHING);
    container_rig_observe(rig);
    assert_int_equal(fake_transport_endpoint_count(rig->fake), 3);
    assert_int_equal(unlink(first) + unlink(second), 0);
}

static void context_that_is_of_no_use(void **state)
{
    struct container_rig *rig = *state;
    struct config_docker *docker = &rig->config->docker;
    sample_set(&docker->host, "");
    sample_set(&docker->search.context, "far");
    sample_set(&docker->search.config_dir, rig->directory);
    container_rig_observe(rig);
    assert_int_equal(rig->error.code, ENOENT);
    assert_true(str_starts_with(rig->error.text, "engine: there is no context far (named by "));
    assert_int_equal(fake_transport_endpoint_count(rig->fake), 0);
}

// ---- what it is ----

static void engine_says_what_it_is(void **state)
{
    static const struct {
        const char *info;
        struct engine_about about;
    } cases[] = {
        {"200 {'ServerVersion': '28.5.2', 'OperatingSystem': 'Debian', 'SecurityOptions': "
         "['name=apparmor', 'name=seccomp,profile=builtin', 'name=cgroupns']}",
         {.version = "28.5.2", .system = "Debian"}},
        {"200 {'ServerVersion': '5.4', 'SecurityOptions': ['name=rootless', 'name=selinux']}",
         {.version = "5.4", .system = "", .rootless = true, .selinux = true}},
        {"200 {'DockerRootDir': '/var/lib/docker/231072.231072', 'SecurityOptions': "
         "['name=seccomp,profile=builtin', 'name=userns']}",
         {.version = "", .system = "", .user_namespaces = true, .root_user = 231072}},
        {"200 {'DockerRootDir': '/1.1', 'SecurityOptions': [1, 'name', 'name=usernsx', 'selinux']}",
         {.version = "", .system = ""}},
        {"200 {'DockerRootDir': '/var/lib/docker', 'SecurityOptions': ['name=userns']}",
         {.version = "", .system = "", .user_namespaces = true}},
        {"403 {'message': 'not allowed'}", {.version = "", .system = ""}},
    };
    struct container_rig *rig = *state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        fake_transport_answer(
            rig->fake,
            &(struct fake_answer){.status = 200, .headers = "Api-Version: 1.41\r\n", .body = "OK"});
        ANSWER(rig, cases[i].info, NOTHING, NOTHING);
        for (int times = 0; times < 2; times++) { // once is asked for it
            container_rig_observe(rig);
            const struct engine_about *about = &rig->current->engine->about;
            assert_string_equal(about->host, "unix:///missing/docker.sock");
            assert_string_equal(about->product, "Docker");
            assert_string_equal(about->version, cases[i].about.version);
            assert_string_equal(about->system, cases[i].about.system);
            assert_int_equal(about->rootless, cases[i].about.rootless);
            assert_int_equal(about->user_namespaces, cases[i].about.user_namespaces);
            assert_int_equal(about->root_user, cases[i].about.root_user);
            assert_int_equal(about->selinux, cases[i].about.selinux);
        }
        container_kind.invalidate(&rig->io, &rig->memory);
    }
    fake_transport_answer(
        rig->fake, &(struct fake_answer){.status = 200,
                                         .headers = "Api-Version: 1.41\r\nLibpod-Api-Version: "
                                                    "4.3.1\r\n",
                                         .body = "OK"});
    ANSWER(rig, "200 {'ServerVersion': '4.3.1'}", NOTHING);
    container_rig_observe(rig);
    assert_string_equal(rig->current->engine->about.product, "Podman");
}

// What it has said before counts until it says something else, and a container that is labelled for
// SELinux, or is not, is as good as the other where nobody knows.
static void what_was_said_before_counts(void **state)
{
    struct container_rig *rig = *state;
    struct container_specs specs;
    ANSWER(rig, "ping", NOTHING);
    container_rig_observe(rig);
    container_kind.invalidate(&rig->io, &rig->memory);
    fake_transport_answer(
        rig->fake,
        &(struct fake_answer){.status = 200, .headers = "Api-Version: 1.41\r\n", .body = "OK"});
    ANSWER(rig, "500 {'message': 'not now'}", NOTHING);
    container_rig_observe(rig);
    container_specs_make(rig->config, &specs);
    container_spec_relabel(&specs.items[0], true);
    const struct container_spec *spec = &rig->current->specs.items[0];
    assert_string_equal(spec->alternative, specs.items[0].digest);
    assert_false(spec->relabels);
    ANSWER(rig, "200 {'SecurityOptions': ['name=selinux']}", NOTHING); // it is asked again
    container_rig_observe(rig);
    spec = &rig->current->specs.items[0];
    assert_string_equal(spec->digest, specs.items[0].digest);
    assert_string_equal(spec->alternative, "");
    assert_true(spec->relabels);
    container_specs_done(&specs);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, container_rig_begin, container_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_of_tls_are_read_off_the_loop),
        TEST(files_of_tls_that_cannot_be_read),
        TEST(engine_is_looked_for_until_it_answers),
        TEST(context_that_is_of_no_use),
        TEST(engine_says_what_it_is),
        TEST(what_was_said_before_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
