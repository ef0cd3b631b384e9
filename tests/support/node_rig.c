#include "tests/support/node_rig.h"

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/docker/docker_tar.h"
#include "lib/kinds/node/node.h"
#include "tests/support/sample_config.h"

#include <string.h>

#define TEXT_MAX (1024u * 1024u)

void node_rig_init(struct node_rig *rig)
{
    *rig = (struct node_rig){.config = sample_config(), .engine = xcalloc(1, sizeof(*rig->engine))};
    rig->engine->refs = 1;
    rig->node = ARENA_GROW(&rig->engine->arena, rig->engine->nodes, rig->engine->node_count);
    *rig->node = (struct engine_node){
        .id = TEST_NODE_ID,
        .name = TEST_NODE,
        .cluster = "hostk8s",
        .role = NODE_WORKER,
        .running = true,
        .status = "running",
    };
    rig->input = (struct input){
        .config = rig->config, .engine = rig->engine, .name = TEST_NODE, .desired = true};
    rig->io.secrets = secrets_new();
}

void node_rig_done(struct node_rig *rig)
{
    node_kind.invalidate(&rig->io, &rig->memory);
    engine_unref(rig->engine);
    config_free(rig->config);
    secrets_free(rig->io.secrets);
}

bool node_rig_knows(const struct node_rig *rig)
{
    const struct node_current *kept = rig->memory;
    return kept != NULL && kept->stamps != NULL;
}

int node_rig_setup(void **state)
{
    struct node_rig *rig = xcalloc(1, sizeof(*rig));
    node_rig_init(rig);
    assert_int_equal(docker_test_setup(state), 0);
    rig->fake = docker_test.fake;
    rig->next = docker_test.first;
    rig->io.docker = docker_test.docker;
    *state = rig;
    return 0;
}

static void clear_result(struct node_rig *rig)
{
    node_kind.free_current(TAKE_PTR(rig->current));
    rig->err = (struct error){0};
    rig->calls = 0;
}

int node_rig_teardown(void **state)
{
    struct node_rig *rig = *state;
    clear_result(rig);
    node_rig_done(rig);
    (void)docker_test_teardown(state);
    free(rig);
    return 0;
}

static void on_done(void *ctx, const struct error *err)
{
    struct node_rig *rig = ctx;
    rig->calls++;
    rig->err = err == NULL ? (struct error){0} : *err;
}

static void on_observed(void *ctx, void *current, const struct error *err)
{
    struct node_rig *rig = ctx;
    assert_int_equal(current == NULL, err != NULL);
    rig->current = current;
    on_done(rig, err);
}

int node_rig_start(struct node_rig *rig)
{
    clear_result(rig);
    int r = node_kind.observe(&rig->io, &rig->memory, &rig->input, on_observed, rig, &rig->err);
    assert_int_equal(rig->calls, 0);
    return r;
}

int node_rig_act(struct node_rig *rig, const struct action *action)
{
    clear_result(rig);
    int r = node_kind.act(&rig->io, &rig->memory, action, &rig->input, on_done, rig, &rig->err);
    assert_int_equal(rig->calls, 0);
    return r;
}

void node_rig_observe(struct node_rig *rig)
{
    assert_int_equal(node_rig_start(rig), 0);
    fake_transport_run(rig->fake);
    assert_int_equal(rig->calls, 1);
    assert_int_equal(fake_transport_under_way(rig->fake), 0);
}

void assert_node_requests(struct node_rig *rig, const char *expected)
{
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
    for (; rig->next < fake_transport_count(rig->fake); rig->next++) {
        const struct fake_request *request = fake_transport_request(rig->fake, rig->next);
        assert_true(str_starts_with(request->path, "/v1.41/"));
        (void)buf_printf(&text, "%s %s\n", http_method_name(request->method),
                         request->path + strlen("/v1.41"));
    }
    assert_string_equal(buf_str(&text), expected);
}

// ---- answers ----

void node_rig_answer_stamps(struct node_rig *rig, size_t count, const char *stamp)
{
    _cleanup_free_ char *header = str_printf("X-Docker-Container-Path-Stat: %s\r\n", stamp);
    const struct fake_answer answer = {.status = stamp == NULL ? 404 : 200,
                                       .headers = stamp == NULL ? NULL : header};
    for (size_t i = 0; i < count; i++) {
        fake_transport_answer(rig->fake, &answer);
    }
}

void node_rig_answer_files(struct node_rig *rig, const struct rig_file *files, size_t count)
{
    struct docker_file *list = xcalloc(count, sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct docker_file){.path = str_dup(files[i].path),
                                       .content = str_dup(files[i].content)};
        list[i].length = files[i].content == NULL ? 0 : strlen(files[i].content);
    }
    _cleanup_buf_ struct buf tar = BUF_INIT(TEXT_MAX);
    assert_int_equal(docker_tar_write(list, count, &tar, NULL), 0);
    fake_transport_answer(
        rig->fake,
        &(struct fake_answer){.status = 200, .body = buf_str(&tar), .length = tar.length});
    docker_files_free(list, count);
}

void node_rig_answer_config(struct node_rig *rig, const char *config_toml)
{
    const struct rig_file file = {"containerd/config.toml", config_toml};
    node_rig_answer_files(rig, &file, 1);
}

void node_rig_answer_container(struct node_rig *rig, const char *variables)
{
    _cleanup_free_ char *inspect =
        str_printf("{\"Id\":\"" TEST_NODE_ID "\",\"Config\":{\"Env\":%s}}", variables);
    fake_transport_reply(rig->fake, 200, inspect);
}

void node_rig_answer_exec(struct node_rig *rig, const char *output, int exit_code)
{
    _cleanup_free_ char *ended = str_printf("{\"Running\":false,\"ExitCode\":%d}", exit_code);
    fake_transport_reply(rig->fake, 201, "{\"Id\":\"e1\"}");
    fake_transport_reply(rig->fake, 200, output);
    fake_transport_reply(rig->fake, 200, ended);
}

// ---- plans ----

void assert_node_plan(const struct plan *plan, const char *expected)
{
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct action *action = plan->actions[i];
        assert_string_equal(action->resource, "node/" TEST_NODE);
        assert_string_equal(action->cluster, "hostk8s");
        (void)buf_printf(&text, "%s %s (%s%s)", action->name, action->target, action->verb,
                         action->destructive ? "!" : "");
        for (size_t j = 0; j < action->field_count; j++) {
            const struct field_diff *field = &action->fields[j];
            (void)buf_printf(&text, "%s %s: %s -> %s", j > 0 ? "," : "", field->path,
                             field->current == NULL ? "absent" : field->current,
                             field->desired == NULL ? "absent" : field->desired);
        }
        (void)buf_append_str(&text, "\n");
    }
    for (size_t i = 0; i < plan->condition_count; i++) {
        const struct condition *condition = &plan->conditions[i];
        assert_string_equal(condition->cluster, "hostk8s");
        (void)buf_printf(&text, "%s %s %s: %s\n", condition->resource, ready_name(condition->ready),
                         reason_name(condition->reason), condition->message);
    }
    assert_string_equal(buf_str(&text), expected);
}
