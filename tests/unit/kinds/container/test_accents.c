// One story over the accent of each engine: what is made once stays.
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/container/container.h"
#include "lib/kinds/container/planner.h"
#include "tests/support/container_case.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ROUNDS 12

struct story {
    struct config *config;
    struct secrets *secrets;
    struct accent_engine engine;
    unsigned created;
    struct current *current;
    struct plan plan; // the latest
};

static void begin(struct story *story, const struct accent *accent)
{
    *story = (struct story){.config = sample_config()};
    sample_set(&story->config->registry.storage, "/srv/a");
    story->secrets = secrets_new();
    accent_engine_begin(&story->engine, accent);
}

static void end(struct story *story)
{
    plan_done(&story->plan);
    current_free(story->current);
    accent_engine_end(&story->engine);
    secrets_free(story->secrets);
    config_free(story->config);
}

// Plans and carries at most limit actions out; how many there were to do.
static size_t go_on(struct story *story, size_t limit)
{
    current_free(story->current);
    plan_done(&story->plan);
    story->current = accent_engine_observe(&story->engine, story->config, story->secrets);
    const struct input input = {.config = story->config, .desired = true};
    container_plan(&input, story->current, &story->plan);
    for (size_t i = 0; i < story->plan.action_count && i < limit; i++) {
        const struct action *action = story->plan.actions[i];
        story->created += action->op == CONTAINER_OP_CREATE ? 1 : 0;
        struct error err;
        if (accent_engine_act(&story->engine, action, &err) < 0) {
            break;
        }
    }
    return story->plan.action_count;
}

static const struct condition *told(const struct story *story)
{
    return plan_condition(&story->plan, "container/hostk8s-registry");
}

// Until nothing is left to do; each round as a new process that knows nothing of the others.
static void settle(struct story *story)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        (void)go_on(story, SIZE_MAX);
        story->engine.now_s += 25;
    }
}

static void is_made_once_or_once_more(void **unused)
{
    (void)unused;
    static const char *const unmet[ACCENTS - ACCENTS_SOUND] = {
        "the engine publishes it at 0.0.0.0:5002, though 127.0.0.1:5002 was asked for; ",
        "the engine publishes it at 127.0.0.1:5999, though 127.0.0.1:5002 was asked for; ",
        "the engine gives it the network mode host, though bridge was asked for; ",
        "the engine gives it the restart policy unless-stopped, though always was asked for; ",
    };
    for (size_t i = 0; i < ACCENTS; i++) {
        bool sound = i < ACCENTS_SOUND;
        struct story story;
        begin(&story, &accents[i]);
        for (unsigned changes = 0; changes < 2; changes++) {
            story.created = 0;
            settle(&story);
            assert_int_equal(story.created, sound ? 1 : 2);
            assert_int_equal(story.current->container_count, 1);
            assert_int_equal(story.current->containers[0].state, CONTAINER_RUNNING);
            assert_int_equal(told(&story)->ready, sound ? READY_TRUE : READY_FALSE);
            if (!sound) {
                assert_true(str_starts_with(told(&story)->message, unmet[i - ACCENTS_SOUND]));
            }
            strmap_set(&story.config->registry.environment, "REGISTRY_LOG_LEVEL", "debug");
        }
        end(&story);
    }
}

// Somebody has the container open to others: once that is mended, with whatever else was so before.
static void is_mended_once(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ACCENTS_SOUND; i++) {
        struct story story;
        begin(&story, &accents[i]);
        for (unsigned created = 1; created <= 3; created++) {
            settle(&story);
            bool mended = created < 3;
            assert_int_equal(story.created, mended ? created : 2);
            assert_int_equal(told(&story)->ready, mended ? READY_TRUE : READY_FALSE);
            json_t *host =
                json_get_object(json_array_get(story.engine.containers, 0), "HostConfig", NULL);
            json_array_append_new(json_get_array(host, "PortBindings", CONTAINER_PORT, NULL),
                                  json_pack("{s:s, s:s}", "HostIp", "", "HostPort", "5002"));
        }
        // As its sentence says: `docker rm -f`.
        json_array_clear(story.engine.containers);
        settle(&story);
        assert_int_equal(story.created, 3);
        assert_int_equal(told(&story)->ready, READY_TRUE);
        end(&story);
    }
}

static void restart_policy_is_changed(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ACCENTS_SOUND; i++) {
        struct story story;
        begin(&story, &accents[i]);
        settle(&story);
        story.config->registry.restart = RESTART_NO;
        settle(&story);
        assert_int_equal(story.created, accents[i].keeps_policy ? 2 : 1);
        assert_int_equal(story.plan.action_count, 0);
        assert_string_equal(story.current->containers[0].restart_policy, "no");
        end(&story);
    }
}

// Cut off after any of its actions, an adoption goes on with the container that it began with.
static void adoption_is_finished(void **unused)
{
    (void)unused;
    for (size_t run = 0; run < ACCENTS_SOUND * 6; run++) {
        struct story story;
        begin(&story, &accents[run / 6]);
        json_auto_t *body = json_pack("{s:s, s:{s:[s]}}", "Image", "registry:1", "HostConfig",
                                      "Binds", "/srv/a:" CONTAINER_STORAGE);
        json_t *adopted = accent_engine_create(&story.engine, "hostk8s-registry", body);
        accent_engine_set_state(&story.engine, adopted, "running", 60);
        assert_true(go_on(&story, run % 6) > 0);
        settle(&story);
        assert_int_equal(story.plan.action_count, 0);
        assert_int_equal(story.current->container_count, 1);
        assert_string_equal(container_label(&story.current->containers[0], CONTAINER_LABEL_SPEC),
                            story.current->specs.items[0].digest);
        end(&story);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_made_once_or_once_more),
        cmocka_unit_test(is_mended_once),
        cmocka_unit_test(restart_policy_is_changed),
        cmocka_unit_test(adoption_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
