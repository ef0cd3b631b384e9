// Caches beside the registry: the same plan as the registry's, and what is told of their upstreams.
#include "lib/base/str.h"
#include "lib/kinds/container/container.h"
#include "lib/kinds/container/planner.h"
#include "tests/support/container_case.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CACHE "hostk8s-registry-cache-docker.io"
#define PLAIN "caches: [docker.io]"
#define LOGIN "caches: [{upstream: docker.io, username: me, passwordFile: pw}]"
#define UPSTREAM "this machine does not reach https://a"
#define GO_ON "; the nodes ask the upstream themselves for what is not cached\n"
#define CACHE_WAITS "network: Converging: waits for container/" CACHE " to run\n"
#define ATTACH "network-connect new > kind (attach)\n"

struct cache_case {
    const char *config;
    const char *cache; // its state, and how many seconds ago it was started; NULL: there is none
    const char *world; // as in container_case.h, beside: upstream password foreign
    const char *plan;  // of the cache, likewise
};

static const struct cache_case cases[] = {
    {PLAIN, NULL, "no-image storage-missing",
     "storage-make /home/user/.local/share/hostk8s/registry-cache/docker.io (make storage)\n"
     "image-pull registry:2 (pull)\n"
     "container-create " CACHE " (create)\n"
     "container-start new (start+)\n" ATTACH PENDING("make storage") ATTACHES},
    {LOGIN, NULL, "",
     "container-create " CACHE " (create)\n"
     "login-write new > /home/user/pw (start+)\n"
     "container-start new (start+)\n" ATTACH PENDING("create") ATTACHES},
    // It was made, and the login may be lacking.
    {LOGIN, "created 0", "",
     "login-write id-2 > /home/user/pw (start)\n"
     "container-start id-2 (start+)\n" PENDING("start") CACHE_WAITS},
    {LOGIN, "exited 0", "", "container-start id-2 (start)\n" PENDING("start") CACHE_WAITS},
    {PLAIN, "created 0", "", "container-start id-2 (start)\n" PENDING("start") CACHE_WAITS},
    {LOGIN, "running 60", "", ""},
    {LOGIN, "running 60", "password",
     "container: Error: pw cannot be read; mend that or change its passwordFile in caches\n"},
    {LOGIN, NULL, "password",
     "container: Error: pw cannot be read; mend that or change its passwordFile in "
     "caches\n" CACHE_WAITS},
    // Whether it answers, and what its upstream is.
    {PLAIN, "running 5", "silent",
     "container: Converging: is started and does not answer at http://" CACHE ":5000/v2/ yet\n"},
    {PLAIN, "running 60", "silent",
     "container: Unavailable: runs but does not answer at http://" CACHE
     ":5000/v2/; see `docker logs " CACHE "`\n"},
    {PLAIN, "running 60", "unasked", ""},
    {PLAIN, "running 60", "upstream", "container: Unavailable: " UPSTREAM GO_ON},
    {PLAIN, "restarting 0", "upstream", "container: Unavailable: " UPSTREAM GO_ON CACHE_WAITS},
    {PLAIN, "exited 0", "upstream", "container-start id-2 (start)\n" PENDING("start") CACHE_WAITS},
    // Declared otherwise than it was made.
    {"registry: {image: registry:3}\n" PLAIN, "running 60", "",
     "container-rename id-2 > " CACHE "-previous (recreate!) image: registry:2 -> registry:3\n"
     "container-create " CACHE " (create+?)\n"
     "container-stop id-2 (stop+)\n"
     "container-start new (start+?)\n" ATTACH PENDING("recreate") ATTACHES},
    // Declared no more, and the end of everything.
    {"", "running 60", "",
     "network-disconnect id-2 > kind (detach!)\n"
     "container-stop id-2 (remove!)\n"
     "container-remove id-2 (remove!+) " CACHE
     ": present -> absent\n" PENDING("remove") "network: Converging: detach is pending\n"},
    {"", "created 0", "foreign", ""},
    {PLAIN, "exited 0", "removal",
     "network-disconnect id-2 > kind (detach!)\n"
     "container-remove id-2 (remove!) " CACHE
     ": present -> absent\n" PENDING("remove") "network: Converging: detach is pending\n"},
    // Somebody else's.
    {PLAIN, "created 0", "foreign",
     "container: NameConflict: another container has the name " CACHE
     "; rename or remove it, or change registry.name\n" CACHE_WAITS},
};

static json_t *create(struct accent_engine *engine, const struct container_spec *spec,
                      const char *owner)
{
    json_auto_t *body = container_spec_body(spec);
    json_object_set_new(json_object_get(body, "Labels"), CONTAINER_LABEL_OWNER, json_string(owner));
    json_t *container = accent_engine_create(engine, spec->name, body);
    accent_engine_connect(engine, container, "net-1", spec->name);
    return container;
}

static bool says(const struct cache_case *test, const char *word)
{
    return strstr(test->world, word) != NULL;
}

// The registry, which is as this configuration declares it, and the cache as it was declared once.
static void fill(struct accent_engine *engine, const struct config *config,
                 const struct cache_case *test)
{
    struct container_specs specs;
    char state[16] = "";
    int age_s = 0;
    container_specs_make(config, &specs);
    accent_engine_set_state(engine, create(engine, &specs.items[0], "hostk8s-registry"), "running",
                            3600);
    container_specs_done(&specs);
    if (test->cache != NULL) {
        bool foreign = says(test, "foreign");
        struct config *made =
            sample_config_of(strstr(test->config, "user") != NULL ? LOGIN : PLAIN);
        if (foreign) {
            sample_set(&made->caches[0].storage, "/srv/other");
        }
        container_specs_make(made, &specs);
        assert_int_equal(sscanf(test->cache, "%15s %d", state, &age_s), 2);
        json_t *cache = create(engine, &specs.items[1], foreign ? "other" : "hostk8s-registry");
        accent_engine_set_state(engine, cache, state, age_s);
        container_specs_done(&specs);
        config_free(made);
    }
}

// Keeps of what is planned only that which is about the cache.
static void drop_registry(struct plan *plan)
{
    size_t actions = 0;
    size_t conditions = 0;
    for (size_t i = 0; i < plan->action_count; i++) {
        if (strstr(plan->actions[i]->resource, CACHE) != NULL) {
            plan->actions[actions++] = plan->actions[i];
        } else {
            json_decref(plan->actions[i]->body);
        }
    }
    for (size_t i = 0; i < plan->condition_count; i++) {
        if (strstr(plan->conditions[i].resource, CACHE) != NULL) {
            plan->conditions[conditions++] = plan->conditions[i];
        }
    }
    plan->action_count = actions;
    plan->condition_count = conditions;
}

static void check(const struct cache_case *test)
{
    struct config *config = sample_config_of(test->config);
    struct secrets *secrets = secrets_new();
    struct accent_engine engine;
    accent_engine_begin(&engine, &accents[0]);
    fill(&engine, config, test);
    engine.image_present = !says(test, "no-image");
    engine.mute = says(test, "silent");
    engine.remote = says(test, "unasked");
    struct current *current = accent_engine_observe(&engine, config, secrets);
    if (config->caches[0].upstream != NULL) {
        struct container_facts *facts = &current->facts[1];
        facts->storage.state = says(test, "storage-missing") ? STORAGE_MISSING : STORAGE_USABLE;
        facts->upstream_fault = says(test, "upstream") ? UPSTREAM : NULL;
        facts->password.state = says(test, "password") ? STORAGE_BROKEN : STORAGE_USABLE;
        (void)snprintf(facts->password.why, STORAGE_WHY_MAX, "pw cannot be read");
    }
    const struct input input = {.config = config, .desired = !says(test, "removal"), .now_ms = 1};
    struct plan plan = {0};
    container_plan(&input, current, &plan);
    drop_registry(&plan);
    _cleanup_free_ char *text = container_plan_text(&plan);
    if (!str_equal(text, test->plan)) {
        print_error("%s; %s; %s:\nexpected:\n%sgot:\n%s", test->config, test->cache, test->world,
                    test->plan, text);
        fail();
    }
    plan_done(&plan);
    current_free(current);
    accent_engine_end(&engine);
    secrets_free(secrets);
    config_free(config);
}

static void caches_are_planned_as_the_registry(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        check(&cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caches_are_planned_as_the_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
