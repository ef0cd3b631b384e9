// What an observation of a node asks, and what comes of the answers.
#include "lib/kinds/node/observe.h"

#include "lib/base/str.h"
#include "lib/kinds/node/node.h"
#include "tests/support/node_rig.h"

#include <errno.h>
#include <string.h>

// The requests, as assert_node_requests has them.
#define ARCHIVE "/containers/n1/archive?path=%2Fetc%2Fcontainerd"
#define HEAD_(path) "HEAD " ARCHIVE path "\n"
#define HEAD_ALIAS(alias) HEAD_("%2Fcerts.d%2F" alias "%2Fhosts.toml")
#define HEADS                                                                                      \
    HEAD_("%2Fconfig.toml")                                                                        \
    HEAD_("%2Fcerts.d")                                                                            \
    HEAD_ALIAS("localhost%3A5000")                                                                 \
    HEAD_ALIAS("localhost%3A5002")                                                                 \
    HEAD_ALIAS("127.0.0.1%3A5002")                                                                 \
    HEAD_ALIAS("hostk8s-registry%3A5000")
#define HEAD_COUNT 6
#define GET "GET " ARCHIVE "\n"
#define INSPECT "GET /containers/n1/json\n" // once
#define ASK "POST /containers/n1/exec\nPOST /exec/e1/start\nGET /exec/e1/json\n"

#define PLAIN                                                                                      \
    "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n"                              \
    "config_path = \"/etc/containerd/certs.d\"\n"
#define DUMP_OTHER                                                                                 \
    "[plugins.'io.containerd.cri.v1.images'.registry]\r\nconfig_path = '/x'\r\n"                   \
    "containerd x v2.3.4 y\r\n"

// ---- reading ----

static void assert_dir(const struct node_current *current, const char *name, const char *content,
                       const char *not_directory, const char *not_file)
{
    const struct hosts_dir *dir = node_current_dir(current, name);
    assert_non_null(dir);
    assert_true(str_equal(dir->content, content));
    assert_true(str_equal(dir->not_directory, not_directory));
    assert_true(str_equal(dir->not_file, not_file));
}

static void test_directories(void **state)
{
    static const struct {
        const char *path;
        const char *content;
        const char *special;
    } files[] = {
        {"certs.d", NULL, NULL},
        {"certs.d/a:1", NULL, NULL},
        {"certs.d/b:2/hosts.toml", "b", NULL}, // before its directory
        {"certs.d/b:2", NULL, NULL},
        {"certs.d/a:1/hosts.toml", "", NULL},
        {"certs.d/_default", NULL, NULL},
        {"certs.d/c", "text", NULL},
        {"certs.d/d", NULL, "a symbolic link"},
        {"certs.d/e/hosts.toml", NULL, NULL},
        {"certs.d/f/hosts.toml", NULL, "a device"},
        // Of no interest.
        {"config.toml", "x", NULL},
        {"certs.d2/a:1/hosts.toml", "x", NULL},
        {"certs.d/g:1/ca.crt", "x", NULL},
        {"certs.d/g:1/hosts.toml/x", "x", NULL},
        {"certs.d/g:1/x/hosts.toml", "x", NULL},
        {"certs.d/$(reboot)/hosts.toml", "x", NULL},
        {"certs.d//hosts.toml", "x", NULL},
        {"certs.d/", NULL, NULL},
    };
    (void)state;
    struct node_current *current = node_current_new("id");
    for (size_t i = 0; i < ELEMENTS(files); i++) {
        node_current_add_file(current, files[i].path, files[i].content, files[i].special);
    }
    assert_int_equal(current->dir_count, 7);
    assert_dir(current, "a:1", "", NULL, NULL);
    assert_dir(current, "b:2", "b", NULL, NULL);
    assert_dir(current, "_default", NULL, NULL, NULL);
    assert_dir(current, "c", NULL, "a file", NULL);
    assert_dir(current, "d", NULL, "a symbolic link", NULL);
    assert_dir(current, "e", NULL, NULL, "a directory");
    assert_dir(current, "f", NULL, NULL, "a device");
    assert_null(node_current_dir(current, "g:1"));
    node_current_unref(current);
}

static void test_files_are_read(void **state)
{
    struct node_rig *rig = *state;
    static const struct rig_file files[] = {
        {"containerd/config.toml", PLAIN},
        {"containerd/certs.d/localhost:5000/hosts.toml", "text"},
        {"containerd/certs.d/localhost:5000/ca.crt", "a certificate"},
        {"containerd/certs.d/_default", NULL},
        {"containerd/cri-base.json", "{}"},
    };
    node_rig_answer_stamps(rig, HEAD_COUNT, "a");
    node_rig_answer_files(rig, files, ELEMENTS(files));
    node_rig_answer_container(rig, "[\"HTTP_PROXY=p\", \"NO_PROXY=a\"]");
    node_rig_observe(rig);
    assert_node_requests(rig, HEADS GET INSPECT);
    assert_string_equal(rig->current->proxy.variable, "HTTP_PROXY");
    assert_string_equal(rig->current->proxy.no_proxy, "a");
    assert_int_equal(rig->current->dir_count, 2);
    assert_dir(rig->current, "localhost:5000", "text", NULL, NULL);
    assert_dir(rig->current, "_default", NULL, NULL, NULL);
    assert_int_equal(rig->current->config_path, CONFIG_PATH_ENABLED);
}

static void test_nothing_there(void **state)
{
    struct node_rig *rig = *state;
    node_rig_answer_stamps(rig, HEAD_COUNT, NULL);
    fake_transport_reply(rig->fake, 404, "{\"message\":\"no such path\"}");
    node_rig_answer_container(rig, "null");
    node_rig_answer_exec(rig, "containerd x v2.3.4 y\r\n", 0);
    node_rig_observe(rig);
    assert_node_requests(rig, HEADS GET INSPECT ASK);
    assert_int_equal(rig->current->dir_count, 0);
    assert_int_equal(rig->current->config_path, CONFIG_PATH_ENABLED);
}

// Where config.toml is not a simple one, or a directory has its place; that containerd could not
// say is kept, too.
static void test_containerd_is_asked(void **state)
{
    static const struct {
        const char *config_toml;
        int exit_code;
        enum config_path expected;
    } cases[] = {
        {"version = 2\n", 0, CONFIG_PATH_OTHER},
        {NULL, 0, CONFIG_PATH_OTHER},
        {"version = 2\n", 127, CONFIG_PATH_UNKNOWN},
    };
    struct node_rig *rig = *state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        node_kind.invalidate(&rig->io, &rig->memory);
        node_rig_answer_stamps(rig, HEAD_COUNT, "a");
        node_rig_answer_config(rig, cases[i].config_toml);
        node_rig_answer_container(rig, "[]");
        node_rig_answer_exec(rig, DUMP_OTHER, cases[i].exit_code);
        node_rig_observe(rig);
        assert_node_requests(rig, HEADS GET INSPECT ASK);
        node_rig_answer_stamps(rig, HEAD_COUNT, "a");
        node_rig_observe(rig);
        assert_node_requests(rig, HEADS);
        assert_int_equal(rig->current->config_path, cases[i].expected);
    }
}

// ---- nothing changed ----

// The stamps are "a", but those from the first to the last one.
static void read_again(struct node_rig *rig, size_t first, size_t last)
{
    node_rig_answer_stamps(rig, first, "a");
    node_rig_answer_stamps(rig, last - first, first % 2 == 0 ? "b" : NULL);
    node_rig_answer_stamps(rig, HEAD_COUNT - last, "a");
    node_rig_answer_config(rig, PLAIN);
    if (rig->memory == NULL || str_equal(rig->node->id, "n2")) {
        node_rig_answer_container(rig, "[\"http_proxy=p\", \"no_proxy=a\"]");
    }
    node_rig_observe(rig);
    assert_int_equal(rig->current->config_path, CONFIG_PATH_ENABLED);
    assert_string_equal(rig->current->proxy.variable, "http_proxy");
    assert_string_equal(rig->current->proxy.no_proxy, "a");
}

static void test_unchanged(void **state)
{
    struct node_rig *rig = *state;
    read_again(rig, 0, 0);
    assert_node_requests(rig, HEADS GET INSPECT);
    for (size_t i = 0; i < 2; i++) {
        node_rig_answer_stamps(rig, HEAD_COUNT, "a");
        node_rig_observe(rig);
        assert_node_requests(rig, HEADS);
        assert_int_equal(rig->current->config_path, CONFIG_PATH_ENABLED);
    }
    // Each stamp counts, also that there is nothing any more.
    for (size_t i = 0; i < HEAD_COUNT; i++) {
        read_again(rig, i, i + 1);
        assert_node_requests(rig, HEADS GET);
    }
    // Files that were copied into it; a node made anew, and one whose memory went.
    read_again(rig, 0, 0);
    // Those are no older than what is told of before they are read.
    assert_int_equal(node_rig_start(rig), 0);
    rig->node->writes++;
    node_rig_answer_stamps(rig, HEAD_COUNT, "a");
    node_rig_answer_config(rig, PLAIN);
    (void)fake_transport_run(rig->fake);
    node_rig_answer_stamps(rig, HEAD_COUNT, "a");
    node_rig_observe(rig);
    node_kind.invalidate(&rig->io, &rig->memory);
    read_again(rig, 0, 0);
    assert_node_requests(rig, HEADS GET HEADS GET HEADS HEADS GET INSPECT);
    rig->node->id = "n2";
    read_again(rig, 0, 0);
    assert_string_equal(fake_transport_last(rig->fake)->path, "/v1.41/containers/n2/json");
}

static void test_failure_changes_nothing(void **state)
{
    struct node_rig *rig = *state;
    read_again(rig, 0, 0);
    node_rig_answer_stamps(rig, HEAD_COUNT, "b");
    fake_transport_fail(rig->fake, ERROR_TRANSIENT, ECONNRESET, "gone");
    node_rig_observe(rig);
    assert_null(rig->current);
    assert_node_requests(rig, HEADS GET INSPECT HEADS GET);
    node_rig_answer_stamps(rig, HEAD_COUNT, "a");
    node_rig_observe(rig);
    assert_node_requests(rig, HEADS);
}

// ---- imports ----

#define IMPORTS "imports = [\"conf.d/*.toml\", \"/opt/x.toml\", \"/srv/?/y.toml\", \"/*.toml\"]\n"
#define HEAD_AT(path) "HEAD /containers/n1/archive?path=" path "\n"
#define HEAD_IMPORTS                                                                               \
    HEAD_("%2Fconf.d")                                                                             \
    HEAD_("%2Fconf.d%2Fa.toml")                                                                    \
    HEAD_("%2Fconf.d%2Fb.toml")                                                                    \
    HEAD_AT("%2Fopt%2Fx.toml") HEAD_AT("%2Fsrv") HEAD_AT("%2F")
#define IMPORT_COUNT 6

static void read_imports(struct node_rig *rig)
{
    static const struct rig_file files[] = {
        {"containerd/conf.d/a.toml", ""},   {"containerd/config.toml", IMPORTS},
        {"containerd/conf.d/b.toml", ""},   {"containerd/conf.d/c.json", ""},
        {"containerd/conf.d/d/e.toml", ""},
    };
    node_rig_answer_files(rig, files, ELEMENTS(files));
    node_rig_answer_stamps(rig, IMPORT_COUNT, "a");
    if (rig->memory == NULL) {
        node_rig_answer_container(rig, "[]");
    }
    node_rig_answer_exec(rig, DUMP_OTHER, 0);
}

static void test_imports(void **state)
{
    struct node_rig *rig = *state;
    node_rig_answer_stamps(rig, HEAD_COUNT, "a");
    read_imports(rig);
    node_rig_observe(rig);
    assert_node_requests(rig, HEADS GET HEAD_IMPORTS INSPECT ASK);
    assert_int_equal(rig->current->config_path, CONFIG_PATH_OTHER);

    node_rig_answer_stamps(rig, HEAD_COUNT + IMPORT_COUNT, "a");
    node_rig_observe(rig);
    assert_node_requests(rig, HEADS HEAD_IMPORTS);

    // Those of before may be others now.
    node_rig_answer_stamps(rig, HEAD_COUNT + IMPORT_COUNT - 1, "a");
    node_rig_answer_stamps(rig, 1, "b");
    read_imports(rig);
    node_rig_observe(rig);
    assert_node_requests(rig, HEADS HEAD_IMPORTS GET HEAD_IMPORTS ASK);

    node_rig_answer_stamps(rig, HEAD_COUNT, "b");
    node_rig_answer_stamps(rig, IMPORT_COUNT, "a");
    node_rig_answer_config(rig, PLAIN);
    node_rig_observe(rig);
    assert_node_requests(rig, HEADS HEAD_IMPORTS GET);
    node_rig_answer_stamps(rig, HEAD_COUNT, "b");
    node_rig_observe(rig);
    assert_node_requests(rig, HEADS);
}

// More than are stamped, in a pattern or by name.
static void test_many_imports(void **state)
{
    struct node_rig *rig = *state;
    struct rig_file files[2 * CONFIG_IMPORTS_MAX] = {{"containerd/config.toml", IMPORTS}};
    for (size_t i = 1; i < ELEMENTS(files); i++) {
        files[i].path = str_printf("containerd/conf.d/%zu.toml", i);
        files[i].content = "";
    }
    node_rig_answer_stamps(rig, HEAD_COUNT, "a");
    node_rig_answer_files(rig, files, ELEMENTS(files));
    node_rig_answer_stamps(rig, CONFIG_IMPORTS_MAX, "a");
    node_rig_answer_container(rig, "[]");
    node_rig_answer_exec(rig, DUMP_OTHER, 0);
    node_rig_observe(rig);
    assert_int_equal(rig->current->path_count, HEAD_COUNT + CONFIG_IMPORTS_MAX);
    for (size_t i = 1; i < ELEMENTS(files); i++) {
        free((char *)files[i].path);
    }
}

// ---- config.toml as it was ----

#define HEAD_REPAIR                                                                                \
    HEAD_("%2Fconfig.toml.hostk8s-registryd")                                                      \
    "HEAD /containers/n1/archive?path=%2Fetc%2Fkubernetes%2Fkubelet.conf\n"

static void test_former_file(void **state)
{
    struct node_rig *rig = *state;
    static const struct rig_file files[] = {
        {"containerd/config.toml", PLAIN},
        {"containerd/config.toml.hostk8s-registryd", "former"},
        {"containerd/config.toml.hostk8s-registryd.new", "new"},
    };
    for (size_t count = 1; count <= ELEMENTS(files); count++) {
        node_kind.invalidate(&rig->io, &rig->memory);
        node_rig_answer_stamps(rig, HEAD_COUNT, "a");
        node_rig_answer_files(rig, files, count);
        node_rig_answer_container(rig, "[]");
        node_rig_observe(rig);
        assert_true(str_equal(rig->current->config_toml, count == 1 ? NULL : PLAIN));
        assert_true(str_equal(rig->current->former, count == 1 ? NULL : "former"));
        assert_int_equal(rig->current->staged, count == 3);
        assert_false(rig->current->set_up);
    }
}

// What is not as it should be may be edited: it is known what that depends on.
static void test_repair(void **state)
{
    struct node_rig *rig = *state;
    rig->config->nodes.config_path = CURE_REPAIR;
    for (size_t i = 0; i < 2; i++) {
        node_rig_answer_stamps(rig, HEAD_COUNT, "a");
        node_rig_answer_stamps(rig, 1, NULL);
        node_rig_answer_stamps(rig, 1, i == 0 ? NULL : "a");
        node_rig_answer_config(rig, "version = 2\n");
        if (i == 0) {
            node_rig_answer_container(rig, "[]");
        }
        node_rig_answer_exec(rig, DUMP_OTHER, 0);
        node_rig_observe(rig);
        assert_node_requests(rig, i == 0 ? HEADS HEAD_REPAIR GET INSPECT ASK
                                         : HEADS HEAD_REPAIR GET ASK);
        assert_string_equal(rig->current->config_toml, "version = 2\n");
        assert_int_equal(rig->current->set_up, i == 1);
    }
    node_rig_answer_stamps(rig, HEAD_COUNT, "a");
    node_rig_answer_stamps(rig, 1, NULL);
    node_rig_answer_stamps(rig, 1, "a");
    node_rig_observe(rig);
    assert_node_requests(rig, HEADS HEAD_REPAIR);
    assert_true(rig->current->set_up);
}

// ---- failures ----

static void test_not_begun(void **state)
{
    struct node_rig *rig = *state;
    fake_transport_refuse(rig->fake, 1, ECONNREFUSED);
    assert_int_equal(node_rig_start(rig), -ECONNREFUSED);
    rig->node->running = false;
    assert_int_equal(node_rig_start(rig), -EHOSTDOWN);
    assert_int_equal(rig->err.kind, ERROR_CONFLICT);
    assert_string_equal(rig->err.text, "node hostk8s-worker is not running");
    rig->input.name = "gone";
    assert_int_equal(node_rig_start(rig), -EHOSTDOWN);
    rig->input.name = TEST_NODE;
    rig->node->running = true;
    rig->io.docker = NULL;
    assert_int_equal(node_rig_start(rig), -ENOTCONN);
    assert_int_equal(rig->err.kind, ERROR_TRANSIENT);
    assert_node_requests(rig, "");
    node_kind.cancel(&rig->io, rig->memory, true);
}

static void on_other_stamp(void *ctx, const char *stamp, const struct error *err)
{
    assert_null(stamp);
    assert_null(err);
    ++*(size_t *)ctx;
}

// Another key's calls of the same client go on.
static void test_cancel_is_for_one_node(void **state)
{
    struct node_rig *rig = *state;
    size_t told = 0;
    assert_int_equal(node_rig_start(rig), 0);
    assert_int_equal(
        docker_path_stamp(rig->io.docker, "another", "/etc", on_other_stamp, &told, NULL), 0);
    node_kind.cancel(&rig->io, rig->memory, true);
    fake_transport_run(rig->fake);
    assert_int_equal(rig->calls, 1);
    assert_int_equal(rig->err.code, ECANCELED);
    assert_int_equal(told, 0);
    fake_transport_reply(rig->fake, 404, "");
    fake_transport_run(rig->fake);
    assert_int_equal(told, 1);
}

// The observation up to this request, whose answer is to come. Returns whether it is one.
static void script(struct node_rig *rig, size_t answered)
{
    node_rig_answer_stamps(rig, answered < HEAD_COUNT ? answered : HEAD_COUNT, "b");
    if (answered > HEAD_COUNT) {
        node_rig_answer_config(rig, "version = 2\n");
    }
    if (answered > HEAD_COUNT + 1) {
        node_rig_answer_container(rig, "[]");
    }
    if (answered > HEAD_COUNT + 2) {
        fake_transport_reply(rig->fake, 201, "{\"Id\":\"e1\"}");
    }
    if (answered > HEAD_COUNT + 3) {
        fake_transport_reply(rig->fake, 200, "");
    }
}

// So many requests are answered, then one fails, or is refused when it is to be sent, or cancelled.
static void test_each_failure(void **state)
{
    struct node_rig *rig = *state;
    for (size_t answered = 0; answered < HEAD_COUNT + 5; answered++) {
        script(rig, answered);
        fake_transport_fail(rig->fake, ERROR_TRANSIENT, ECONNRESET, "gone");
        node_rig_observe(rig);
        assert_int_equal(rig->err.code, ECONNRESET);

        script(rig, answered);
        assert_int_equal(node_rig_start(rig), 0);
        while (fake_transport_advance(rig->fake)) {
        }
        node_kind.cancel(&rig->io, rig->memory, false);
        assert_int_equal(rig->calls, 0);
        fake_transport_run(rig->fake);
        assert_int_equal(rig->calls, 1);
        assert_int_equal(rig->err.code, ECANCELED);
    }
    for (size_t answered = 1; answered < HEAD_COUNT + 3; answered++) {
        script(rig, answered);
        assert_int_equal(node_rig_start(rig), 0);
        for (size_t i = 1; i < answered; i++) {
            assert_true(fake_transport_advance(rig->fake));
        }
        fake_transport_refuse(rig->fake, 1, ECONNREFUSED);
        assert_int_equal(fake_transport_run(rig->fake), 1);
        assert_int_equal(rig->calls, 1);
        assert_int_equal(rig->err.code, ECONNREFUSED);
    }
}

static void test_refused_answers(void **state)
{
    static const struct {
        int status;
        bool fails;
    } cases[] = {
        {404, true},                // the container is gone
        {409, true},                // or stopped
        {500, true},  {400, false}, // it has no shell
        {403, false},               // a proxy before the engine allows no exec
    };
    struct node_rig *rig = *state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        node_kind.invalidate(&rig->io, &rig->memory);
        script(rig, HEAD_COUNT + 2);
        fake_transport_reply(rig->fake, cases[i].status, "{\"message\":\"no\"}");
        node_rig_observe(rig);
        assert_int_equal(rig->err.status, cases[i].fails ? cases[i].status : 0);
        if (!cases[i].fails) {
            assert_int_equal(rig->current->config_path, CONFIG_PATH_UNKNOWN);
        }
    }
    node_kind.invalidate(&rig->io, &rig->memory);
    script(rig, HEAD_COUNT);
    fake_transport_reply(rig->fake, 409, "{\"message\":\"no\"}"); // to the GET
    node_rig_observe(rig);
    assert_int_equal(rig->err.status, 409);
    assert_false(node_rig_knows(rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directories),
        NODE_TEST(test_files_are_read),
        NODE_TEST(test_nothing_there),
        NODE_TEST(test_containerd_is_asked),
        NODE_TEST(test_unchanged),
        NODE_TEST(test_failure_changes_nothing),
        NODE_TEST(test_imports),
        NODE_TEST(test_many_imports),
        NODE_TEST(test_former_file),
        NODE_TEST(test_repair),
        NODE_TEST(test_not_begun),
        NODE_TEST(test_cancel_is_for_one_node),
        NODE_TEST(test_each_failure),
        NODE_TEST(test_refused_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
