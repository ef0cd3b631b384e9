// What the other side of an API says: the first byte is the status of its answer, the rest the
// body. It becomes an answer or an error in one line that shows no secret, and a stream of it the
// same lines however it is cut.
#include "lib/api/api.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/fake_transport.h"

#include <errno.h>
#include <string.h>

#define SECRET "hunter2-hunter2"
#define EVENTS_BYTES_MAX (1024u * 1024u)

struct outcome {
    unsigned ended;
    bool answered;
    struct error err;
    struct buf events; // as they came
};

static int on_event(void *ctx, const json_t *event)
{
    struct outcome *outcome = ctx;
    MUST(outcome->ended == 0 && (json_is_object(event) || json_is_array(event)));
    _cleanup_free_ char *text = json_dumps(event, JSON_COMPACT);
    MUST(buf_printf(&outcome->events, "%s\n", text) == 0);
    return json_object_get(event, "stop") == NULL ? 0 : -EPROTO;
}

static struct api_refusal find_refusal(const json_t *event)
{
    return (struct api_refusal){.message = json_string_value(json_object_get(event, "message")),
                                .kind = ERROR_PERMANENT};
}

static void on_done(void *ctx, json_t *answer, const struct error *err)
{
    struct outcome *outcome = ctx;
    outcome->ended++;
    outcome->answered = answer != NULL;
    if (err != NULL) {
        MUST(answer == NULL);
        must_explain(err);
        MUST(strstr(err->text, SECRET) == NULL);
        MUST(str_starts_with(err->text, "side: ask"));
        outcome->err = *err;
    }
}

static void outcome_done(struct outcome *outcome)
{
    buf_done(&outcome->events);
}

static struct outcome ask(struct api_request request, const struct fake_answer *answer)
{
    struct outcome outcome = {.events = BUF_INIT(EVENTS_BYTES_MAX)};
    struct secrets *secrets = secrets_new();
    secrets_add(secrets, SECRET);
    struct fake_transport *fake = fake_transport_new();
    struct api *api = xmalloc(sizeof(*api));
    *api = (struct api){.name = "side", .secrets = secrets};
    const struct http_endpoint endpoint = {.base = "http://h"};
    MUST(api_open(api, fake_transport_http(fake), &endpoint, NULL) == 0);
    request.what = "ask";
    request.path = "/";
    request.done = on_done;
    request.ctx = &outcome;
    fake_transport_answer(fake, answer);
    MUST(api_send(api, &request, NULL) == 0);
    MUST(fake_transport_run(fake) == 1 && outcome.ended == 1);
    api_free(api);
    fake_transport_free(fake);
    secrets_free(secrets);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 201, 204, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503};
    const struct api_request stream = {.on_event = on_event, .refused = find_refusal};
    if (size < 2) {
        return 0;
    }
    struct fake_answer answer = {
        .status = statuses[data[0] % ELEMENTS(statuses)],
        .body = (const char *)data + 1,
        .length = size - 1,
    };
    _cleanup_(outcome_done) struct outcome one =
        ask((struct api_request){.check = api_check_object,
                                 .tolerated = {{.status = 404, .reason = "NotFound"},
                                               {.status = 403, .message = "already"}}},
            &answer);
    MUST(answer.status > 299 ? !one.answered : one.answered != (one.err.kind != ERROR_NONE));
    _cleanup_(outcome_done) struct outcome whole = ask(stream, &answer);
    for (size_t cut = 1; cut <= size; cut += 1 + size / 7) {
        answer.chunk = cut;
        _cleanup_(outcome_done) struct outcome pieces = ask(stream, &answer);
        MUST(str_equal(buf_str(&pieces.events), buf_str(&whole.events)));
        MUST(pieces.err.kind == whole.err.kind && str_equal(pieces.err.text, whole.err.text));
    }
    return 0;
}
