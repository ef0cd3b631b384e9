// Commands in a running container: create the exec, stream its output, ask for its exit code.
// https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Exec
#include "lib/docker/docker_internal.h"

#include "lib/base/str.h"
#include "lib/doc/json.h"

#include <errno.h>
#include <string.h>

#define EXEC_VERB "run a command in container"
#define EXEC_STREAM_TIMEOUT_MS (30u * 1000u)
// The stream's end comes a moment before the engine has noted the end of the process.
#define EXEC_INSPECTS_MAX 100
#define EXEC_NO_EXIT_CODE (-1)

struct exec_call {
    struct docker_call call;
    docker_exec_fn done;
    void *ctx;
    char *container;
    char *id;
    struct buf output;
    unsigned inspects;
};

static void exec_destroy(struct docker_call *call)
{
    struct exec_call *self = (struct exec_call *)call;
    free(self->container);
    free(self->id);
    buf_done(&self->output);
}

static void exec_fail(struct exec_call *self, const struct error *err)
{
    self->done(self->ctx, EXEC_NO_EXIT_CODE, NULL, err);
}

static int send_inspect(struct exec_call *self, struct error *err);

static void exec_inspected(struct docker_call *call, struct http_response *response,
                           struct error *err)
{
    struct exec_call *self = (struct exec_call *)call;
    json_auto_t *exec = NULL;
    if (response == NULL ||
        docker_decode(call, &response->body, DOCKER_SHAPE_OBJECT, NULL, &exec, err) < 0) {
        exec_fail(self, err);
        return;
    }
    if (json_get_bool(exec, false, "Running", NULL)) {
        if (self->inspects == EXEC_INSPECTS_MAX) {
            (void)docker_error(call, err, ERROR_TRANSIENT, ETIMEDOUT,
                               "it runs on after the end of its output");
            exec_fail(self, err);
        } else if (send_inspect(self, err) < 0) {
            exec_fail(self, err);
        }
        return;
    }
    json_t *code = json_object_get(exec, "ExitCode");
    if (!json_is_integer(code)) {
        (void)docker_error(call, err, ERROR_TRANSIENT, EBADMSG, "the answer has no exit code");
        exec_fail(self, err);
        return;
    }
    self->done(self->ctx, (int)json_integer_value(code), buf_str(&self->output), NULL);
}

static int send_inspect(struct exec_call *self, struct error *err)
{
    const struct docker_request request = {
        .verb = EXEC_VERB,
        .subject = self->container,
        .method = HTTP_GET,
        .path = {{"/exec/", self->id}, {"/json", NULL}},
    };
    self->inspects++;
    self->call.answered = exec_inspected;
    return docker_call_send(self->call.docker, &self->call, &request, err);
}

static void exec_ended(struct docker_call *call, struct http_response *response, struct error *err)
{
    struct exec_call *self = (struct exec_call *)call;
    if (response == NULL || send_inspect(self, err) < 0) {
        exec_fail(self, err);
    }
}

// Reads on beyond the maximum, so that the process can end.
static int exec_output(void *ctx, const char *data, size_t length)
{
    struct exec_call *self = ctx;
    size_t room = self->output.max - self->output.length;
    return buf_append(&self->output, data, length < room ? length : room);
}

static int send_start(struct exec_call *self, struct error *err)
{
    static const char body[] = "{\"Detach\":false,\"Tty\":true}";
    const struct docker_request request = {
        .verb = EXEC_VERB,
        .subject = self->container,
        .method = HTTP_POST,
        .path = {{"/exec/", self->id}, {"/start", NULL}},
        .content_type = "application/json",
        .body = body,
        .body_length = sizeof(body) - 1,
        .timeout_ms = EXEC_STREAM_TIMEOUT_MS,
        .on_chunk = exec_output,
    };
    self->call.answered = exec_ended;
    return docker_call_send(self->call.docker, &self->call, &request, err);
}

static void exec_created(struct docker_call *call, struct http_response *response,
                         struct error *err)
{
    struct exec_call *self = (struct exec_call *)call;
    json_auto_t *created = NULL;
    if (response == NULL ||
        docker_decode(call, &response->body, DOCKER_SHAPE_ENTITY, NULL, &created, err) < 0) {
        exec_fail(self, err);
        return;
    }
    self->id = str_dup(json_get_string(created, "Id", NULL));
    if (self->id == NULL) {
        (void)error_oom(err);
        exec_fail(self, err);
    } else if (send_start(self, err) < 0) {
        exec_fail(self, err);
    }
}

// {"Cmd": argv, ...}; the caller owns the reference. NULL: out of memory.
static json_t *exec_spec(const char *const *argv)
{
    json_auto_t *command = json_array();
    for (; *argv != NULL; argv++) {
        if (json_array_append_new(command, json_string(*argv)) < 0) {
            return NULL;
        }
    }
    // A tty, since then the stream is the output as it is, without frames.
    return json_pack("{s:O, s:b, s:b, s:b}", "Cmd", command, "AttachStdout", 1, "AttachStderr", 1,
                     "Tty", 1);
}

int docker_exec(struct docker *docker, const char *container, const char *const *argv,
                enum docker_effect effect, docker_exec_fn done, void *ctx, struct error *err)
{
    json_auto_t *spec = exec_spec(argv);
    _cleanup_buf_ struct buf text = BUF_INIT(DOCKER_BODY_BYTES_MAX);
    int r = docker_print_body(EXEC_VERB, spec, &text, err);
    if (r < 0) {
        return r;
    }
    struct exec_call *self = calloc(1, sizeof(*self));
    _cleanup_(docker_call_freep) struct docker_call *call = self == NULL ? NULL : &self->call;
    if (self == NULL) {
        return error_oom(err);
    }
    *self = (struct exec_call){
        .call = {.answered = exec_created, .destroy = exec_destroy, .effect = effect},
        .done = done,
        .ctx = ctx,
        .container = str_dup(container),
        .output = BUF_INIT(DOCKER_EXEC_OUTPUT_MAX),
    };
    if (self->container == NULL) {
        return error_oom(err);
    }
    const struct docker_request request = {
        .verb = EXEC_VERB,
        .subject = container,
        .method = HTTP_POST,
        .path = {{"/containers/", container}, {"/exec", NULL}},
        .content_type = "application/json",
        .body = text.data,
        .body_length = text.length,
    };
    r = docker_call_send(docker, call, &request, err);
    if (r == 0) {
        (void)TAKE_PTR(call);
    }
    return r;
}
