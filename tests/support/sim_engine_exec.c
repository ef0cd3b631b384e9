// Commands in a node: the few that the program runs.
#include "lib/base/str.h"
#include "tests/support/sim_engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void exec_done(struct sim_exec *exec)
{
    free(exec->container);
    json_decref(exec->command);
    *exec = (struct sim_exec){0};
}

void sim_execs_done(struct sim_engine *engine)
{
    for (size_t i = 0; i < EXECS_MAX; i++) {
        exec_done(&engine->execs[i]);
    }
}

void sim_exec_create(struct sim_engine *engine, struct sim_exchange *x)
{
    const struct sim_container *container = sim_engine_find(engine, x->name);
    if (container == NULL || !str_equal(container->state, "running")) {
        sim_exchange_refuse(x, container == NULL ? 404 : 409, "Container %s is not running",
                            x->name);
        return;
    }
    unsigned number = engine->serial++ % EXECS_MAX; // the oldest is forgotten
    struct sim_exec *exec = &engine->execs[number];
    exec_done(exec);
    json_auto_t *body = sim_exchange_json(x);
    *exec = (struct sim_exec){.container = str_dup(container->id),
                              .command = json_incref(json_object_get(body, "Cmd"))};
    sim_exchange_answer(x, 201, json_pack("{s:o}", "Id", json_sprintf("%u", number)));
}

static struct sim_exec *named(struct sim_engine *engine, const struct sim_exchange *x)
{
    struct sim_exec *exec = &engine->execs[strtoul(x->name, NULL, 10) % EXECS_MAX];
    assert_non_null(exec->command);
    return exec;
}

static const char *word(const struct sim_exec *exec, size_t index)
{
    return json_string_value(json_array_get(exec->command, index));
}

void sim_exec_start(struct sim_engine *engine, struct sim_exchange *x)
{
    struct sim_exec *exec = named(engine, x);
    struct sim_container *container = sim_engine_find(engine, exec->container);
    const char *output = "";
    x->reply->status = container == NULL ? 404 : 200;
    if (container != NULL && str_equal(word(exec, 0), "containerd")) {
        output = "containerd github.com/containerd/containerd/v2 v2.2.1 dea7da592f5d\r\n";
    } else if (container != NULL) {
        assert_string_equal(word(exec, 0), "find"); // DIRECTORY... -maxdepth 1 ... -delete
        for (size_t i = 1; word(exec, i)[0] == '/'; i++) {
            _cleanup_free_ char *file = str_printf("%s/hosts.toml", word(exec, i));
            sim_files_remove(&container->files, file);
            sim_files_remove(&container->files, word(exec, i));
        }
        sim_engine_tell(engine, container, "exec_die", NULL);
    }
    x->reply->body = str_dup(output);
}

void sim_exec_inspect(struct sim_engine *engine, struct sim_exchange *x)
{
    sim_exchange_answer(
        x, 200, json_pack("{s:b, s:i}", "Running", 0, "ExitCode", named(engine, x)->exit_code));
}
