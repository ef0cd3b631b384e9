#include "tests/fuzz/play.h"

#include "lib/base/str.h"
#include "lib/plan/outcome.h"
#include "tests/fuzz/plans.h"
#include "tests/fuzz/script.h"

#include <errno.h>
#include <string.h>

#define CONFIG_FILE "/home/user/registryd.yaml"
#define MESSAGE_BYTES_MAX 1024

static const char *get_variable(void *ctx, const char *name)
{
    (void)ctx;
    return str_equal(name, "HOME") ? "/home/user" : NULL;
}

static struct config *parse_setting(const char *text)
{
    static const struct config_environment environment = {.get = get_variable};
    struct config *config = NULL;
    struct config_problems problems = {0};
    (void)config_parse(text, strlen(text), CONFIG_FILE, &environment, &config, &problems);
    config_problems_done(&problems);
    return config;
}

// NULL when it is refused. Borrowed until the next call: most inputs have the configuration of the
// one before, and to read it takes longer than all the rest. What would have files of this machine
// read is taken out.
static const struct config *read_setting(const char *text)
{
    static char *before;
    static struct config *config;
    if (str_equal(before, text)) {
        return config;
    }
    MUST(str_replace(&before, text) == 0);
    config_free(config);
    config = parse_setting(text);
    if (config == NULL) {
        return NULL;
    }
    char **files[] = {&config->docker.ca, &config->docker.cert, &config->docker.key,
                      &config->kubeconfig};
    for (size_t i = 0; i < ELEMENTS(files); i++) {
        free(TAKE_PTR(*files[i]));
    }
    config->docker.tls = false;
    return config;
}

static void on_progress(void *ctx, const char *line)
{
    (void)ctx;
    must_be_line(line);
}

bool play_begin(struct play *play, const uint8_t *data, size_t size)
{
    const char *rest = (const char *)data;
    size_t length = script_cut(&rest, &size);
    *play = (struct play){
        .setting = text_of_input(data, length), .answers = rest, .answers_length = size};
    play->config = read_setting(play->setting);
    if (play->config == NULL) {
        free(play->setting);
        return false;
    }
    play->fake = fake_transport_new();
    MUST(backend_new(fake_transport_http(play->fake), on_progress, NULL, &play->backend) == 0);
    play->input =
        (struct plan_input){.config = play->config, .wanted = !play_says(play, "unwanted")};
    return true;
}

static void observation_done(struct observation *observation)
{
    world_engine_free(observation->engine);
    world_node_files_free(observation->node);
    world_cluster_free(observation->cluster);
    *observation = (struct observation){0};
}

void play_end(struct play *play)
{
    observation_done(&play->observation);
    world_engine_free(play->engine);
    backend_free(play->backend);
    fake_transport_free(play->fake);
    free(play->setting);
}

void play_answers(struct play *play)
{
    script_answers(play->fake, play->answers, play->answers_length);
}

bool play_says(const struct play *play, const char *word)
{
    return strstr(play->setting, word) != NULL;
}

void play_note_end(struct play *play, const struct error *err)
{
    play->ended++;
    play->error = (struct error){0};
    if (err != NULL) {
        play->error = *err;
        must_explain(&play->error);
    }
}

// Whatever has no answer is cancelled; what cannot be, the question to the registry itself, fails.
void play_run(struct play *play)
{
    (void)fake_transport_run(play->fake);
    if (play->ended == 0) {
        play->backend->ops->cancel(play->backend, true);
        (void)fake_transport_run(play->fake);
    }
    if (play->ended == 0) {
        fake_transport_fail(play->fake, ERROR_TRANSIENT, ECONNREFUSED, "refused");
        (void)fake_transport_run(play->fake);
    }
    MUST(play->ended == 1);
    MUST(fake_transport_under_way(play->fake) == 0);
}

static void on_observed(void *ctx, struct observation *observation, const struct error *err)
{
    struct play *play = ctx;
    play_note_end(play, err);
    MUST((err == NULL) == (observation->engine != NULL || observation->node != NULL ||
                           observation->cluster != NULL));
    play->observation = *observation;
    *observation = (struct observation){0};
}

static void check_unobserved(const struct play *play, const char *key)
{
    struct plan plan = {0};
    struct error err = {0};
    MUST(plan_unobserved(&play->input, key, NULL, &play->error, &plan, &err) == 0);
    MUST(plan.action_count == 0 && plan.condition_count > 0);
    check_plan(&play->input, &plan);
    plan_done(&plan);
}

bool play_observe(struct play *play, const char *key)
{
    struct error err = {0};
    play->ended = 0;
    observation_done(&play->observation);
    int r = play->backend->ops->observe(play->backend, key, &play->input, on_observed, play, &err);
    if (r < 0) {
        MUST(play->ended == 0);
        play_note_end(play, &err);
    } else {
        play_run(play);
    }
    check_requests(play->fake);
    if (play->error.kind != ERROR_NONE) {
        check_unobserved(play, key);
        return false;
    }
    return true;
}

static void answer(struct play *play, const char *parts)
{
    script_answers(play->fake, parts, strlen(parts));
}

void play_meet_engine(struct play *play)
{
    answer(play, "200\nApi-Version: 1.41\n\nOK\n%%\n"
                 "200\n\n[{\"Id\":\"c1\",\"Names\":[\"/" PLAY_NODE "\"],\"State\":\"running\","
                 "\"Labels\":{\"" WORLD_LABEL_KIND_CLUSTER "\":\"" PLAY_CLUSTER "\","
                 "\"" WORLD_LABEL_KIND_ROLE "\":\"control-plane\"},"
                 "\"Ports\":[{\"IP\":\"127.0.0.1\",\"PrivatePort\":6443,\"PublicPort\":41001,"
                 "\"Type\":\"tcp\"}]}]\n%%\n"
                 "404\n%%\n" // the network
                 "404\n");   // the image
    MUST(play_observe(play, "engine"));
    play->engine = TAKE_PTR(play->observation.engine);
    play->engine->now_s = PLAY_NOW_S;
    play->input.engine = play->engine;
}

void play_meet_cluster(struct play *play)
{
    play_meet_engine(play);
    answer(play, "tar\n\n== admin.conf\n"
                 "current-context: c\n"
                 "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
                 "clusters: [{name: k, cluster: {server: 'https://" PLAY_NODE ":6443'}}]\n"
                 "users: [{name: u, user: {token: t}}]\n");
}

static void on_acted(void *ctx, const struct error *err)
{
    play_note_end(ctx, err);
}

void play_act(struct play *play, const struct action *action)
{
    struct error err = {0};
    play->ended = 0;
    int r =
        action->type == ACTION_STORAGE_MAKE
            ? 1
            : play->backend->ops->act(play->backend, action, &play->input, on_acted, play, &err);
    if (r == 1) {
        return;
    }
    if (r < 0) {
        play_note_end(play, &err);
    } else {
        play_run(play);
    }
    check_requests(play->fake);
    if (play->error.kind != ERROR_NONE) {
        char message[MESSAGE_BYTES_MAX] = "";
        (void)outcome_of_action(&play->input, action, &play->error, message, sizeof(message));
        MUST(message[0] != '\0');
        must_be_line(message);
    }
}
