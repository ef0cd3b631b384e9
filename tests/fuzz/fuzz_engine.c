// What the engine answers to an observation, and the plan that follows, carried out: nothing is
// done to what is not the program's, and nothing is made again for what it was made again for. An
// input is a configuration and, divided by lines "%%", the answers: a line "STATUS [PIECE [ERRNO]]"
// (bytes of a stream's pieces; how the exchange breaks, 0 0 ERRNO: without an answer), headers, an
// empty line, the body. Words in the configuration: unwanted, rejected; stored or readonly for the
// storage directory, which is missing otherwise; listen for events in place of a plan.
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/container/container.h"
#include "lib/kinds/container/planner.h"
#include "lib/kinds/io.h"
#include "lib/kinds/name.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/fake_transport.h"
#include "tests/support/scripted_worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SEPARATOR "\n%%\n"
#define ANSWERS_MAX 64
#define STATUS_MIN 200
#define STATUS_MAX 599
#define ERRNO_MAX 133
#define PING "200\nApi-Version: 1.41\n\nOK"
#define NOW_S 1795386200 // shortly after the times in the corpus

struct play {
    const struct config *config;
    const char *setting;
    struct fake_transport *fake;
    struct scripted_worker *worker;
    struct secrets *secrets;
    struct io io;
    struct input input;
    memory_t memory;
    struct current *current;
    unsigned ended;
    struct error error;
};

// ---- an input ----

static const char *get_variable(void *ctx, const char *name)
{
    (void)ctx;
    return str_equal(name, "HOME") ? "/home/user" : NULL;
}

// NULL when it is refused. Borrowed until the next call: most inputs have the configuration of the
// one before. What would have files of this machine read is taken out.
static const struct config *read_setting(const char *text)
{
    static const struct config_environment environment = {.get = get_variable};
    static char *before;
    static struct config *config;
    struct problems problems = {0};
    if (str_equal(before, text)) {
        return config;
    }
    str_replace(&before, text);
    config_free(TAKE_PTR(config));
    (void)config_parse(text, strlen(text), "/home/user/registryd.yaml", &environment, &config,
                       &problems);
    problems_done(&problems);
    if (config != NULL) {
        config->docker.tls = false;
        str_replace(&config->docker.host, "unix:///missing/docker.sock");
    }
    return config;
}

static void add_answer(struct fake_transport *fake, const char *text)
{
    char line[64];
    unsigned numbers[3] = {0}; // status, piece, errno
    (void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
    char *at = line;
    for (size_t i = 0; i < ELEMENTS(numbers); i++) {
        numbers[i] = (unsigned)(strtoul(at, &at, 10) & UINT16_MAX);
    }
    struct fake_answer answer = {.status = (int)(numbers[0] % (STATUS_MAX + 1)),
                                 .chunk = numbers[1]};
    if (answer.status != 0 && answer.status < STATUS_MIN) { // interim answers are no answers
        answer.status = STATUS_MIN;
    }
    if (numbers[2] != 0 || answer.status == 0) {
        int code = (int)(numbers[2] % (ERRNO_MAX + 1));
        (void)error_set(&answer.error, ERROR_TRANSIENT, code == 0 ? ECONNREFUSED : code,
                        "the exchange broke");
    }
    text += strcspn(text, "\n");
    const char *empty = strstr(text, "\n\n");
    _cleanup_free_ char *headers =
        empty == NULL || *text == '\0' ? NULL : str_dup_n(text + 1, (size_t)(empty - text));
    answer.headers = headers;
    answer.body = empty == NULL ? "" : empty + 2;
    fake_transport_answer(fake, &answer);
}

static void add_answers(struct fake_transport *fake, char *text)
{
    for (unsigned i = 0; i < ANSWERS_MAX && text != NULL; i++) {
        char *end = strstr(text, SEPARATOR);
        if (end != NULL) {
            *end = '\0';
        }
        add_answer(fake, text);
        text = end == NULL ? NULL : end + strlen(SEPARATOR);
    }
}

static bool says(const struct play *play, const char *word)
{
    return strstr(play->setting, word) != NULL;
}

// ---- what is asked ----

static void check_path(const char *path)
{
    static const char *const places[] = {"/_ping", "/v2/", "/v1."};
    bool known = false;
    for (size_t i = 0; i < ELEMENTS(places) && !known; i++) {
        known = str_starts_with(path, places[i]);
    }
    MUST(known);
    size_t length = strcspn(path, "?");
    for (const char *segment = path; segment < path + length;) {
        size_t part = strcspn(segment + 1, "/?");
        MUST(!(part == 1 && segment[1] == '.'));
        MUST(!(part == 2 && segment[1] == '.' && segment[2] == '.'));
        segment += 1 + part;
    }
}

static void check_requests(const struct fake_transport *fake)
{
    for (size_t i = 0; i < fake_transport_count(fake); i++) {
        const struct fake_request *request = fake_transport_request(fake, i);
        check_path(request->path);
        MUST(request->method != HTTP_DELETE || str_ends_with(request->path, "?force=1&v=0"));
    }
}

// Whatever has no answer is cancelled; what cannot be, fails.
static void run(struct play *play)
{
    for (unsigned i = 0; i < 3 && play->ended == 0; i++) {
        while (fake_transport_run(play->fake) + scripted_worker_time_out(play->worker) > 0) {
        }
        if (i == 0 && play->ended == 0) {
            container_kind.cancel(&play->io, play->memory, true);
        } else if (play->ended == 0) {
            fake_transport_fail(play->fake, ERROR_TRANSIENT, ECONNREFUSED, "refused");
        }
    }
    MUST(play->ended == 1);
    MUST(fake_transport_under_way(play->fake) == 0);
    check_requests(play->fake);
}

static void note_end(struct play *play, const struct error *err)
{
    play->ended++;
    play->error = err == NULL ? (struct error){0} : *err;
    if (err != NULL) {
        must_explain(err);
    }
}

static void on_observed(void *ctx, void *current, const struct error *err)
{
    struct play *play = ctx;
    note_end(play, err);
    play->current = current;
    MUST((current == NULL) == (err != NULL));
}

static void on_acted(void *ctx, const struct error *err)
{
    note_end(ctx, err);
}

static void on_progress(void *ctx, const char *line)
{
    (void)ctx;
    must_be_line(line);
}

// ---- what is observed ----

static void check_current(const struct current *current)
{
    const struct engine *engine = current->engine;
    for (size_t i = 0; i < engine->node_count; i++) {
        const struct engine_node *node = &engine->nodes[i];
        MUST(name_is_valid(node->name) && name_is_valid(node->id) && name_is_valid(node->cluster));
        MUST(i == 0 || strcmp(engine->nodes[i - 1].name, node->name) <= 0);
        MUST(node->address == NULL || name_is_valid_address(node->address));
    }
    for (size_t i = 0; i < engine->api_count; i++) {
        const struct engine_api *api = &engine->apis[i];
        MUST(engine_api(engine, api->cluster) == api);
        MUST(api->host_address[0] == '\0' || name_is_valid_address(api->host_address));
        MUST(api->host_port > 0);
    }
    for (size_t i = 0; i < current->container_count; i++) {
        MUST(name_is_valid(current->containers[i].name));
        MUST(name_is_valid(current->containers[i].id));
    }
}

// ---- what is planned ----

static const struct container *container_of(const struct play *play, const char *id)
{
    for (size_t i = 0; i < play->current->container_count; i++) {
        if (str_equal(play->current->containers[i].id, id)) {
            return &play->current->containers[i];
        }
    }
    return NULL;
}

// As the contract says it, told once more and shorter.
static bool is_ours(const struct play *play, const struct container *container)
{
    const struct container_spec *spec = &play->current->specs.items[0];
    const char *owner = container_label(container, CONTAINER_LABEL_OWNER);
    bool same_storage = str_equal(container->storage, spec->storage);
    return owner != NULL ? str_equal(owner, spec->owner) || same_storage
                         : play->input.desired && same_storage;
}

static void check_condition(const struct condition *condition)
{
    must_be_line(condition->resource);
    must_be_line(condition->message);
    // Whoever is not told what to do is told that there is nothing to be done.
    MUST(condition->ready == READY_TRUE || condition->message[0] != '\0');
    MUST((condition->ready == READY_TRUE) == (condition->reason == REASON_CONVERGED));
}

static void check_fields(const struct action *action)
{
    for (size_t i = 0; i < action->field_count; i++) {
        const struct field_diff *field = &action->fields[i];
        must_be_line(field->path);
        MUST(field->current != NULL || field->desired != NULL);
        const char *values[] = {field->current, field->desired};
        for (size_t j = 0; j < ELEMENTS(values); j++) {
            bool hides = str_starts_with(field->path, "environment.");
            MUST(values[j] == NULL || !hides || str_equal(values[j], "(hidden)"));
            must_be_line(values[j] == NULL ? "" : values[j]);
        }
    }
}

// Whether the container that the plan creates says of more than this one that it was made for it.
static bool mends_more(const struct plan *plan, const struct container *container)
{
    const char *before = container_label(container, CONTAINER_LABEL_MENDS);
    const char *after = NULL;
    for (size_t i = 0; i < plan->action_count && after == NULL; i++) {
        after = json_get_string(plan->actions[i]->body, "Labels", CONTAINER_LABEL_MENDS, NULL);
    }
    return after != NULL && strlen(after) > (before == NULL ? 0 : strlen(before));
}

static void check_action(const struct play *play, const struct plan *plan,
                         const struct action *action, bool created)
{
    const struct container_spec *spec = &play->current->specs.items[0];
    MUST(action->verb[0] != '\0');
    MUST(plan_condition(plan, action->resource)->ready != READY_TRUE);
    check_fields(action);
    switch ((enum container_op)action->op) {
    case CONTAINER_OP_STORAGE_MAKE:
        MUST(play->input.desired && str_equal(action->target, spec->storage));
        return;
    case CONTAINER_OP_IMAGE_PULL:
        MUST(play->input.desired && action->background);
        return;
    case CONTAINER_OP_CREATE: {
        const struct container *bearer = current_container(play->current, spec->name);
        MUST(bearer == NULL || is_ours(play, bearer));
        MUST(str_equal(action->target, spec->name));
        return;
    }
    case CONTAINER_OP_RENAME:
    case CONTAINER_OP_REMOVE:
    case CONTAINER_OP_STOP:
    case CONTAINER_OP_UNPAUSE:
    case CONTAINER_OP_UPDATE:
    case CONTAINER_OP_LOGIN_WRITE:
    case CONTAINER_OP_START:
    case CONTAINER_OP_CONNECT:
    case CONTAINER_OP_DISCONNECT:
        break;
    case _CONTAINER_OP_COUNT:
        must_fail(__FILE__, __LINE__, "it is an action of the kind");
    }
    const struct container *target = container_of(play, action->target);
    MUST(action->target == NULL ? created : target != NULL && is_ours(play, target));
    if (target != NULL && str_equal(action->verb, "recreate") && action->op != CONTAINER_OP_STOP &&
        action->op != CONTAINER_OP_START) {
        bool lost_network = target->endpoint != NULL && !play->current->network_present;
        MUST(!str_equal(container_label(target, CONTAINER_LABEL_SPEC), spec->digest) ||
             target->state == CONTAINER_DEAD || lost_network || mends_more(plan, target));
    }
}

static void act(struct play *play, const struct action *action)
{
    struct error err = {0};
    play->ended = 0;
    if (action->op == CONTAINER_OP_STORAGE_MAKE) {
        return;
    }
    if (container_kind.act(&play->io, &play->memory, action, &play->input, on_acted, play, &err) <
        0) {
        note_end(play, &err);
    } else {
        run(play);
    }
    if (play->error.kind != ERROR_NONE) {
        char message[2 * ERROR_TEXT_MAX] = "";
        (void)container_kind.explain(&play->input, action, &play->error, message, sizeof(message));
        MUST(message[0] != '\0');
        must_be_line(message);
    }
}

static void plan_and_act(struct play *play)
{
    struct container_facts *facts = &play->current->facts[0];
    facts->storage.state = says(play, "stored")     ? STORAGE_USABLE
                           : says(play, "readonly") ? STORAGE_FORBIDDEN
                                                    : STORAGE_MISSING;
    play->current->engine->now_s = NOW_S;
    char resource[] = "container/hostk8s-registry";
    char message[] = "it was tried";
    struct record record = {.resource = resource,
                            .reason = REASON_UNAVAILABLE,
                            .message = message,
                            .digest = play->current->specs.items[0].digest,
                            .rejected_until_ms = says(play, "rejected") ? 2 : 0};
    const struct records records = {.items = (struct record *[]){&record}, .count = 1};
    play->input.records = &records;
    play->input.now_ms = 1;

    struct plan plan = {0};
    bool created = false;
    container_kind.plan(&play->input, play->current, &plan);
    MUST(plan.condition_count == 2);
    for (size_t i = 0; i < plan.condition_count; i++) {
        check_condition(&plan.conditions[i]);
    }
    for (size_t i = 0; i < plan.action_count; i++) {
        check_action(play, &plan, plan.actions[i], created);
        created = created || plan.actions[i]->op == CONTAINER_OP_CREATE;
        act(play, plan.actions[i]);
    }
    plan_done(&plan);
}

// ---- events ----

static void on_dirty(void *ctx, const char *key)
{
    const struct play *play = ctx;
    MUST(play->ended == 0);
    MUST(str_equal(key, "engine") ||
         (str_starts_with(key, "node/") && name_is_valid(key + strlen("node/"))));
}

static void listen_to_events(struct play *play)
{
    struct error err = {0};
    play->ended = 0;
    if (container_kind.watch(&play->io, &play->memory, &play->input, on_dirty, on_acted, play,
                             &err) == 0) {
        (void)fake_transport_run(play->fake);
        container_kind.unwatch(&play->io, play->memory);
        (void)fake_transport_run(play->fake);
        MUST(play->ended == 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *setting = text_of_input(data, size);
    char *answers = strstr(setting, SEPARATOR);
    if (answers != NULL) {
        *answers = '\0';
        answers += strlen(SEPARATOR);
    }
    struct play play = {.config = read_setting(setting), .setting = setting};
    if (play.config == NULL) {
        return 0;
    }
    play.fake = fake_transport_new();
    play.worker = scripted_worker_new();
    play.secrets = secrets_new();
    play.io = (struct io){.transport = fake_transport_http(play.fake),
                          .worker = scripted_worker_work(play.worker),
                          .secrets = play.secrets,
                          .progress = on_progress};
    play.input =
        (struct input){.config = play.config, .name = "", .desired = !says(&play, "unwanted")};
    add_answer(play.fake, PING);
    if (says(&play, "listen")) {
        add_answer(play.fake, "200\n\n[]");
        add_answer(play.fake, "404\n");
        add_answer(play.fake, "404\n");
    }
    add_answers(play.fake, answers);

    struct error err = {0};
    if (container_kind.observe(&play.io, &play.memory, &play.input, on_observed, &play, &err) < 0) {
        note_end(&play, &err);
    } else {
        run(&play);
    }
    if (says(&play, "listen")) {
        listen_to_events(&play);
    } else if (play.current != NULL) {
        check_current(play.current);
        plan_and_act(&play);
    }
    current_free(play.current);
    container_kind.invalidate(&play.io, &play.memory);
    (void)fake_transport_run(play.fake);
    fake_transport_free(play.fake);
    scripted_worker_free(play.worker);
    secrets_free(play.secrets);
    return 0;
}
