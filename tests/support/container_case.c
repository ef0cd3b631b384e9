#include "tests/support/container_case.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/container/container.h"
#include "lib/kinds/container/planner.h"
#include "tests/support/json_text.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX (1024u * 1024u)
#define NODES_MAX 2

struct world {
    struct config *config;
    struct secrets *secrets;
    struct accent_engine engine;
    struct engine_node nodes[NODES_MAX];
    bool removal;
    bool rejected;
};

// ---- what is beside the containers ----

static void add_node(struct world *world, struct arena *arena, const char *text)
{
    char name[64];
    char cluster[64];
    char status[64];
    int ago_s = 0;
    assert_int_equal(sscanf(text, "%63[^,],%63[^,],%63[^,],%d", name, cluster, status, &ago_s), 4);
    assert_in_range(world->engine.node_count, 0, NODES_MAX - 1);
    world->nodes[world->engine.node_count++] = (struct engine_node){
        .name = arena_dup(arena, name),
        .cluster = arena_dup(arena, cluster),
        .running = str_equal(status, "running"),
        .status = arena_dup(arena, status),
        .stopped_s = world->engine.now_s - ago_s,
        .address = "172.18.0.9", // which the declared container has
    };
}

// "WORD=NUMBER"
static unsigned number_of(const char *word)
{
    uint64_t number = 0;
    assert_int_equal(str_to_u64(strchr(word, '=') + 1, 1000000, &number), 0);
    return (unsigned)number;
}

// false: the word is none of these.
static bool read_flag(struct world *world, const char *word)
{
    struct accent_engine *engine = &world->engine;
    const struct {
        const char *word;
        bool *flag;
        bool value;
    } flags[] = {
        {"silent", &engine->mute, true},
        {"unasked", &engine->remote, true},
        {"rejected", &world->rejected, true},
        {"removal", &world->removal, true},
        {"no-image", &engine->image_present, false},
        {"no-network", &engine->network_present, false},
        {"others", &engine->storage.others, true},
        {"rootless", &engine->about.rootless, true},
        {"selinux", &engine->about.selinux, true},
    };
    const struct {
        const char *word;
        enum storage_state state;
        const char *why;
    } storages[] = {
        {"storage-missing", STORAGE_MISSING, "/srv/a is not there"},
        {"storage-forbidden", STORAGE_FORBIDDEN, "/srv/a cannot be used (Permission denied)"},
        {"storage-broken", STORAGE_BROKEN, "/srv/a does not answer"},
    };
    for (size_t i = 0; i < ELEMENTS(flags); i++) {
        if (str_equal(word, flags[i].word)) {
            *flags[i].flag = flags[i].value;
            return true;
        }
    }
    for (size_t i = 0; i < ELEMENTS(storages); i++) {
        if (str_equal(word, storages[i].word)) {
            engine->storage.state = storages[i].state;
            (void)snprintf(engine->storage.why, STORAGE_WHY_MAX, "%s", storages[i].why);
            return true;
        }
    }
    return false;
}

static void read_word(struct world *world, struct arena *arena, const char *word)
{
    struct accent_engine *engine = &world->engine;
    if (read_flag(world, word)) {
        return;
    }
    if (str_equal(word, "kept-policy")) {
        (void)snprintf(engine->kept_policy, sizeof(engine->kept_policy), "id-1");
    } else if (str_equal(word, "other-image")) {
        sample_set(&world->config->registry.image, "registry:3");
    } else if (str_equal(word, "variables")) {
        strmap_set(&world->config->registry.environment, "REGISTRY_A", "1");
        strmap_set(&world->config->registry.environment, "REGISTRY_B", "1");
    } else if (str_equal(word, "low")) {
        engine->storage.free_bytes = UINT64_C(900) << 20;
        engine->storage.total_bytes = UINT64_C(8) << 30;
    } else if (str_equal(word, "full")) {
        engine->storage.total_bytes = UINT64_C(8) << 30;
        engine->storage.full = true;
    } else if (str_starts_with(word, "userns=")) {
        engine->about.user_namespaces = true;
        engine->about.root_user = number_of(word);
    } else if (str_starts_with(word, "upload=")) {
        engine->upload.state = (enum upload_state)number_of(word);
        (void)snprintf(engine->upload.why, UPLOAD_WHY_MAX, "%s",
                       engine->upload.state < UPLOAD_FAILED ? "" : "mkdir /r: No");
    } else if (str_starts_with(word, "holder=")) {
        engine->port_holder = arena_dup(arena, strchr(word, '=') + 1);
    } else if (str_starts_with(word, "node=")) {
        add_node(world, arena, strchr(word, '=') + 1);
    } else {
        fail_msg("\"%s\"", word);
    }
}

// ---- the containers ----

// As a plan creates it, on the network.
static json_t *create_declared(struct world *world)
{
    struct container_specs specs;
    container_specs_make(world->config, &specs);
    json_auto_t *body = container_spec_body(&specs.items[0]);
    json_t *container = accent_engine_create(&world->engine, specs.items[0].name, body);
    accent_engine_connect(&world->engine, container, "net-1", specs.items[0].name);
    container_specs_done(&specs);
    return container;
}

static void create(struct world *world, const char *text)
{
    char words[64] = "";
    char name[64] = "";
    char state[16] = "";
    int age_s = 3600;
    size_t length = strcspn(text, "{");
    (void)snprintf(words, sizeof(words), "%.*s", (int)length, text);
    assert_true(sscanf(words, "%63s %15s %d", name, state, &age_s) > 0);

    bool outdated = str_equal(name, "outdated") || str_equal(name, "previous");
    json_auto_t *foreign = json_pack("{s:s, s:{s:[s]}}", "Image", "registry:2", "HostConfig",
                                     "Binds", "/srv/a:" CONTAINER_STORAGE);
    json_t *container = outdated || str_equal(name, "main")
                            ? create_declared(world)
                            : accent_engine_create(&world->engine, name, foreign);
    const char *usual = str_equal(name, "previous")           ? "exited"
                        : outdated || str_equal(name, "main") ? "running"
                                                              : "created";
    accent_engine_set_state(&world->engine, container, state[0] == '\0' ? usual : state, age_s);
    if (outdated) {
        json_object_set_new(json_get(container, "Config", NULL), "Image",
                            json_string("registry:1"));
        json_object_set_new(json_get(container, "Config", "Labels", NULL), CONTAINER_LABEL_SPEC,
                            json_string("before"));
    }
    if (str_equal(name, "previous")) {
        json_object_set_new(container, "Name", json_string("/hostk8s-registry-previous"));
    }
    json_auto_t *changes = json_of(text[length] == '\0' ? "{}" : text + length);
    if (json_object_update_recursive(container, changes) < 0) {
        fail_msg("%s", text);
    }
}

// ---- the plan ----

static void add_label(struct buf *text, const struct action *action, const char *label,
                      const char *says)
{
    const char *value = json_get_string(action->body, "Labels", label, NULL);
    if (value != NULL) {
        (void)buf_printf(text, " %s=%s", says, value);
    }
}

static void add_action(struct buf *text, const struct action *action)
{
    (void)buf_printf(text, "%s %s", action->name, action->target == NULL ? "new" : action->target);
    if (action->argument != NULL && action->op != CONTAINER_OP_START) {
        (void)buf_printf(text, " > %s", action->argument);
    }
    add_label(text, action, CONTAINER_LABEL_REPLACES, "replaces");
    add_label(text, action, CONTAINER_LABEL_MENDS, "mends");
    (void)buf_printf(text, " (%s%s%s%s)", action->verb, action->destructive ? "!" : "",
                     action->part ? "+" : "", action->digest != NULL ? "?" : "");
    assert_true(action->digest != NULL || !action->gives_up);
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        (void)buf_printf(text, "%s %s: %s -> %s", i > 0 ? "," : "", field->path,
                         field->current == NULL ? "absent" : field->current,
                         field->desired == NULL ? "absent" : field->desired);
    }
    (void)buf_append_str(text, "\n");
}

char *container_plan_text(const struct plan *plan)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < plan->action_count; i++) {
        add_action(&text, plan->actions[i]);
    }
    for (size_t i = 0; i < plan->condition_count; i++) {
        const struct condition *condition = &plan->conditions[i];
        assert_int_equal(condition->ready == READY_TRUE, condition->reason == REASON_CONVERGED);
        if (condition->ready != READY_TRUE || condition->message[0] != '\0') {
            (void)buf_printf(&text, "%.*s: %s: %s\n", (int)strcspn(condition->resource, "/"),
                             condition->resource, reason_name(condition->reason),
                             condition->message);
        }
    }
    return buf_take(&text);
}

static char *plan_of(const struct container_case *test)
{
    struct world world = {.config = sample_config(), .secrets = secrets_new()};
    struct arena arena = {0};
    sample_set(&world.config->registry.storage, "/srv/a");
    accent_engine_begin(&world.engine, &accents[0]);
    world.engine.nodes = world.nodes;
    for (size_t i = 0; i < ELEMENTS(test->containers) && test->containers[i] != NULL; i++) {
        create(&world, test->containers[i]);
    }
    _cleanup_free_ char *words = str_dup(test->world == NULL ? "" : test->world);
    char *rest = words;
    for (const char *word = NULL; (word = strsep(&rest, " ")) != NULL;) {
        if (*word != '\0') {
            read_word(&world, &arena, word);
        }
    }
    struct current *current = accent_engine_observe(&world.engine, world.config, world.secrets);

    char resource[] = "container/hostk8s-registry";
    char message[] = "it was tried";
    struct record record = {.resource = resource,
                            .reason = REASON_PORT_IN_USE,
                            .message = message,
                            .digest = current->specs.items[0].digest,
                            .rejected_until_ms = world.rejected ? 2 : 1};
    const struct records records = {.items = (struct record *[]){&record}, .count = 1};
    const struct input input = {
        .config = world.config, .desired = !world.removal, .records = &records, .now_ms = 1};
    struct plan plan = {0};
    container_plan(&input, current, &plan);
    assert_int_equal(plan.condition_count, 2);
    char *text = container_plan_text(&plan);

    plan_done(&plan);
    current_free(current);
    accent_engine_end(&world.engine);
    secrets_free(world.secrets);
    config_free(world.config);
    arena_done(&arena);
    return text;
}

void container_cases_check(const struct container_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *text = plan_of(&cases[i]);
        if (!str_equal(text, cases[i].plan)) {
            print_error("%s; %s:\nexpected:\n%sgot:\n%s", cases[i].world, cases[i].containers[0],
                        cases[i].plan, text);
            fail();
        }
    }
}
