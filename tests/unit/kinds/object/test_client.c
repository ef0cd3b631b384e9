// How a cluster's API is reached: by a node's admin.conf, or by kubernetes.kubeconfig.
#include "lib/kinds/object/client.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/docker/docker_tar.h"
#include "lib/kinds/object/object.h"
#include "tests/support/object_rig.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char kubeconfig[64]; // kubernetes.kubeconfig: this process's own file

static int setup_disconnected(void **state)
{
    (void)snprintf(kubeconfig, sizeof(kubeconfig), "/tmp/hostk8s-test-kubeconfig-%d",
                   (int)getpid());
    (void)object_rig_setup(state);
    struct object_rig *rig = *state;
    object_kind.invalidate(&rig->io, &rig->memory);
    return 0;
}

static size_t clients(const struct object_rig *rig)
{
    return fake_transport_endpoint_count(rig->fake);
}

static const struct fake_endpoint *latest_client(const struct object_rig *rig)
{
    return fake_transport_endpoint(rig->fake, clients(rig) - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_disconnected, object_rig_teardown)
#define CONFIG(server, context)                                                                    \
    "{apiVersion: v1, kind: Config, current-context: " context ", contexts: [{name: " context      \
    ", context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: \"" server         \
    "\"}}], users: [{name: u, user: {token: abc}}]}"
#define ADMIN_CONF CONFIG("https://dev-control-plane:6443", "a")

// ---- a node's admin.conf ----

static void on_negotiated(_unused_ void *ctx, _unused_ json_t *answer, const struct error *err)
{
    assert_null(err);
}

static void init_docker(struct object_rig *rig)
{
    const struct docker_options options = {.host = "unix:///docker.sock", .timeout_ms = 1000};
    object_rig_reset(rig);
    object_kind.invalidate(&rig->io, &rig->memory);
    assert_int_equal(docker_new(rig->io.transport, &options, &rig->io.docker, NULL), 0);
    assert_int_equal(docker_negotiate(rig->io.docker, on_negotiated, rig, NULL), 0);
    fake_transport_answer(rig->fake,
                          &(struct fake_answer){.status = 200, .headers = "Api-Version: 1.41\r\n"});
    (void)fake_transport_run(rig->fake);
}

// Answers the request for admin.conf, the latest, and all that follows.
static void reply_admin_conf(struct object_rig *rig, const char *text)
{
    char path[] = "admin.conf";
    const struct docker_file file = {.path = path, .content = (char *)text, .length = strlen(text)};
    _cleanup_buf_ struct buf tar = BUF_INIT(65536);
    assert_int_equal(docker_tar_write(&file, 1, &tar, NULL), 0);
    assert_string_equal(fake_transport_last(rig->fake)->path,
                        "/v1.41/containers/c0ffee/archive?path=%2Fetc%2Fkubernetes%2Fadmin.conf");
    fake_transport_answer(
        rig->fake,
        &(struct fake_answer){.status = 200, .body = buf_str(&tar), .length = tar.length});
    rig->served = fake_transport_count(rig->fake);
    object_rig_serve(rig);
}

static void test_admin_conf(void **state)
{
    struct object_rig *rig = *state;
    init_docker(rig);
    size_t before = clients(rig);
    assert_int_equal(object_rig_begin_observe(rig), 0);
    reply_admin_conf(rig, ADMIN_CONF);
    assert_int_equal(rig->done, 1);
    assert_int_equal(rig->err.kind, ERROR_NONE);
    assert_int_equal(clients(rig), before + 1);
    // As the engine publishes it, with the name that the certificate is for.
    assert_string_equal(latest_client(rig)->base, "https://127.0.0.1:6443");
    assert_string_equal(latest_client(rig)->tls_server_name, "dev-control-plane");
    assert_string_equal(latest_client(rig)->bearer_token, "abc");

    object_rig_observe(rig);
    assert_int_equal(clients(rig), before + 1);
    // Published elsewhere, it is read again.
    rig->api.host_address = "::";
    rig->api.host_port = 7443;
    assert_int_equal(object_rig_begin_observe(rig), 0);
    reply_admin_conf(rig, CONFIG("https://[fc00::1]:6443", "a"));
    assert_int_equal(rig->done, 1);
    assert_string_equal(latest_client(rig)->base, "https://[::1]:7443");
    assert_string_equal(latest_client(rig)->tls_server_name, "[fc00::1]");
    assert_true(fake_transport_endpoint(rig->fake, before)->freed);
}

static const struct {
    int status; // 200: body is admin.conf
    const char *body;
    enum error_kind kind;
    const char *text;
} failures[] = {
    {404, "{\"message\":\"no such file\"}", ERROR_TRANSIENT,
     "cannot read /etc/kubernetes/admin.conf of cluster dev: engine: read "
     "/etc/kubernetes/admin.conf in container c0ffee: no such file (HTTP 404)"},
    {403, "{\"message\":\"no\"}", ERROR_PERMANENT,
     "cannot read /etc/kubernetes/admin.conf of cluster dev: engine: read "
     "/etc/kubernetes/admin.conf in container c0ffee: no (HTTP 403)"},
    {200, "", ERROR_PERMANENT, "kubeconfig: current-context is not set"},
    {201, "", ERROR_TRANSIENT, "cluster dev has no /etc/kubernetes/admin.conf yet"},
};

static void test_admin_conf_fails(void **state)
{
    struct object_rig *rig = *state;
    static const char empty_tar[1024];
    for (size_t i = 0; i < ELEMENTS(failures); i++) {
        object_rig_reset(rig);
        init_docker(rig);
        assert_int_equal(object_rig_begin_observe(rig), 0);
        if (failures[i].status == 200) {
            reply_admin_conf(rig, failures[i].body);
        } else {
            bool no_file = failures[i].status == 201;
            fake_transport_answer(rig->fake, &(struct fake_answer){
                                                 .status = failures[i].status,
                                                 .body = no_file ? empty_tar : failures[i].body,
                                                 .length = no_file ? sizeof(empty_tar) : 0,
                                             });
            (void)fake_transport_run(rig->fake);
        }
        assert_int_equal(rig->done, 1);
        assert_int_equal(rig->err.kind, failures[i].kind);
        assert_string_equal(rig->err.text, failures[i].text);
    }
}

static void refused_one(struct object_rig *rig, enum error_kind kind, int code, const char *text)
{
    assert_int_equal(object_rig_begin_observe(rig), -code);
    assert_int_equal(rig->err.kind, kind);
    assert_string_equal(rig->err.text, text);
}

static void test_no_way(void **state)
{
    struct object_rig *rig = *state;
    refused_one(rig, ERROR_TRANSIENT, ENOTCONN, "there is no connection to the engine");
    rig->engine.api_count = 0;
    refused_one(rig, ERROR_TRANSIENT, ECONNREFUSED,
                "the API server's port of cluster dev is not published: is dev-control-plane "
                "running?");
    rig->engine.node_count = 0;
    refused_one(rig, ERROR_PERMANENT, ENOENT, "no kind cluster dev on this engine");
    rig->input.engine = NULL;
    refused_one(rig, ERROR_PERMANENT, ENOENT, "no kind cluster dev on this engine");
}

// Whoever connects is not heard any more: no client is left behind.
static void test_interrupted(void **state)
{
    struct object_rig *rig = *state;
    for (int i = 0; i < 4; i++) {
        object_rig_reset(rig);
        init_docker(rig);
        size_t before = clients(rig);
        bool file = i < 2;
        sample_set(&rig->config->kubeconfig, file ? "/dev/null" : NULL);
        assert_int_equal(object_rig_begin_observe(rig), 0);
        if (!file) {
            fake_transport_reply(rig->fake, 404, "{}");
        }
        object_rig_interrupt(rig, i % 2 == 0);
        assert_int_equal(clients(rig), before);
    }
}

// ---- kubernetes.kubeconfig ----

static void observe_by_file(struct object_rig *rig, const char *text)
{
    if (text != NULL) {
        FILE *file = fopen(kubeconfig, "we");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    assert_int_equal(object_rig_begin_observe(rig), 0);
    assert_int_equal(scripted_worker_run(rig->worker), text == NULL ? 0 : 1);
    object_rig_serve(rig);
    assert_int_equal(rig->done, 1);
}

static void test_kubeconfig(void **state)
{
    struct object_rig *rig = *state;
    sample_set(&rig->config->kubeconfig, kubeconfig);
    rig->input.engine = NULL; // nothing of it is needed
    observe_by_file(rig, CONFIG("https://cluster.example:443", "kind-dev"));
    assert_int_equal(rig->err.kind, ERROR_NONE);
    size_t count = clients(rig);
    assert_string_equal(latest_client(rig)->base, "https://cluster.example:443");
    // As long as they do the credentials are not read again.
    observe_by_file(rig, NULL);
    assert_int_equal(clients(rig), count);
    object_rig_rule(rig, "GET /api/v1/services", 401, "{}");
    observe_by_file(rig, NULL);
    assert_int_equal(rig->err.status, 401);
    object_rig_clear_rules(rig);
    observe_by_file(rig, CONFIG("https://other.example:443", "kind-dev"));
    assert_int_equal(clients(rig), count + 1);
    assert_string_equal(latest_client(rig)->base, "https://other.example:443");
    (void)unlink(kubeconfig);
}

static void test_kubeconfig_fails(void **state)
{
    struct object_rig *rig = *state;
    sample_set(&rig->config->kubeconfig, kubeconfig);
    observe_by_file(rig, CONFIG("https://cluster.example:443", "kind-other"));
    assert_int_equal(rig->err.code, ENOENT); // there is no such cluster
    (void)unlink(kubeconfig);
    assert_int_equal(object_rig_begin_observe(rig), 0);
    (void)scripted_worker_run(rig->worker);
    assert_int_equal(rig->err.code, ENOTDIR);
    _cleanup_free_ char *missing = str_printf(
        "kubernetes.kubeconfig %s cannot be read: No such file or directory", kubeconfig);
    assert_string_equal(rig->err.text, missing);
    sample_set(&rig->config->kubeconfig, "/");
    assert_int_equal(object_rig_begin_observe(rig), 0);
    (void)scripted_worker_run(rig->worker);
    assert_int_equal(rig->err.code, EINVAL);
    assert_int_equal(object_rig_begin_observe(rig), 0);
    assert_int_equal(scripted_worker_time_out(rig->worker), 1);
    assert_int_equal(rig->err.code, ETIMEDOUT);
    assert_string_equal(rig->err.text, "kubernetes.kubeconfig: timed out");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_admin_conf),  TEST(test_admin_conf_fails), TEST(test_no_way),
        TEST(test_interrupted), TEST(test_kubeconfig),       TEST(test_kubeconfig_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
