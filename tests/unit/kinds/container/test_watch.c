// The engine's events, in the words of docker and of podman.
#include "lib/base/str.h"
#include "tests/support/container_rig.h"
#include "tests/support/json_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void on_dirty(void *ctx, const char *key)
{
    struct container_rig *rig = ctx;
    size_t length = strlen(rig->dirty);
    (void)snprintf(rig->dirty + length, sizeof(rig->dirty) - length, "%s ", key);
}

static void on_end(void *ctx, const struct error *err)
{
    struct container_rig *rig = ctx;
    rig->watched++;
    rig->watch_error = err == NULL ? (struct error){0} : *err;
}

static int watch(struct container_rig *rig)
{
    struct error err = {0};
    return container_kind.watch(&rig->io, &rig->memory, &rig->input, on_dirty, on_end, rig, &err);
}

static void unwatch(struct container_rig *rig)
{
    container_kind.unwatch(&rig->io, rig->memory);
    container_rig_run(rig);
}

#define LIST                                                                                       \
    "200 [{'Id': 'w', 'Names': ['/hostk8s-worker'], 'State': 'running', 'Labels': {"               \
    "'io.x-k8s.kind.cluster': 'hostk8s', 'io.x-k8s.kind.role': 'worker'}}]"

static int setup(void **state)
{
    (void)container_rig_begin(state);
    struct container_rig *rig = *state;
    assert_int_equal(watch(rig), -ENOTCONN); // before the first observation
    container_kind.unwatch(&rig->io, rig->memory);
    ANSWER(rig, "ping", LIST, "404", "404");
    container_rig_observe(rig);
    assert_int_equal(watch(rig), 0);
    return 0;
}

static void push(struct container_rig *rig, const char *line)
{
    rig->dirty[0] = '\0';
    fake_transport_push(rig->fake, fake_transport_count(rig->fake) - 1, line, strlen(line));
}

#define EVENT(type, action, attributes)                                                            \
    "{\"Type\":\"" type "\",\"Action\":\"" action "\",\"Actor\":{\"Attributes\":{" attributes      \
    "}}}\n"
#define CONTAINER(action, attributes) EVENT("container", action, attributes)
#define NETWORK(action, attributes) EVENT("network", action, attributes)
#define OWN "\"name\":\"x\",\"" CONTAINER_LABEL_OWNER "\":\"y\""
#define NODE "\"name\":\"hostk8s-worker\",\"" KIND_LABEL_CLUSTER "\":\"hostk8s\""
#define OTHER_NODE "\"name\":\"b\",\"" KIND_LABEL_CLUSTER "\":\"c\""

static const struct {
    const char *event;
    const char *dirty;
} events[] = {
    {CONTAINER("start", OWN), "engine "},
    {CONTAINER("die", "\"name\":\"hostk8s-registry\""), "engine "},
    {CONTAINER("rename", "\"name\":\"a\",\"oldName\":\"/hostk8s-registry\""), "engine "},
    {CONTAINER("rename", "\"name\":\"a\",\"oldName\":\"\""), ""},
    {CONTAINER("start", "\"name\":\"other\""), ""},
    {CONTAINER("start", NODE), "engine "},
    {CONTAINER("exec_start: ls", NODE), ""},
    {CONTAINER("exec", NODE), ""}, // podman's beginning of one
    {CONTAINER("exec_die", NODE), "node/hostk8s-worker "},
    {CONTAINER("exec_died", NODE), "node/hostk8s-worker "},
    {CONTAINER("exec_die", OWN), ""},
    {CONTAINER("archive-path", NODE), ""},
    {CONTAINER("extract-to-dir", NODE), "node/hostk8s-worker "},
    {CONTAINER("extract-to-dir", OWN), ""},
    {CONTAINER("health_status: healthy", OWN), ""},
    {CONTAINER("exec_die", "\"name\":\"../x\",\"" KIND_LABEL_CLUSTER "\":\"a\""), ""},
    {NETWORK("create", "\"name\":\"kind\",\"type\":\"bridge\""), "engine "},
    {NETWORK("connect", "\"name\":\"kind\",\"type\":\"bridge\",\"container\":\"1\""), "engine "},
    {NETWORK("connect", "\"name\":\"other\",\"type\":\"bridge\",\"container\":\"1\""), ""},
    {NETWORK("connect", "\"name\":\"other\",\"container\":\"1\""), ""},
    {NETWORK("disconnect", "\"name\":\"hostk8s-registry\",\"containerExitCode\":\"0\""),
     "engine "}, // podman 4
    {NETWORK("disconnect", "\"name\":\"hostk8s-registry\",\"network\":\"kind\""), "engine "},
    {NETWORK("disconnect", "\"name\":\"hostk8s-registry\",\"network\":\"podman\""), ""},
    {"{\"Type\":\"container\"}\n", ""},
    {"{\"Type\":\"container\",\"Action\":\"start\"}\n", ""},
    {"{\"Action\":\"start\"}\n", ""},
};

static void events_tell_whose_key_they_are_for(void **state)
{
    struct container_rig *rig = *state;
    for (size_t i = 0; i < ELEMENTS(events); i++) {
        push(rig, events[i].event);
        if (!str_equal(rig->dirty, events[i].dirty)) {
            fail_msg("%s: %s", events[i].event, rig->dirty);
        }
    }
    container_kind.unwatch(&rig->io, rig->memory);
    push(rig, events[0].event);
    assert_string_equal(rig->dirty, ""); // it is at its end
}

static void podmans_events_are_missed_nowhere(void **state)
{
    struct container_rig *rig = *state;
    FILE *file = fopen(TEST_DATA "/fixtures/podman-4.3.1/events.jsonl", "re");
    assert_non_null(file);
    char line[1024];
    unsigned count = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        push(rig, line);
        assert_string_equal(rig->dirty, "engine ");
        count++;
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(count, 6); // create, connect, rename twice, disconnect, remove
}

static unsigned writes(struct container_rig *rig)
{
    ANSWER(rig, LIST, "404", "404");
    container_rig_observe(rig);
    return engine_node(rig->current->engine, "hostk8s-worker")->writes;
}

// A copied file keeps its time, so that whoever looks at times has to be told.
static void writes_into_nodes_are_counted(void **state)
{
    struct container_rig *rig = *state;
    push(rig, CONTAINER("extract-to-dir", NODE));
    push(rig, CONTAINER("extract-to-dir", NODE));
    push(rig, CONTAINER("extract-to-dir", OTHER_NODE));
    assert_string_equal(rig->dirty, "node/b ");
    unwatch(rig);
    // Two, and those that may be missed without a stream.
    assert_int_equal(writes(rig), 3);
    assert_int_equal(watch(rig), 0);
    unwatch(rig);
    assert_int_equal(writes(rig), 4);
}

// From the observation on, by the engine's clock: it has whole seconds.
static void nothing_is_missed_before_the_stream(void **state)
{
    struct container_rig *rig = *state;
    unwatch(rig);
    _cleanup_free_ char *body = json_text(strchr(LIST, '['));
    fake_transport_answer(
        rig->fake, &(struct fake_answer){.status = 200,
                                         .headers = "Date: Tue, 01 Dec 2026 10:00:05 GMT\r\n",
                                         .body = body});
    ANSWER(rig, "404", "404");
    container_rig_observe(rig);
    assert_int_equal(watch(rig), 0);
    const char *since = strstr(fake_transport_last(rig->fake)->path, "since=");
    assert_non_null(since);
    // As much earlier as time has gone by since the list was asked for.
    assert_in_range(strtoul(since + strlen("since="), NULL, 10), 1796119204 - 60, 1796119204);
}

static void stream_ends(void **state)
{
    struct container_rig *rig = *state;
    assert_int_equal(watch(rig), -ENOTCONN); // there is one
    ANSWER(rig, "200 ");
    container_rig_run(rig);
    assert_int_equal(rig->watched, 1);
    assert_int_equal(rig->watch_error.kind, ERROR_NONE);
    container_kind.unwatch(&rig->io, rig->memory);

    assert_int_equal(watch(rig), 0);
    unwatch(rig);
    assert_int_equal(rig->watched, 2);
    assert_int_equal(rig->watch_error.code, ECANCELED);

    fake_transport_refuse(rig->fake, 1, EMFILE);
    assert_int_equal(watch(rig), -EMFILE);
    assert_int_equal(watch(rig), 0);
    container_kind.invalidate(&rig->io, &rig->memory);
    unwatch(rig);
    assert_int_equal(rig->watched, 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, container_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_tell_whose_key_they_are_for),
        TEST(podmans_events_are_missed_nowhere),
        TEST(writes_into_nodes_are_counted),
        TEST(nothing_is_missed_before_the_stream),
        TEST(stream_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
