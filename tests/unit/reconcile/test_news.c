#include "lib/reconcile/news.h"

#include "lib/base/buf.h"
#include "tests/support/unit.h"

#define HOLD_MS 5000
#define NOW_MS 1000000

struct fixture {
    struct status status;
    struct buf told;
    uint64_t next_ms;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->told = BUF_INIT(4096);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    status_done(&f->status);
    buf_done(&f->told);
    free(f);
    return 0;
}

static void set(struct fixture *f, uint64_t ms, const char *resource, const char *cluster,
                enum reason reason, const char *message)
{
    const struct condition condition = {
        .resource = resource,
        .cluster = cluster,
        .ready = reason == REASON_CONVERGED ? READY_TRUE : READY_FALSE,
        .reason = reason,
        .message = message,
    };
    (void)status_set(&f->status, &condition, 0, NOW_MS + ms);
}

static void on_news(void *ctx, const struct news *news)
{
    struct fixture *f = ctx;
    for (size_t i = 0; i < news->count; i++) {
        (void)buf_printf(&f->told, "%s%s", i == 0 ? "" : " ", news->resources[i]);
    }
    (void)buf_printf(&f->told, " of %s: %s -> %s: %s\n",
                     news->cluster == NULL ? "-" : news->cluster,
                     news->before == _REASON_COUNT ? "" : reason_name(news->before),
                     reason_name(news->condition->reason), news->condition->message);
}

static void told(struct fixture *f, uint64_t ms, const char *expected)
{
    buf_truncate(&f->told, 0);
    uint64_t next_ms = news_report(&f->status, NOW_MS + ms, HOLD_MS, on_news, f);
    f->next_ms = next_ms == STATUS_NEVER ? STATUS_NEVER : next_ms - NOW_MS;
    assert_string_equal(buf_str(&f->told), expected);
}

static void test_one_cause_is_one_line(void **state)
{
    struct fixture *f = *state;
    set(f, 0, "container/r", NULL, REASON_ENGINE_UNREACHABLE, "no socket");
    set(f, 0, "kube/a/x", "a", REASON_API_UNREACHABLE, "refused");
    set(f, 1, "kube/a/y", "a", REASON_API_UNREACHABLE, "refused");
    set(f, 0, "kube/b/x", "b", REASON_API_UNREACHABLE, "no route");
    set(f, 2, "node/a1", "a", REASON_ENGINE_UNREACHABLE, "no socket");
    told(f, 4999, "");
    assert_int_equal(f->next_ms, 5000);
    told(f, 5000,
         "container/r node/a1 of -:  -> EngineUnreachable: no socket\n"
         "kube/a/x kube/a/y of a:  -> ApiUnreachable: refused\n"
         "kube/b/x of b:  -> ApiUnreachable: no route\n");
    assert_int_equal(f->next_ms, STATUS_NEVER);
    set(f, 6000, "kube/a/x", "a", REASON_CONVERGED, "");
    set(f, 6001, "kube/a/y", "a", REASON_CONVERGED, "");
    set(f, 8600, "container/r", NULL, REASON_CONVERGED, "");
    told(f, 11000, "kube/a/x kube/a/y of a: ApiUnreachable -> Converged: \n");
    assert_int_equal(f->next_ms, 13600);
    set(f, 13000, "new", NULL, REASON_CONVERGED, "");
    told(f, 13600, "container/r of -: EngineUnreachable -> Converged: \n");
    assert_int_equal(f->next_ms, 18000);
    told(f, 18000, "new of -:  -> Converged: \n");
}

static void test_several_befores_are_none(void **state)
{
    struct fixture *f = *state;
    set(f, 0, "node/a", "a", REASON_ERROR, "one");
    set(f, 0, "node/b", "a", REASON_FORBIDDEN, "two");
    told(f, 5000, "node/a of a:  -> Error: one\nnode/b of a:  -> Forbidden: two\n");
    set(f, 5000, "node/a", "a", REASON_CONVERGED, "");
    set(f, 5000, "node/b", "a", REASON_CONVERGED, "");
    told(f, 10000, "node/a node/b of a:  -> Converged: \n");
}

static void test_no_news(void **state)
{
    struct fixture *f = *state;
    told(f, 0, "");
    assert_int_equal(f->next_ms, STATUS_NEVER);
    set(f, 0, "node/a", "a", REASON_CONVERGED, "");
    told(f, 5000, "node/a of a:  -> Converged: \n");
    // There and back within the time.
    set(f, 6000, "node/a", "a", REASON_ERROR, "one");
    set(f, 8000, "node/a", "a", REASON_CONVERGED, "");
    told(f, 20000, "");
    assert_int_equal(f->next_ms, STATUS_NEVER);
    // Another sentence.
    set(f, 20000, "node/a", "a", REASON_ERROR, "one");
    set(f, 21000, "node/a", "a", REASON_ERROR, "two");
    told(f, 25000, "node/a of a: Converged -> Error: two\n");
    set(f, 26000, "node/a", "a", REASON_ERROR, "three");
    told(f, 40000, "");
    assert_string_equal(f->status.entries[0].condition.message, "three");
    // What never stands for long.
    set(f, 40000, "node/b", "a", REASON_CONVERGED, "");
    told(f, 45000, "node/b of a:  -> Converged: \n");
    set(f, 50000, "node/b", "a", REASON_CONTENDED, "stop it");
    told(f, 50000, "node/b of a: Converged -> Contended: stop it\n");
    set(f, 51000, "node/b", "a", REASON_CONVERGED, "");
    set(f, 52000, "node/b", "a", REASON_CONTENDED, "stop it");
    told(f, 60000, "");
    // Counted from the first of several in a row.
    set(f, 70000, "node/a", "a", REASON_CONVERGING, "");
    set(f, 74000, "node/a", "a", REASON_FORBIDDEN, "no");
    told(f, 75000, "node/a of a: Error -> Forbidden: no\n");
}

static void test_what_is_on_its_way_has_more_time(void **state)
{
    struct fixture *f = *state;
    set(f, 0, "kube/a/x", "a", REASON_CONVERGING, "is being made");
    set(f, 0, "kube/a/y", "a", REASON_CONVERGED, "");
    told(f, 5000, "kube/a/y of a:  -> Converged: \n");
    assert_int_equal(f->next_ms, 120000);
    told(f, 119999, "");
    told(f, 120000, "kube/a/x of a:  -> Converging: is being made\n");
    assert_int_equal(f->next_ms, STATUS_NEVER);
}

static void test_a_new_cluster_has_more_time(void **state)
{
    struct fixture *f = *state;
    struct engine_node node = {.name = "a-control-plane",
                               .cluster = "a",
                               .role = NODE_CONTROL_PLANE,
                               .running = true,
                               .created_s = 1000};
    struct engine engine = {.nodes = &node, .node_count = 1, .now_s = 1010};
    f->status.engine = &engine;
    set(f, 0, "container/r", NULL, REASON_STORAGE_FULL, "full");
    set(f, 0, "kube/a/x", "a", REASON_UNAVAILABLE, "no pod");
    set(f, 0, "kube/a/y", "a", REASON_CONTENDED, "stop it");
    set(f, 0, "kube/a/z", "a", REASON_CONVERGED, "");
    set(f, 0, "node/a-control-plane", "a", REASON_CONFIG_PATH_DISABLED, "off");
    set(f, 0, "kube/a/v", "a", REASON_INGRESS_CLASS_MISSING, "no class");
    set(f, 0, "kube/b/x", "b", REASON_UNAVAILABLE, "no pod");
    told(f, 5000,
         "container/r of -:  -> StorageFull: full\n"
         "node/a-control-plane of a:  -> ConfigPathDisabled: off\n"
         "kube/a/y of a:  -> Contended: stop it\n"
         "kube/a/z of a:  -> Converged: \n"
         "kube/b/x of b:  -> Unavailable: no pod\n");
    assert_int_equal(f->next_ms, 120000);
    engine.now_s += 3600;
    told(f, 6000,
         "kube/a/v of a:  -> IngressClassMissing: no class\n"
         "kube/a/x of a:  -> Unavailable: no pod\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_cause_is_one_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several_befores_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_news, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_on_its_way_has_more_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_new_cluster_has_more_time, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
