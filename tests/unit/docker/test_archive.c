// Files in a container: the requests for stat, reading and writing, and what their answers become.
#include "tests/support/docker_test.h"

#include "lib/base/str.h"

#include <errno.h>
#include <string.h>

struct stamp_outcome {
    size_t calls;
    bool failed;
    struct error err;
    char *stamp;
};

static void stamp_done(void *ctx, const char *stamp, const struct error *err)
{
    struct stamp_outcome *outcome = ctx;
    outcome->calls++;
    outcome->failed = err != NULL;
    if (err != NULL) {
        assert_null(stamp);
        outcome->err = *err;
    } else {
        assert_int_equal(str_replace(&outcome->stamp, stamp), 0);
    }
}

static void stamp_one(struct docker_test *test, int status, const char *headers, const char *error,
                      const char *expected)
{
    struct stamp_outcome outcome = {0};
    struct error err;
    fake_transport_answer(test->fake, &(struct fake_answer){.status = status, .headers = headers});
    assert_int_equal(
        docker_path_stamp(test->docker, "node", "/etc/a b", stamp_done, &outcome, &err), 0);
    const struct fake_request *sent = fake_transport_last(test->fake);
    assert_int_equal(sent->method, HTTP_HEAD);
    assert_string_equal(sent->path, "/v1.41/containers/node/archive?path=%2Fetc%2Fa%20b");
    assert_int_equal(fake_transport_run(test->fake), 1);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.failed, error != NULL);
    if (error != NULL) {
        assert_string_equal(outcome.err.text, error);
    }
    assert_true(str_equal(outcome.stamp, expected));
    free(outcome.stamp);
}

static void test_stamp(void **state)
{
    struct docker_test *test = *state;
    // As Engine 20.10 said of a file.
    stamp_one(test, 200,
              "X-Docker-Container-Path-Stat: eyJuYW1lIjoiY29uZmlnLnltbCIsInNpemUiOjI5NSwibW9kZSI6M"
              "jkyLCJtdGltZSI6IjE5NzAtMDEtMDFUMDA6MDA6MDBaIiwibGlua1RhcmdldCI6IiJ9\r\n",
              NULL,
              "eyJuYW1lIjoiY29uZmlnLnltbCIsInNpemUiOjI5NSwibW9kZSI6M"
              "jkyLCJtdGltZSI6IjE5NzAtMDEtMDFUMDA6MDA6MDBaIiwibGlua1RhcmdldCI6IiJ9");
    stamp_one(test, 404, NULL, NULL, NULL);
    stamp_one(test, 200, NULL,
              "engine: look at /etc/a b in container node: the answer has no "
              "X-Docker-Container-Path-Stat",
              NULL);
    stamp_one(test, 500, NULL, "engine: look at /etc/a b in container node (HTTP 500)", NULL);
}

static void files_done(void *ctx, const struct docker_file *files, size_t count,
                       const struct error *err)
{
    struct outcome *outcome = ctx;
    outcome->calls++;
    outcome->failed = err != NULL;
    if (err != NULL) {
        assert_null(files);
        outcome->err = *err;
        return;
    }
    assert_int_equal(count, 3);
    assert_string_equal(files[0].path, "docker");
    assert_null(files[0].content);
    assert_string_equal(files[1].path, "docker/registry");
    assert_string_equal(files[2].path, "docker/registry/config.yml");
    assert_int_equal(files[2].length, 295);
    assert_int_equal(strlen(files[2].content), 295);
}

static void test_archive_get(void **state)
{
    struct docker_test *test = *state;
    struct error err;
    size_t length = 0;
    _cleanup_free_ char *tar = fixture_read("archive.tar", &length);
    const struct fake_answer answers[] = {
        {.status = 200, .body = tar, .length = length},
        {.status = 404, .body = "{\"message\":\"Could not find the file\"}"},
        {.status = 200, .body = tar, .length = 1200},
    };
    const char *const texts[] = {
        NULL,
        "engine: read /etc/docker in container node: Could not find the file (HTTP 404)",
        "engine: read /etc/docker in container node: tar: Truncated tar archive",
    };
    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        struct outcome outcome = {0};
        fake_transport_answer(test->fake, &answers[i]);
        assert_int_equal(
            docker_archive_get(test->docker, "node", "/etc/docker", files_done, &outcome, &err), 0);
        assert_string_equal(fake_transport_last(test->fake)->path,
                            "/v1.41/containers/node/archive?path=%2Fetc%2Fdocker");
        assert_int_equal(fake_transport_run(test->fake), 1);
        assert_int_equal(outcome.calls, 1);
        if (texts[i] == NULL) {
            assert_false(outcome.failed);
        } else {
            assert_string_equal(outcome.err.text, texts[i]);
        }
    }
}

static void test_put_refuses_bad_path(void **state)
{
    struct docker_test *test = *state;
    struct error err;
    char path[] = "../shadow";
    char content[] = "x";
    const struct docker_file file = {.path = path, .content = content, .length = 1};
    struct outcome outcome = {0};
    assert_int_equal(
        docker_archive_put(test->docker, "node", "/etc", &file, 1, outcome_done, &outcome, &err),
        -EINVAL);
    assert_string_equal(err.text, "engine: write below /etc in container node: tar: a path is "
                                  "absolute, empty, too long or has a .. in it");
    assert_int_equal(fake_transport_count(test->fake), test->first);
}

static void test_put_body(void **state)
{
    struct docker_test *test = *state;
    struct outcome outcome = {0};
    struct error err;
    char path[] = "certs.d/localhost:5000/hosts.toml";
    char content[] = "server = \"x\"\n";
    const struct docker_file file = {.path = path, .content = content, .length = strlen(content)};
    assert_int_equal(docker_archive_put(test->docker, "node", "/etc/containerd", &file, 1,
                                        outcome_done, &outcome, &err),
                     0);
    const struct fake_request *sent = fake_transport_last(test->fake);
    struct docker_file *files = NULL;
    size_t count = 0;
    assert_int_equal(docker_tar_read(sent->body, sent->body_length, &files, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_string_equal(files[0].path, "certs.d");
    assert_string_equal(files[1].path, "certs.d/localhost:5000");
    assert_string_equal(files[2].path, "certs.d/localhost:5000/hosts.toml");
    assert_string_equal(files[2].content, "server = \"x\"\n");
    docker_files_free(files, count);
    fake_transport_reply(test->fake, 200, NULL);
    assert_int_equal(fake_transport_run(test->fake), 1);
    assert_false(outcome.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_DOCKER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, docker_test_setup, docker_test_teardown)
        WITH_DOCKER(test_stamp),
        WITH_DOCKER(test_archive_get),
        WITH_DOCKER(test_put_body),
        WITH_DOCKER(test_put_refuses_bad_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
