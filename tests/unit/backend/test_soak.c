// A long life: thousands of passes over a machine that changes and breaks at random, with answers
// in any order and now and then no memory. Nothing grows, no key is worked on twice at once, what
// is not the program's stays as it is, and when the machine heals all is ready.
#include "tests/support/alloc.h"
#include "tests/support/fake_clock.h"
#include "tests/support/rig.h"
#include "tests/support/sample_config.h"
#include "tests/support/sim_chaos.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SEED 20260101u
#ifndef __has_feature
#define __has_feature(x) 0 // clang's way to ask what gcc has a macro for
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define PASSES 1000 // each takes ten times as long
#else
#define PASSES 10000
#endif
#define POLLS_MAX (2 * PASSES)
#define WARM_UP (PASSES / 10)
#define MORE_DIGITS 512
#define CHECK_EVERY (PASSES / 20) // that all becomes ready
#define POLL_MS 10000
#define HEALING_MS 600000 // back-offs, and the time that a rejected container spec is left alone
#define LOG_MAX (64u * 1024u)

// What must be the same at rest, early and late.
struct footprint {
    size_t live;
    size_t live_bytes;
    size_t descriptors;
    size_t streams;
    size_t resources;
};

static size_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;
    assert_non_null(directory);
    while (readdir(directory) != NULL) {
        count++;
    }
    assert_int_equal(closedir(directory), 0);
    return count;
}

static struct config *some_config(struct random *random)
{
    struct config *config = sample_config();
    if (random_chance(random, 50)) {
        assert_int_equal(strv_add(&config->clusters, "s*"), 0);
    }
    if (random_chance(random, 30)) {
        assert_int_equal(strv_add(&config->nodes.aliases, "elsewhere:5000"), 0);
    }
    if (random_chance(random, 20)) {
        sample_set(&config->kubeconfig, TEST_DATA "/unit/backend/fixtures/kubeconfig.yaml");
    }
    static const char *const images[] = {"registry:2", "registry:3", "registry:mute",
                                         "registry:crash"};
    sample_set(&config->registry.image, RANDOM_PICK(random, images));
    config->registry.listen_port = random_chance(random, 80) ? 5002 : 5003;
    config->registry.restart = random_chance(random, 80) ? RESTART_ALWAYS : RESTART_NO;
    config->ui.enabled = random_chance(random, 30); // its objects are most of a pass's work
    return config;
}

static void live(struct rig *rig, struct random *random)
{
    if (random_chance(random, 30)) {
        sim_break(rig->sim, random);
    }
    if (random_chance(random, 30)) {
        sim_change(rig->sim, random);
    }
    if (random_chance(random, 2)) {
        rig_reload(rig, some_config(random));
    }
    if (random_chance(random, 10)) {
        rig_trigger(rig);
    }
    if (random_chance(random, 10)) {
        alloc_fail(random_below(random, 3000), 1 + random_below(random, 8));
    }
    _cleanup_free_ char *foreign = sim_foreign_text(rig->sim);
    rig_advance(rig, POLL_MS);
    sim_assert_foreign_text(rig->sim, foreign);
    alloc_fail(0, 0);
    sim_http_fault(rig->sim->http, NULL);
    if (random_chance(random, 50)) {
        sim_heal_servers(rig->sim);
    }
}

static void assert_writes_nothing(struct rig *rig)
{
    _cleanup_buf_ struct buf log = BUF_INIT(LOG_MAX);
    sim_http_record(rig->sim->http, &log);
    rig_trigger(rig);
    rig_advance(rig, 1000);
    sim_http_record(rig->sim->http, NULL);
    assert_string_not_equal(buf_str(&log), "");
    static const char *const writes[] = {"POST ", "PUT ", "PATCH ", "DELETE "};
    for (size_t i = 0; i < ELEMENTS(writes); i++) {
        assert_null(strstr(buf_str(&log), writes[i]));
    }
}

// All is well, and becomes so: with the default configuration, as some others never do.
static void recover(struct rig *rig)
{
    sim_heal(rig->sim);
    rig_reload(rig, sample_config());
    rig_advance(rig, HEALING_MS);
    rig_assert_ready(rig);
    assert_writes_nothing(rig);
}

// The same machine and the same history of every key that is there.
static struct footprint rest(struct rig *rig)
{
    sim_heal(rig->sim);
    sim_reset_clusters(rig->sim);
    struct config *without = sample_config();
    strv_done(&without->clusters);
    rig_reload(rig, without);
    rig_advance(rig, HEALING_MS);
    recover(rig);
    const struct alloc_stats stats = alloc_stats();
    return (struct footprint){
        .live = stats.live,
        .live_bytes = stats.live_bytes,
        .descriptors = count_descriptors(),
        .streams = sim_http_streams(rig->sim->http),
        .resources = reconciler_status(rig->reconciler)->count,
    };
}

static void test_soak(void **state)
{
    (void)state;
    struct random random = {SEED};
    struct rig *rig = rig_new();
    struct footprint early = {0};
    print_message("seed %u\n", SEED);
    sim_http_shuffle(rig->sim->http, &random);
    assert_int_equal(rig_start(rig, sample_config(), RECONCILE_KEEP), 0);
    rig_converge(rig);
    // A pass that meets a silent server outlasts a poll or more.
    for (int i = 0; i < POLLS_MAX && reconciler_status(rig->reconciler)->passes < PASSES; i++) {
        live(rig, &random);
        if (i == WARM_UP) {
            early = rest(rig);
        } else if (i % CHECK_EVERY == 0) {
            recover(rig);
        }
    }
    const struct footprint late = rest(rig);
    const struct alloc_stats stats = alloc_stats();
    print_message("%llu passes, %llu requests, %llu allocations, %llu of them failed\n"
                  "at rest %zu allocations, %zu bytes, %zu descriptors, %zu streams; at most %zu "
                  "operations at once\n",
                  (unsigned long long)reconciler_status(rig->reconciler)->passes,
                  (unsigned long long)sim_http_requests(rig->sim->http),
                  (unsigned long long)stats.allocations, (unsigned long long)stats.failed,
                  late.live, late.live_bytes, late.descriptors, late.streams,
                  guard_backend_peak(rig->guard));
    assert_true(reconciler_status(rig->reconciler)->passes >= PASSES);
    // What grew with the passes would have grown by thousands.
    assert_in_range(late.live, 1, early.live + 8);
    // Versions and serial numbers, in the answers that are remembered, have more digits by then.
    assert_in_range(late.live_bytes, 1, early.live_bytes + MORE_DIGITS);
    assert_int_equal(late.descriptors, early.descriptors);
    assert_int_equal(late.streams, early.streams);
    assert_int_equal(late.resources, early.resources);
    rig_free(rig);
    assert_int_equal(alloc_stats().live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_soak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
