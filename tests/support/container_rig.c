#include "tests/support/container_rig.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "tests/support/json_text.h"
#include "tests/support/sample_config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void on_progress(void *ctx, const char *line)
{
    struct container_rig *rig = ctx;
    size_t length = strlen(rig->progress);
    (void)snprintf(rig->progress + length, sizeof(rig->progress) - length, "%s\n", line);
}

int container_rig_begin(void **state)
{
    struct container_rig *rig = xcalloc(1, sizeof(*rig));
    *rig = (struct container_rig){.config = sample_config(),
                                  .directory = "/tmp/container-XXXXXX",
                                  .fake = fake_transport_new(),
                                  .worker = scripted_worker_new(),
                                  .secrets = secrets_new()};
    assert_non_null(mkdtemp(rig->directory));
    sample_set(&rig->config->registry.storage, rig->directory);
    rig->io = (struct io){.transport = fake_transport_http(rig->fake),
                          .worker = &rig->worker->base,
                          .secrets = rig->secrets,
                          .progress = on_progress,
                          .progress_ctx = rig};
    rig->current = current_new(rig->config);
    rig->input = (struct input){.config = rig->config, .name = "", .desired = true};
    *state = rig;
    return 0;
}

void container_rig_configure(struct container_rig *rig, const char *text)
{
    config_free(rig->config);
    rig->input.config = rig->config = sample_config_of(text);
    sample_set(&rig->config->registry.storage, rig->directory);
}

int container_rig_end(void **state)
{
    struct container_rig *rig = *state;
    container_kind.invalidate(&rig->io, &rig->memory);
    container_rig_run(rig);
    assert_null(rig->io.docker);
    current_free(rig->current);
    fake_transport_free(rig->fake);
    scripted_worker_free(rig->worker);
    secrets_free(rig->secrets);
    config_free(rig->config);
    assert_int_equal(rmdir(rig->directory), 0);
    free(rig);
    return 0;
}

void container_rig_answer(struct container_rig *rig, const char *answer)
{
    if (str_equal(answer, "ping")) {
        fake_transport_answer(
            rig->fake,
            &(struct fake_answer){.status = 200, .headers = "Api-Version: 1.41\r\n", .body = "OK"});
        container_rig_answer(rig, "200 {'ServerVersion': '20.10.24'}"); // to what is asked then
        return;
    }
    bool recorded = str_ends_with(answer, ".json");
    char *end = NULL;
    int status = recorded ? 200 : (int)strtol(answer, &end, 10);
    _cleanup_free_ char *body = json_text(recorded ? answer : *end == ' ' ? end + 1 : "{}");
    fake_transport_reply(rig->fake, status, body);
}

void container_rig_run(struct container_rig *rig)
{
    while (fake_transport_run(rig->fake) + scripted_worker_run(rig->worker) > 0) {
    }
}

static void on_ended(void *ctx, const struct error *err)
{
    struct container_rig *rig = ctx;
    rig->ended++;
    rig->error = err == NULL ? (struct error){0} : *err;
}

static void on_observed(void *ctx, void *current, const struct error *err)
{
    struct container_rig *rig = ctx;
    assert_true((current == NULL) == (err != NULL));
    rig->current = current;
    on_ended(ctx, err);
}

void container_rig_begin_observation(struct container_rig *rig)
{
    struct error err = {0};
    current_free(TAKE_PTR(rig->current));
    rig->ended = 0;
    assert_int_equal(
        container_kind.observe(&rig->io, &rig->memory, &rig->input, on_observed, rig, &err), 0);
    assert_int_equal(rig->ended, 0);
}

void container_rig_observe(struct container_rig *rig)
{
    container_rig_begin_observation(rig);
    container_rig_run(rig);
    assert_int_equal(rig->ended, 1);
}

bool container_rig_begin_action(struct container_rig *rig, const struct action *action)
{
    rig->ended = 0;
    rig->error = (struct error){0};
    int r =
        container_kind.act(&rig->io, &rig->memory, action, &rig->input, on_ended, rig, &rig->error);
    assert_int_equal(rig->ended, 0);
    return r == 0;
}

bool container_rig_act(struct container_rig *rig, const struct action *action)
{
    if (!container_rig_begin_action(rig, action)) {
        return false;
    }
    container_rig_run(rig);
    assert_int_equal(rig->ended, 1);
    return rig->error.kind == ERROR_NONE;
}
