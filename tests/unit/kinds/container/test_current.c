// An inspected container, as recorded from engines and broken.
#include "lib/base/str.h"
#include "tests/support/container_rig.h"
#include "tests/support/json_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct container *inspect(struct container_rig *rig, const char *text)
{
    json_auto_t *json = json_of(text);
    struct error err = {0};
    if (current_add_container(rig->current, json, rig->secrets, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return &rig->current->containers[rig->current->container_count - 1];
}

static void running_registry_is_decoded(void **state)
{
    const struct container *container = inspect(*state, "engine/registry_running.json");
    assert_string_equal(container->name, "hostk8s-registry");
    assert_string_equal(container->image, "registry:2");
    assert_int_equal(container->state, CONTAINER_RUNNING);
    assert_null(container->state_error);
    assert_int_equal(container->started_s, 1795386138);
    assert_string_equal(container->restart_policy, "always");
    assert_string_equal(container->network_mode, "default");
    assert_string_equal(container->storage, "/home/dev/.local/share/hostk8s/registry");
    assert_string_equal(container_label(container, CONTAINER_LABEL_OWNER), "hostk8s-registry");
    assert_string_equal(container_variable(container, "REGISTRY_STORAGE_DELETE_ENABLED"), "true");
    assert_int_equal(json_array_size(container->bindings), 1);
    assert_non_null(container->endpoint);
    assert_int_equal(strlen(container->network_id), 64);
    assert_string_equal(container->ipv4, "172.18.0.4");
    assert_null(container->ipv6);
}

static void other_states_are_decoded(void **state)
{
    const struct container *container = inspect(*state, "engine/registry_created.json");
    assert_int_equal(container->state, CONTAINER_CREATED);
    assert_int_equal(container->started_s, 0);
    assert_null(container->endpoint);

    container = inspect(*state, "engine/registry_port_taken.json");
    assert_int_equal(container->state, CONTAINER_CREATED);
    assert_int_equal(container->exit_code, 128);
    assert_non_null(strstr(container->state_error, "address already in use"));

    container = inspect(*state, "podman-4.3.1/inspect.json");
    assert_string_equal(container->image, "docker.io/library/registry:2");
    assert_string_equal(container->storage, "/home/dev/.local/share/hostk8s/registry");
    assert_string_equal(container->network_id, "kind");
    assert_null(container->ipv4);

    static const struct {
        const char *word;
        enum container_state state;
        bool up;
    } words[] = {
        {"created", CONTAINER_CREATED, false},   {"running", CONTAINER_RUNNING, true},
        {"paused", CONTAINER_PAUSED, true},      {"restarting", CONTAINER_RESTARTING, true},
        {"removing", CONTAINER_REMOVING, false}, {"exited", CONTAINER_EXITED, false},
        {"dead", CONTAINER_DEAD, false},         {"new", CONTAINER_UNKNOWN, false},
    };
    for (size_t i = 0; i < ELEMENTS(words); i++) {
        _cleanup_free_ char *text =
            str_printf("{'Id': '1', 'Name': 'a', 'State': {'Status': '%s'}}", words[i].word);
        container = inspect(*state, text);
        assert_int_equal(container->state, words[i].state);
        assert_int_equal(container_is_up(container), words[i].up);
    }
}

static void odd_answers_are_tolerated(void **state)
{
    const struct container *container = inspect(
        *state,
        "{'Id': '1', 'Name': 'bare', 'State': {'StartedAt': 'soon'},"
        "'Config': {'Env': [1, 'NOVALUE', 'A=1', 'A=b=c', 'AB=2'], 'Labels': {'a': 1, 'b': 'c'}},"
        "'HostConfig': {'Binds': [null, 'a', 'a:b']}, 'NetworkSettings': {'Networks': {'n': {},"
        "'kind': {'IPAddress': '10.0.0', 'GlobalIPv6Address': 'fc00::2'}}}}");
    assert_string_equal(container->name, "bare");
    assert_int_equal(container->started_s, 0);
    assert_string_equal(container->restart_policy, "no");
    assert_string_equal(container->image, "");
    assert_string_equal(container->network_mode, "");
    assert_null(container->storage);
    assert_string_equal(container_variable(container, "A"), "b=c"); // the last one counts
    assert_null(container_variable(container, "NOVALUE"));
    assert_null(container_variable(container, "B"));
    assert_null(container_label(container, "a"));
    assert_string_equal(container_label(container, "b"), "c");
    assert_string_equal(container->network_id, "");
    assert_null(container->ipv4);
    assert_string_equal(container->ipv6, "fc00::2");
    const char *nulls = "{'Id': '1', 'Name': 'a', 'NetworkSettings': {'Networks': {'kind': null}}}";
    assert_null(inspect(*state, nulls)->endpoint);
}

static void no_container_is_refused(void **state)
{
    struct container_rig *rig = *state;
    static const char *const texts[] = {"{}",
                                        "[]",
                                        "1",
                                        "{'Id': '1'}",
                                        "{'Name': '/a'}",
                                        "{'Id': '1', 'Name': '/'}",
                                        "{'Id': '1', 'Name': '/../a'}",
                                        "{'Id': '1/..', 'Name': '/a'}",
                                        "{'Id': '1', 'Name': '/a\\u001b[31m'}"};
    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        json_auto_t *json = json_of(texts[i]);
        struct error err;
        assert_int_equal(current_add_container(rig->current, json, NULL, &err), -EBADMSG);
        assert_string_equal(err.text, "the engine's answer is no container");
    }
    assert_int_equal(rig->current->container_count, 0);
}

static void times_have_a_zone(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"2026-11-22T22:22:18.766781021Z", 1795386138},
        {"2026-11-22T22:22:18Z", 1795386138},
        {"2026-11-23T00:22:18.766781021+02:00", 1795386138},
        {"2026-11-22T17:52:18-04:30", 1795386138},
        {"2026-11-22T22:22:18", 1795386138},
        {"0001-01-01T00:00:00Z", 0},
        {"0001-01-01T00:00:00+14:00", 0},
        {"soon", 0},
        {"", 0},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        json_auto_t *json = json_pack("{s:{s:s}}", "State", "FinishedAt", cases[i].text);
        assert_int_equal(container_stopped_s(json), cases[i].seconds);
    }
}

#define BIND(source) "{'Type': 'bind', 'Source': '" source "', 'Destination': '/var/lib/registry'}"
#define CONF(n) ", {'Source': '/d/" n ".yml', 'Destination': '/etc/docker/registry/config.yml'}"

static void mounts_are_told_apart(void **state)
{
    static const struct {
        const char *binds;
        const char *mounts;
        const char *storage;
        bool is_volume;
        const char *other;
    } cases[] = {
        {"", "", NULL, false, NULL},
        {"", BIND("/a/"), "/a", false, NULL},
        {"", BIND(""), NULL, false, NULL},
        {"'/a//b:/var/lib/registry:rw,rprivate,rbind'", "", "/a/b", false, NULL},
        {"'/a:/var/lib/registry'", BIND("/host_mnt/a"), "/a", false, NULL},
        {"'/a:/var/lib/registry', '/b:/var/lib/registry'", "", "/a", false, NULL},
        {"'images:/var/lib/registry'", BIND("/x"), NULL, true, NULL},
        {"'/a:/var/lib/registry2', '/var/lib/registry'", "", NULL, false, NULL},
        {"", "{'Type': 'volume', 'Source': '/x', 'Destination': '/var/lib/registry'}", NULL, true,
         NULL},
        {"", BIND("/a") ", {'Type': 'bind', 'Source': '/b', 'Destination': '/auth'}, {}", "/a",
         false, "/auth"},
        {"", BIND("/d/r") CONF("registry-config"), "/d/r", false, NULL},
        {"", BIND("/d/r") CONF("my-config"), "/d/r", false, "/etc/docker/registry/config.yml"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *text =
            str_printf("{'Id': '1', 'Name': '/r', 'HostConfig': {'Binds': [%s]}, 'Mounts': [%s]}",
                       cases[i].binds, cases[i].mounts);
        const struct container *container = inspect(*state, text);
        assert_true(str_equal(container->storage, cases[i].storage));
        assert_int_equal(container->storage_is_volume, cases[i].is_volume);
        assert_true(str_equal(container->other_mount, cases[i].other));
    }
}

static void secrets_are_hidden_in_its_error(void **state)
{
    struct container_rig *rig = *state;
    const char *text = "{'Id': '1', 'Name': '/r', 'Config': {'Env': ['A=hunter2', 'B=swordfish',"
                       "'D=password'], 'Labels': {'" CONTAINER_LABEL_ENVIRONMENT "': 'A,C,D'}},"
                       "'State': {'Error': 'hunter2, swordfish or password'}}";
    assert_string_equal(inspect(rig, text)->state_error, "***, swordfish or ***");
    // And wherever else it is said from now on.
    _cleanup_free_ char *hidden = secrets_hide(rig->secrets, "no hunter2");
    assert_string_equal(hidden, "no ***");
}

static void oversized_answers_are_refused(void **state)
{
    struct container_rig *rig = *state;
    json_auto_t *array = json_array();
    json_auto_t *labels = json_object();
    for (int i = 0; i <= 4096; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        json_array_append_new(array, json_object());
        json_object_set_new(labels, key, json_string("v"));
    }
    json_t *const parts[] = {
        json_pack("{s:{s:O}}", "Config", "Labels", labels),
        json_pack("{s:{s:O}}", "Config", "Env", array),
        json_pack("{s:O}", "Mounts", array),
        json_pack("{s:{s:{s:O}}}", "HostConfig", "PortBindings", CONTAINER_PORT, array),
    };
    for (size_t i = 0; i < ELEMENTS(parts); i++) {
        json_auto_t *json = parts[i];
        struct error err;
        json_object_set_new(json, "Id", json_string("1"));
        json_object_set_new(json, "Name", json_string("/a"));
        assert_int_equal(current_add_container(rig->current, json, NULL, &err), -E2BIG);
        assert_string_equal(err.text,
                            "container a has more than 4096 labels, variables, mounts or ports");
    }
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, container_rig_begin, container_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(running_registry_is_decoded),
        TEST(other_states_are_decoded),
        TEST(odd_answers_are_tolerated),
        TEST(no_container_is_refused),
        TEST(times_have_a_zone),
        TEST(mounts_are_told_apart),
        TEST(secrets_are_hidden_in_its_error),
        TEST(oversized_answers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
