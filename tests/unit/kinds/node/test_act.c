// The requests that change a node's files.
#include "lib/kinds/node/act.h"

#include "lib/base/str.h"
#include "lib/docker/docker_tar.h"
#include "lib/kinds/node/node.h"
#include "tests/support/node_rig.h"

#include <errno.h>

static struct plan_file files[] = {{"a:1", "one"}, {"b:2", "two\n"}};
static const struct action actions[] = {
    [NODE_HOSTS_WRITE] = {.op = NODE_HOSTS_WRITE,
                          .resource = "node/x",
                          .target = "n1",
                          .files = files,
                          .file_count = 2},
    [NODE_HOSTS_REMOVE] = {.op = NODE_HOSTS_REMOVE,
                           .resource = "node/x",
                           .target = "n1",
                           .files = files,
                           .file_count = 2},
    [NODE_CONFIG_REPAIR] = {.op = NODE_CONFIG_REPAIR,
                            .resource = "node/x",
                            .target = "n1",
                            .files = files,
                            .file_count = 2},
    [NODE_CONFIG_RESTORE] = {.op = NODE_CONFIG_RESTORE, .resource = "node/x", .target = "n1"},
};

static const struct fake_request *first_request(const struct node_rig *rig)
{
    return fake_transport_request(rig->fake, docker_test.first);
}

static void test_write(void **state)
{
    struct node_rig *rig = *state;
    rig->memory = node_current_new("id");
    assert_int_equal(node_rig_act(rig, &actions[NODE_HOSTS_WRITE]), 0);
    assert_false(node_rig_knows(rig)); // what it says is no longer so
    fake_transport_reply(rig->fake, 200, NULL);
    fake_transport_run(rig->fake);
    assert_int_equal(rig->calls, 1);
    assert_int_equal(rig->err.kind, ERROR_NONE);

    const struct fake_request *put = first_request(rig);
    assert_int_equal(put->method, HTTP_PUT);
    assert_string_equal(put->path, "/v1.41/containers/n1/archive?path=%2Fetc%2Fcontainerd"
                                   "&noOverwriteDirNonDir=true");
    struct docker_file *written = NULL;
    size_t count = 0;
    assert_int_equal(docker_tar_read(put->body, put->body_length, NULL, &written, &count, NULL), 0);
    static const struct rig_file expected[] = {{"certs.d", NULL},
                                               {"certs.d/a:1", NULL},
                                               {"certs.d/a:1/hosts.toml", "one"},
                                               {"certs.d/b:2", NULL},
                                               {"certs.d/b:2/hosts.toml", "two\n"}};
    assert_int_equal(count, ELEMENTS(expected));
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(written[i].path, expected[i].path);
        assert_true(str_equal(written[i].content, expected[i].content));
    }
    docker_files_free(written, count);
}

static void test_remove(void **state)
{
    struct node_rig *rig = *state;
    rig->memory = node_current_new("id");
    assert_int_equal(node_rig_act(rig, &actions[NODE_HOSTS_REMOVE]), 0);
    assert_false(node_rig_knows(rig));
    node_rig_answer_exec(rig, "", 0);
    fake_transport_run(rig->fake);
    assert_int_equal(rig->calls, 1);
    assert_int_equal(rig->err.kind, ERROR_NONE);
    assert_string_equal(first_request(rig)->path, "/v1.41/containers/n1/exec");
    assert_string_equal(
        first_request(rig)->body,
        "{\"Cmd\":[\"find\",\"/etc/containerd/certs.d/a:1\",\"/etc/containerd/certs.d/b:2\","
        "\"-maxdepth\",\"1\",\"(\",\"-type\",\"f\",\"-name\",\"hosts.toml\",\"-o\",\"-type\","
        "\"d\",\"-empty\",\")\",\"-delete\"],\"AttachStdout\":true,\"AttachStderr\":true,"
        "\"Tty\":true}");

    secrets_add(rig->io.secrets, "hunter2222");
    assert_int_equal(node_rig_act(rig, &actions[NODE_HOSTS_REMOVE]), 0);
    node_rig_answer_exec(rig, "find: hunter2222: read-only\r\n", 1);
    fake_transport_run(rig->fake);
    assert_int_equal(rig->err.kind, ERROR_PERMANENT);
    assert_int_equal(rig->err.code, EIO);
    assert_string_equal(rig->err.text, "node/x: find ended with 1: find: ***: read-only");
}

#define SCRIPT "{\"Cmd\":[\"sh\",\"-c\",\"cd /etc/containerd || exit\\n"

// Both files, then a command, which says why it failed.
static void test_repair(void **state)
{
    struct node_rig *rig = *state;
    rig->memory = node_current_new("id");
    assert_int_equal(node_rig_act(rig, &actions[NODE_CONFIG_REPAIR]), 0);
    assert_false(node_rig_knows(rig));
    fake_transport_reply(rig->fake, 200, NULL);
    node_rig_answer_exec(rig, "Job failed.\r\nthe former file is back\r\n", 1);
    fake_transport_run(rig->fake);
    assert_int_equal(rig->calls, 1);
    assert_string_equal(rig->err.text, "node/x: the edit of /etc/containerd/config.toml ended with "
                                       "1: Job failed. the former file is back");

    const struct fake_request *put = first_request(rig);
    assert_int_equal(put->method, HTTP_PUT);
    struct docker_file *written = NULL;
    size_t count = 0;
    assert_int_equal(docker_tar_read(put->body, put->body_length, NULL, &written, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(written[0].path, "a:1");
    assert_string_equal(written[1].content, "two\n");
    docker_files_free(written, count);
    const struct fake_request *exec = fake_transport_request(rig->fake, docker_test.first + 1);
    assert_string_equal(exec->path, "/v1.41/containers/n1/exec");
    assert_true(str_starts_with(exec->body, SCRIPT "refuse()"));
}

// Nothing is run over files that were not written.
static void test_repair_ends_between(void **state)
{
    struct node_rig *rig = *state;
    assert_int_equal(node_rig_act(rig, &actions[NODE_CONFIG_REPAIR]), 0);
    fake_transport_reply(rig->fake, 500, "{\"message\":\"full\"}");
    fake_transport_run(rig->fake);
    assert_int_equal(rig->err.status, 500);
    assert_int_equal(fake_transport_count(rig->fake), docker_test.first + 1);

    assert_int_equal(node_rig_act(rig, &actions[NODE_CONFIG_REPAIR]), 0);
    fake_transport_reply(rig->fake, 200, NULL);
    fake_transport_refuse(rig->fake, 1, ECONNREFUSED);
    fake_transport_run(rig->fake);
    assert_int_equal(rig->calls, 1);
    assert_int_equal(rig->err.code, ECONNREFUSED);
}

static void test_restore(void **state)
{
    struct node_rig *rig = *state;
    assert_int_equal(node_rig_act(rig, &actions[NODE_CONFIG_RESTORE]), 0);
    node_rig_answer_exec(rig, "", 0);
    fake_transport_run(rig->fake);
    assert_int_equal(rig->err.kind, ERROR_NONE);
    assert_true(str_starts_with(first_request(rig)->body, SCRIPT "cmp -s "));
}

static void test_failures(void **state)
{
    struct node_rig *rig = *state;
    for (size_t op = 0; op < NODE_OPS; op++) {
        fake_transport_refuse(rig->fake, 1, ECONNREFUSED);
        assert_int_equal(node_rig_act(rig, &actions[op]), -ECONNREFUSED);
        assert_int_equal(rig->calls, 0);

        assert_int_equal(node_rig_act(rig, &actions[op]), 0);
        fake_transport_reply(rig->fake, 409, "{\"message\":\"stopped\"}");
        fake_transport_run(rig->fake);
        assert_int_equal(rig->calls, 1);
        assert_int_equal(rig->err.status, 409);

        // A change is not given up with what only reads.
        assert_int_equal(node_rig_act(rig, &actions[op]), 0);
        node_kind.cancel(&rig->io, rig->memory, false);
        assert_int_equal(fake_transport_run(rig->fake), 0);
        node_kind.cancel(&rig->io, rig->memory, true);
        fake_transport_run(rig->fake);
        assert_int_equal(rig->calls, 1);
        assert_int_equal(rig->err.code, ECANCELED);
    }
    rig->io.docker = NULL;
    assert_int_equal(node_rig_act(rig, &actions[NODE_HOSTS_WRITE]), -ENOTCONN);
    assert_int_equal(rig->err.kind, ERROR_TRANSIENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(test_write),   NODE_TEST(test_remove),
        NODE_TEST(test_repair),  NODE_TEST(test_repair_ends_between),
        NODE_TEST(test_restore), NODE_TEST(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
