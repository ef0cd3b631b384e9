// Commands in a running container: create the exec, start it and take its output, ask for its exit
// code. https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Exec
#include "lib/docker/docker_client.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>
#include <sys/param.h>

#define EXEC_TIMEOUT_MS (30u * 1000u)
// The output's end comes a moment before the engine has noted the end of the process.
#define EXEC_INSPECTS_MAX 100
#define EXEC_NO_EXIT_CODE (-1)

struct exec {
    struct docker *docker;
    char *container;
    enum api_effect effect;
    docker_exec_fn done;
    void *ctx;
    char *id;
    char *output;
    unsigned inspects;
};

static void exec_free(struct exec *exec)
{
    free(exec->container);
    free(exec->id);
    free(exec->output);
    free(exec);
}

static void exec_end(struct exec *exec, int exit_code, const struct error *err)
{
    exec->done(exec->ctx, exit_code, err == NULL ? exec->output : NULL, err);
    exec_free(exec);
}

// All of its requests are about the same to the outside.
static int exec_send(struct exec *exec, struct api_request request, struct error *err)
{
    request.what = "run a command in container $0";
    request.args[0] = exec->container;
    request.args[1] = exec->id;
    request.effect = exec->effect;
    request.ctx = exec;
    return docker_send(exec->docker, &request, err);
}

static void exec_inspect(struct exec *exec);

static const char *check_state(const json_t *answer)
{
    const char *problem = api_check_object(answer);
    bool told = json_get_bool(answer, false, "Running", NULL) ||
                json_is_integer(json_get(answer, "ExitCode", NULL));
    return problem != NULL ? problem : told ? NULL : "the answer has no exit code";
}

static void on_inspected(void *ctx, const struct api_answer *answer, const struct error *err)
{
    struct exec *exec = ctx;
    struct error problem = {0};
    bool running = json_get_bool(answer->json, false, "Running", NULL);
    if (running && exec->inspects < EXEC_INSPECTS_MAX) {
        exec_inspect(exec);
        return;
    }
    if (running) {
        (void)error_set(&problem, ERROR_TRANSIENT, ETIMEDOUT,
                        "%s: it runs on after the end of its output", answer->what);
        err = &problem;
    }
    exec_end(exec, (int)json_get_int(answer->json, EXEC_NO_EXIT_CODE, "ExitCode", NULL), err);
}

static void exec_inspect(struct exec *exec)
{
    struct error err = {0};
    const struct api_request request = {
        .path = "/exec/$1/json", .check = check_state, .raw = on_inspected};
    exec->inspects++;
    if (exec_send(exec, request, &err) < 0) {
        exec_end(exec, EXEC_NO_EXIT_CODE, &err);
    }
}

static void on_output(void *ctx, const struct api_answer *answer, const struct error *err)
{
    struct exec *exec = ctx;
    if (err != NULL) {
        exec_end(exec, EXEC_NO_EXIT_CODE, err);
        return;
    }
    size_t length = answer->response->body.length;
    exec->output = str_dup_n(buf_str(&answer->response->body), MIN(length, DOCKER_EXEC_OUTPUT_MAX));
    exec_inspect(exec);
}

static void on_created(void *ctx, json_t *created, const struct error *err)
{
    static const char body[] = "{\"Detach\":false,\"Tty\":true}";
    struct exec *exec = ctx;
    struct error problem = {0};
    const struct api_request request = {
        .method = HTTP_POST,
        .path = "/exec/$1/start",
        .content_type = DOCKER_JSON,
        .body = body,
        .body_length = sizeof(body) - 1,
        .timeout_ms = EXEC_TIMEOUT_MS,
        .raw = on_output,
    };
    if (err == NULL) {
        exec->id = str_dup(json_get_string(created, "Id", NULL));
        err = exec_send(exec, request, &problem) < 0 ? &problem : NULL;
    }
    if (err != NULL) {
        exec_end(exec, EXEC_NO_EXIT_CODE, err);
    }
}

int docker_exec(struct docker *docker, const char *container, const char *const *argv,
                enum api_effect effect, docker_exec_fn done, void *ctx, struct error *err)
{
    json_auto_t *command = json_array();
    for (; *argv != NULL; argv++) {
        if (json_array_append_new(command, json_string(*argv)) < 0) {
            return error_invalid(
                err, "engine: run a command in container %s: an argument is no UTF-8", container);
        }
    }
    // A tty, since then the stream is the output as it is, without frames.
    json_auto_t *spec = json_pack("{s:O, s:b, s:b, s:b}", "Cmd", command, "AttachStdout", 1,
                                  "AttachStderr", 1, "Tty", 1);
    const struct api_request request = {
        .method = HTTP_POST,
        .path = "/containers/$0/exec",
        .content_type = DOCKER_JSON,
        .json = spec,
        .check = docker_check_entity,
        .done = on_created,
    };
    struct exec *exec = xcalloc(1, sizeof(*exec));
    *exec = (struct exec){.docker = docker,
                          .container = str_dup(container),
                          .effect = effect,
                          .done = done,
                          .ctx = ctx};
    int r = exec_send(exec, request, err);
    if (r < 0) {
        exec_free(exec);
    }
    return r;
}
