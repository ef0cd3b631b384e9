// Out of memory, everywhere: the story of a daemon's life is told once, and at each of its
// allocations, those of the libraries included, a copy of the process goes on in which this one
// fails (or some in a row). The copy has to tell of nothing but the lack of memory, to end where
// the story does without it, to leave alone what is not its own, and to leave no allocation behind.
//
//     unit-backend-memory [PHASE ALLOCATION COUNT]    that one case, in this process
#include "tests/support/rig.h"

#include "lib/base/str.h"
#include "tests/support/alloc.h"
#include "tests/support/fake_clock.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PHASES_MAX 16
#define CHILDREN_MAX 8
#define BAD_MAX 2000
#define PHASE_MS 60000
#define REST_MS 15000
#define RECOVERY_MS 240000
#define CHILD_SECONDS 120
// Half of the allocations are made inside of json_parse, all with the same outcome: -ENOMEM. Its
// own test lets each of them fail; here some are enough.
#define PARSER_STEP 8
#ifndef __has_feature
#define __has_feature(x) 0 // clang's way to ask what gcc has a macro for
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || !defined(__OPTIMIZE__)
#define STRIDE 101 // a copy of such a process takes ten times as long
#elif defined(__clang__)
#define STRIDE 17 // the same code once more
#else
#define STRIDE 1
#endif
#define STATUS_MAX (64u * 1024u)

// ---- the story ----

static int first(struct rig *rig)
{
    return rig_start(rig, sample_config(), RECONCILE_KEEP);
}

static int idle(struct rig *rig)
{
    rig_trigger(rig);
    return 0;
}

static int repair(struct rig *rig)
{
    struct sim_engine *engine = rig->sim->engine;
    sim_engine_stop(engine, sim_engine_find(engine, "hostk8s-registry"));
    sim_files_write(&sim_engine_find(engine, "hostk8s-control-plane")->files,
                    "/etc/containerd/certs.d/localhost:5002/hosts.toml",
                    "# managed by hostk8s-registryd\n");
    rig_trigger(rig);
    return 0;
}

static int change(struct rig *rig)
{
    struct config *config = sample_config();
    sample_set(&config->kubeconfig, TEST_DATA "/unit/backend/fixtures/kubeconfig.yaml");
    sample_set(&config->ui.title, "Another title");
    assert_int_equal(strmap_set(&config->ui.environment, "THEME", "dark"), 0);
    assert_int_equal(strv_add(&config->nodes.aliases, "registry.local:5000"), 0);
    rig_reload(rig, config);
    return 0;
}

static int reduce(struct rig *rig)
{
    struct config *config = sample_config();
    config->ui.enabled = false;
    rig_reload(rig, config);
    return 0;
}

static int teardown(struct rig *rig)
{
    rig_stop(rig);
    return rig_start(rig, sample_config(), RECONCILE_TEARDOWN);
}

// What concerns the engine alone is cheaper to tell without a cluster.
static struct config *alone_with(const char *image)
{
    struct config *config = sample_config();
    sample_set(&config->registry.image, image);
    strv_done(&config->clusters);
    return config;
}

static int alone(struct rig *rig)
{
    rig_stop(rig);
    return rig_start(rig, alone_with("registry:2"), RECONCILE_KEEP);
}

static int recreate(struct rig *rig)
{
    rig_reload(rig, alone_with("registry:3"));
    return 0;
}

static int put_back(struct rig *rig)
{
    rig_reload(rig, alone_with("registry:crash"));
    return 0;
}

static const struct phase {
    const char *name;
    int (*begin)(struct rig *rig); // 0 or -ENOMEM: then it is called again
} phases[] = {
    {"first", first},       {"idle", idle},   {"repair", repair},
    {"change", change}, // aliases, variables, and where the credentials come from
    {"reduce", reduce}, // these go, and the UI with them
    {"teardown", teardown}, {"alone", alone}, {"recreate", recreate},
    {"putback", put_back},
};

// ---- what the story has without a failure ----

struct chapter {
    char *machine; // sim_text
    char *status;
    size_t streams;
    uint64_t requests;
    uint64_t allocations;
};

static struct {
    struct chapter chapters[ELEMENTS(phases)];
    struct strv said; // conditions
} known;

static char *status_text(const struct rig *rig)
{
    struct buf text = BUF_INIT(STATUS_MAX);
    const struct status *status = reconciler_status(rig->reconciler);
    for (size_t i = 0; i < status->count; i++) {
        const struct condition *condition = &status->entries[i].condition;
        assert_int_equal(buf_printf(&text, "%s %s %s %s\n", condition->resource,
                                    ready_name(condition->ready), reason_name(condition->reason),
                                    condition->message),
                         0);
    }
    return buf_take(&text);
}

static bool is_at(const struct rig *rig, const struct chapter *chapter)
{
    _cleanup_free_ char *status = status_text(rig);
    if (!str_equal(status, chapter->status)) {
        return false;
    }
    _cleanup_free_ char *machine = sim_text(rig->sim);
    return str_equal(machine, chapter->machine);
}

// Works until the chapter's end is reached, at most for ms.
static void reach(struct rig *rig, const struct chapter *chapter, uint64_t ms)
{
    uint64_t end_ms = fake_clock_ms() + ms;
    rig_run(rig);
    while (!is_at(rig, chapter) && fake_clock_ms() < end_ms) {
        rig_next(rig, end_ms);
    }
}

static char *condition_text(const struct condition *condition)
{
    char *text = str_printf("%s %s: %s", condition->resource, reason_name(condition->reason),
                            condition->message);
    assert_non_null(text);
    return text;
}

static void learn(_unused_ void *ctx, const struct condition *condition)
{
    _cleanup_free_ char *text = condition_text(condition);
    assert_int_equal(strv_add_unique(&known.said, text), 0);
}

// Long enough for the streams to count as steady: after a reload they begin at once then.
static void rest(struct rig *rig)
{
    if (rig->reconciler != NULL) {
        rig_advance(rig, REST_MS);
    }
}

// Where each chapter ends is known once it was told to where nothing is left to do.
static void read_ends(void)
{
    struct rig *rig = rig_new();
    rig->on_condition = learn;
    for (size_t i = 0; i < ELEMENTS(phases); i++) {
        rest(rig);
        assert_int_equal(phases[i].begin(rig), 0);
        assert_true(rig_settle(rig, PHASE_MS));
        known.chapters[i].machine = sim_text(rig->sim);
        known.chapters[i].status = status_text(rig);
    }
    rig_free(rig);
}

static void tell(struct rig *rig, size_t i)
{
    assert_int_equal(phases[i].begin(rig), 0);
    reach(rig, &known.chapters[i], PHASE_MS);
}

static void read_costs(void)
{
    struct rig *rig = rig_new();
    for (size_t i = 0; i < ELEMENTS(phases); i++) {
        struct chapter *chapter = &known.chapters[i];
        rest(rig);
        uint64_t requests = sim_http_requests(rig->sim->http);
        uint64_t allocations = alloc_stats().allocations;
        tell(rig, i);
        chapter->streams = sim_http_streams(rig->sim->http);
        chapter->requests = sim_http_requests(rig->sim->http) - requests;
        chapter->allocations = alloc_stats().allocations - allocations;
    }
    rig_free(rig);
    assert_int_equal(alloc_stats().live, 0);
}

// ---- a copy ----

// The second is what the others have to say while the engine's key lacks it.
static bool lacks_memory(const char *text)
{
    return strstr(text, "out of memory") != NULL || strstr(text, "no connection yet") != NULL;
}

static void check_condition(_unused_ void *ctx, const struct condition *condition)
{
    _cleanup_free_ char *text = condition_text(condition);
    // What a plan was interrupted in goes on with another step.
    bool pending =
        condition->reason == REASON_CONVERGING && str_ends_with(condition->message, " is pending");
    if (!pending && !lacks_memory(text) && !strv_contains(&known.said, text)) {
        fail_msg("unexpected: %s", text);
    }
}

static void check_action(_unused_ void *ctx, const struct action *action, const struct error *err)
{
    // What was done without the program knowing is found out by a conflict.
    if (err != NULL && !lacks_memory(err->text) && err->kind != ERROR_CONFLICT) {
        fail_msg("unexpected: %s %s: %s", action->resource, action->verb, err->text);
    }
}

static void live_through(struct rig *rig, size_t i)
{
    const struct chapter *chapter = &known.chapters[i];
    uint64_t end_ms = fake_clock_ms() + RECOVERY_MS;
    uint64_t requests = sim_http_requests(rig->sim->http);
    for (int tries = 0; phases[i].begin(rig) < 0; tries++) {
        assert_true(tries < 100);
    }
    reach(rig, chapter, RECOVERY_MS);
    _cleanup_free_ char *status = status_text(rig);
    assert_string_equal(status, chapter->status);
    sim_assert_text(rig->sim, chapter->machine);
    while (sim_http_streams(rig->sim->http) < chapter->streams && fake_clock_ms() < end_ms) {
        rig_next(rig, end_ms);
    }
    assert_in_range(sim_http_streams(rig->sim->http), chapter->streams, SIZE_MAX);
    assert_in_range(sim_http_requests(rig->sim->http) - requests, 0, 4 * chapter->requests + 100);
}

static void end_copy(struct rig *rig)
{
    rig_free(rig);
    assert_int_equal(alloc_stats().live, 0);
    assert_int_equal(alloc_stats().live_bytes, 0);
}

// ---- the copies ----

struct child {
    pid_t pid;
    uint64_t allocation;
};

static struct {
    uint64_t count; // that fail in a row
    uint64_t step;  // copies are made at every so many allocations
    uint64_t seen;  // in this phase
    size_t phase;
    bool is_copy;
    size_t places;
    struct child children[CHILDREN_MAX];
    uint64_t copies;
    uint64_t bad;
} run;

static void reap(void)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, 0);
    for (size_t i = 0; i < run.places; i++) {
        if (run.children[i].pid != pid) {
            continue;
        }
        run.children[i].pid = 0;
        if (status != 0) {
            run.bad++;
            print_error("FAILED: unit-backend-memory %s %llu %llu\n", phases[run.phase].name,
                        (unsigned long long)run.children[i].allocation,
                        (unsigned long long)run.count);
        }
    }
}

static struct child *free_place(void)
{
    for (;;) {
        for (size_t i = 0; i < run.places; i++) {
            if (run.children[i].pid == 0) {
                return &run.children[i];
            }
        }
        reap();
    }
}

static void reap_all(void)
{
    for (size_t i = 0; i < run.places; i++) {
        while (run.children[i].pid != 0) {
            reap();
        }
    }
}

static void become_copy(void)
{
    run.is_copy = true;
    alloc_before_each(NULL);
    alloc_fail(0, run.count);
    (void)alarm(CHILD_SECONDS); // for what has no end
    // A failed assertion ends the copy.
    assert_int_equal(setenv("CMOCKA_TEST_ABORT", "1", 1), 0);
}

// Whether jansson parses with an allocator of its own (lib/doc/json_text.c).
static bool is_parsing(void)
{
    json_malloc_t allocator = NULL;
    json_get_alloc_funcs(&allocator, NULL);
    return allocator != malloc;
}

static void make_copy(void)
{
    uint64_t allocation = run.seen++;
    uint64_t step = is_parsing() ? run.step * PARSER_STEP : run.step;
    if (allocation % step != 0 || run.bad >= BAD_MAX) {
        return;
    }
    struct child *child = free_place();
    child->allocation = allocation;
    child->pid = fork();
    assert_true(child->pid >= 0);
    run.copies++;
    if (child->pid == 0) {
        become_copy();
    }
}

static void tell_story(uint64_t count, uint64_t step)
{
    run.count = count;
    run.step = step;
    run.bad = 0;
    struct rig *rig = rig_new();
    for (run.phase = 0; run.phase < ELEMENTS(phases); run.phase++) {
        rig->on_condition = check_condition;
        rig->on_acted = check_action;
        run.seen = 0;
        rest(rig);
        alloc_before_each(make_copy);
        live_through(rig, run.phase);
        if (run.is_copy) {
            end_copy(rig);
            _exit(0);
        }
        alloc_before_each(NULL);
        reap_all();
    }
    rig_free(rig);
}

static void test_one_fails(void **state)
{
    (void)state;
    tell_story(1, STRIDE);
    assert_int_equal(run.bad, 0);
}

static void test_some_fail(void **state)
{
    (void)state;
    tell_story(8, 8 * STRIDE);
    assert_int_equal(run.bad, 0);
}

// ---- one case, for a debugger ----

static uint64_t the_one;

static void fail_the_one(void)
{
    if (run.seen++ == the_one) {
        alloc_before_each(NULL);
        alloc_fail(0, run.count);
    }
}

static void test_the_one(void **state)
{
    char **argv = *state;
    struct rig *rig = rig_new();
    the_one = strtoull(argv[2], NULL, 10);
    run.count = strtoull(argv[3], NULL, 10);
    for (size_t i = 0; i < ELEMENTS(phases); i++) {
        rest(rig);
        if (!str_equal(phases[i].name, argv[1])) {
            tell(rig, i);
            continue;
        }
        rig->on_condition = check_condition;
        rig->on_acted = check_action;
        alloc_before_each(fail_the_one);
        live_through(rig, i);
        break;
    }
    end_copy(rig);
}

static int set_up(_unused_ void **state)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    run.places = processors < CHILDREN_MAX ? (size_t)processors : CHILDREN_MAX;
    read_ends();
    read_costs();
    for (size_t i = 0; i < ELEMENTS(phases); i++) {
        print_message("%s: %llu allocations, %llu requests\n", phases[i].name,
                      (unsigned long long)known.chapters[i].allocations,
                      (unsigned long long)known.chapters[i].requests);
    }
    return 0;
}

static int tear_down(_unused_ void **state)
{
    print_message("%llu allocations failed\n", (unsigned long long)run.copies);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_one_fails),
        cmocka_unit_test(test_some_fail),
    };
    const struct CMUnitTest one[] = {
        cmocka_unit_test_prestate(test_the_one, argv),
    };
    return argc == 4 ? cmocka_run_group_tests(one, set_up, NULL)
                     : cmocka_run_group_tests(all, set_up, tear_down);
}
