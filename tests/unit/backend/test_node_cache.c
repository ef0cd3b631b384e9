// What one process leaves to the next: nodes' files that it need not read, as long as they are as
// they were.
#include "tests/support/rig.h"

#include "lib/backend/backend.h"
#include "lib/base/str.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX (64u * 1024u)
#define NODE "hostk8s-control-plane"
#define CERTS "/etc/containerd/certs.d"
#define OWN "# managed by hostk8s-registryd\n"
#define READ_TREE "GET /v1.41/containers/id000003/archive?path=%2Fetc%2Fcontainerd\n"
#define STAMP "HEAD /v1.41/containers/id000003/archive?path=%2Fetc%2Fcontainerd%2F"

static struct sim_files *node_files(const struct rig *rig)
{
    return &sim_engine_find(rig->sim->engine, NODE)->files;
}

// A machine on which a process has converged everything, and what that leaves.
static struct rig *left_rig(struct buf *text)
{
    struct rig *rig = rig_new();
    assert_int_equal(rig_start(rig, sample_config(), RECONCILE_ONCE), 0);
    rig_converge(rig);
    assert_int_equal(backend_print_cache(rig->backend, text), 0);
    rig_stop(rig);
    return rig;
}

// The next process with text, and its requests.
static void next_process(struct rig *rig, struct config *config, const struct buf *text,
                         struct buf *log)
{
    assert_int_equal(rig_start(rig, config, RECONCILE_ONCE), 0);
    assert_int_equal(backend_load_cache(rig->backend, text->data, text->length), 0);
    sim_http_record(rig->sim->http, log);
    rig_converge(rig);
    sim_http_record(rig->sim->http, NULL);
}

static void nothing(struct rig *rig)
{
    (void)rig;
}

static void edit(struct rig *rig)
{
    sim_files_write(node_files(rig), CERTS "/localhost:5002/hosts.toml", OWN "server = 1\n");
}

static void remove_file(struct rig *rig)
{
    sim_files_remove(node_files(rig), CERTS "/localhost:5002/hosts.toml");
}

static void add_left_over(struct rig *rig)
{
    sim_files_write(node_files(rig), CERTS "/former:5000/hosts.toml", OWN "server = 1\n");
}

static void edit_containerd(struct rig *rig)
{
    const struct sim_file *file = sim_files_get(node_files(rig), "/etc/containerd/config.toml");
    _cleanup_free_ char *text = str_printf("%s\n# edited\n", file->content);
    sim_files_write(node_files(rig), "/etc/containerd/config.toml", text);
}

static void make_cluster_anew(struct rig *rig)
{
    sim_remove_cluster(rig->sim, "hostk8s");
    sim_add_cluster(rig->sim, "hostk8s", 6444);
}

static const struct {
    const char *name;
    void (*meanwhile)(struct rig *rig);
    bool reads;
} cases[] = {
    {"nothing", nothing, false},
    {"a file edited", edit, true},
    {"a file removed", remove_file, true},
    {"what another configuration left", add_left_over, true},
    {"containerd's configuration edited", edit_containerd, true},
    {"the cluster made anew", make_cluster_anew, true},
};

static void test_next_process(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        print_message("%s\n", cases[i].name);
        _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
        _cleanup_buf_ struct buf log = BUF_INIT(TEXT_MAX);
        struct rig *rig = left_rig(&text);
        cases[i].meanwhile(rig);
        next_process(rig, sample_config(), &text, &log);
        assert_int_equal(strstr(buf_str(&log), "archive?path=%2Fetc%2Fcontainerd\n") != NULL,
                         cases[i].reads);
        assert_null(sim_files_get(node_files(rig), CERTS "/former:5000"));
        assert_string_not_equal(
            sim_files_get(node_files(rig), CERTS "/localhost:5002/hosts.toml")->content,
            OWN "server = 1\n");
        rig_free(rig);
    }
}

// What it costs, once in a process and then in each pass.
static void test_requests(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
    _cleanup_buf_ struct buf log = BUF_INIT(TEXT_MAX);
    struct rig *rig = left_rig(&text);
    next_process(rig, sample_config(), &text, &log);
    assert_non_null(strstr(buf_str(&log), STAMP "config.toml\n"));
    assert_non_null(strstr(buf_str(&log), STAMP "certs.d\n"));
    assert_null(strstr(buf_str(&log), "PUT "));

    buf_truncate(&log, 0);
    sim_http_record(rig->sim->http, &log);
    rig_trigger(rig);
    rig_converge(rig);
    assert_non_null(strstr(buf_str(&log), STAMP "config.toml\n"));
    assert_null(strstr(buf_str(&log), STAMP "certs.d\n"));
    rig_free(rig);
}

static void test_other_aliases(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
    _cleanup_buf_ struct buf log = BUF_INIT(TEXT_MAX);
    struct rig *rig = left_rig(&text);
    struct config *config = sample_config();
    assert_int_equal(strv_add(&config->nodes.aliases, "registry.local:5000"), 0);
    next_process(rig, config, &text, &log);
    assert_non_null(strstr(buf_str(&log), READ_TREE));
    assert_non_null(sim_files_get(node_files(rig), CERTS "/registry.local:5000/hosts.toml"));
    rig_free(rig);
}

// A process that does not get as far as to look at a node passes nothing on about it.
static void test_only_what_was_seen(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
    _cleanup_buf_ struct buf left = BUF_INIT(TEXT_MAX);
    struct rig *rig = left_rig(&text);
    assert_int_equal(rig_start(rig, sample_config(), RECONCILE_ONCE), 0);
    assert_int_equal(backend_load_cache(rig->backend, text.data, text.length), 0);
    assert_int_equal(backend_print_cache(rig->backend, &left), 0);
    assert_string_equal(buf_str(&left), "{\"version\":\"" PROGRAM_VERSION "\",\"nodes\":{}}");
    rig_free(rig);
}

#define NODES(entry) "{\"version\":\"" PROGRAM_VERSION "\",\"nodes\":{\"" NODE "\":" entry "}}"
#define ENTRY(container, path, stamps, dirs)                                                       \
    "{\"container\":" container ",\"configPath\":" path ",\"stamps\":" stamps ",\"dirs\":" dirs "}"

static const char *const unfit[] = {
    "",
    "{",
    "[]",
    "{}",
    "{\"version\":\"0.0.1\",\"nodes\":{}}",
    "{\"version\":\"" PROGRAM_VERSION "\",\"nodes\":[]}",
    NODES("null"),
    NODES(ENTRY("7", "1", "[]", "[]")),
    NODES(ENTRY("\"id\"", "-1", "[]", "[]")),
    NODES(ENTRY("\"id\"", "3", "[]", "[]")),
    NODES(ENTRY("\"id\"", "1", "{}", "[]")),
    NODES(ENTRY("\"id\"", "1", "[[1,null]]", "[]")),
    NODES(ENTRY("\"id\"", "1", "[[\"a\",1]]", "[]")),
    NODES(ENTRY("\"id\"", "1", "[[\"a\"]]", "[]")),
    NODES(ENTRY("\"id\"", "1", "[]", "[\"a\"]")),
    NODES(ENTRY("\"id\"", "1", "[]", "[[\"../../x\",\"\",null,null]]")),
    NODES(ENTRY("\"id\"", "1", "[]", "[[\"\",\"\",null,null]]")),
    NODES(ENTRY("\"id\"", "1", "[]", "[[\"a\",\"\"]]")), // before links were told apart
    NODES(ENTRY("\"id\"", "1", "[]", "[[\"a\",null,1,null]]")),
};

static void test_unfit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(unfit); i++) {
        struct rig *rig = rig_new();
        assert_int_equal(rig_start(rig, sample_config(), RECONCILE_ONCE), 0);
        assert_int_equal(backend_load_cache(rig->backend, unfit[i], strlen(unfit[i])), -EBADMSG);
        rig_converge(rig);
        rig_free(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_process),  cmocka_unit_test(test_requests),
        cmocka_unit_test(test_other_aliases), cmocka_unit_test(test_only_what_was_seen),
        cmocka_unit_test(test_unfit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
