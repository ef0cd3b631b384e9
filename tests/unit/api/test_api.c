// What goes out as a request, what an answer or a stream becomes, and how calls end early.
#include "lib/api/api.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "tests/support/fake_transport.h"
#include "tests/support/outcome.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TIMEOUT_MS 1234
#define SECRET "hunter2hunter2"

struct fixture {
    struct fake_transport *fake;
    struct api *api; // "side"; NULL once freed
    struct secrets *secrets;
    char said[64]; // to the client's hook the last time; "-": without an answer
};

// What a call told.
struct told {
    struct outcome outcome; // first
    struct fixture *fixture;
    int status;    // that a raw callback saw, -1: no answer
    char what[64]; // likewise
    char events[256];
    int event_result;
    bool cancel_in_event;
    bool free_in_done;
};

static struct fixture f;

// An error of status 418 becomes one of kind ERROR_FATAL.
static void note_failure(_unused_ struct api *api, const char *said, struct error *err)
{
    (void)snprintf(f.said, sizeof(f.said), "%s", said == NULL ? "-" : said);
    err->kind = err->status == 418 ? ERROR_FATAL : err->kind;
}

static int setup(_unused_ void **state)
{
    f = (struct fixture){.fake = fake_transport_new(), .secrets = secrets_new()};
    secrets_add(f.secrets, SECRET);
    f.api = xmalloc(sizeof(*f.api));
    *f.api = (struct api){.name = "side",
                          .accept = "application/json",
                          .timeout_ms = TIMEOUT_MS,
                          .secrets = f.secrets,
                          .failed = note_failure};
    const struct http_endpoint endpoint = {.base = "http://h"};
    return api_open(f.api, fake_transport_http(f.fake), &endpoint, NULL);
}

static int teardown(_unused_ void **state)
{
    api_free(f.api);
    fake_transport_free(f.fake);
    secrets_free(f.secrets);
    return 0;
}

static void on_done(void *ctx, json_t *answer, const struct error *err)
{
    struct told *told = ctx;
    outcome_done(ctx, answer, err);
    if (told->free_in_done) {
        api_free(TAKE_PTR(f.api));
    }
}

static void on_raw(void *ctx, const struct api_answer *answer, const struct error *err)
{
    struct told *told = ctx;
    assert_true((answer->response == NULL) == (err != NULL));
    told->status = answer->response == NULL ? -1 : answer->response->status;
    (void)snprintf(told->what, sizeof(told->what), "%s", answer->what);
    on_done(ctx, answer->json, err);
}

static int on_event(void *ctx, const json_t *event)
{
    struct told *told = ctx;
    assert_int_equal(told->outcome.calls, 0);
    _cleanup_free_ char *text = json_dumps(event, JSON_COMPACT);
    size_t length = strlen(told->events);
    (void)snprintf(told->events + length, sizeof(told->events) - length, "%s ", text);
    if (told->cancel_in_event) {
        api_cancel(f.api, API_WATCHES);
    }
    return told->event_result;
}

// Of a line {"no": MESSAGE, "status": STATUS}.
static struct api_refusal refused(const json_t *event)
{
    return (struct api_refusal){
        .message = json_string_value(json_object_get(event, "no")),
        .status = (int)json_integer_value(json_object_get(event, "status")),
        .kind = ERROR_CONFLICT,
    };
}

static const struct api_request stream = {
    .on_event = on_event, .refused = refused, .timeout_ms = API_ENDLESS, .effect = API_WATCHES};

// Sends the request with what it lacks.
static int send(struct api_request request, struct told *told, struct error *err)
{
    request.ctx = told;
    request.done = request.raw == NULL ? on_done : NULL;
    request.path = request.path == NULL ? "/x" : request.path;
    request.what = request.what == NULL ? "ask" : request.what;
    int r = api_send(f.api, &request, err);
    assert_int_equal(told->outcome.calls, 0);
    return r;
}

static void begin(struct api_request request, struct told *told)
{
    assert_int_equal(send(request, told, NULL), 0);
}

// Sends, answers, and asserts what came of it; the answer's JSON goes.
static void ask(struct api_request request, const struct fake_answer *answer, struct told *told,
                const char *text)
{
    fake_transport_answer(f.fake, answer);
    begin(request, told);
    assert_int_equal(fake_transport_run(f.fake), 1);
    outcome_is(&told->outcome, text);
    json_decref(TAKE_PTR(told->outcome.answer));
}

// ---- requests

static void test_requests(_unused_ void **state)
{
    json_auto_t *json = json_pack("{s:s}", "a", "é");
    const struct {
        struct api_request request;
        const char *path;
        const char *body;
        uint64_t timeout_ms;
    } table[] = {
        {{.path = "/a?b=$0", .args = {"c/d e"}}, "/a?b=c%2Fd%20e", "", TIMEOUT_MS},
        {{.prefix = "/v1", .path = "/$1/$0?x=1&y=$2&z", .args = {"b", "a", "c"}},
         "/v1/a/b?x=1&y=c&z",
         "",
         TIMEOUT_MS},
        {{.prefix = "/v1", .path = "?x=$0&y=$1"}, "/v1", "", TIMEOUT_MS},
        {{.path = "/a?x=1&y=$1&z=$0", .args = {"b"}}, "/a?x=1&z=b", "", TIMEOUT_MS},
        {{HTTP_POST, .content_type = "t", .json = json, .timeout_ms = 7}, "/x", "{\"a\":\"é\"}", 7},
        {{HTTP_PUT, .content_type = "t", .body = "raw", .body_length = 3,
          .timeout_ms = API_ENDLESS},
         "/x",
         "raw",
         0},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        const struct api_request *request = &table[i].request;
        struct told told = {0};
        ask(*request, &(struct fake_answer){.status = 200, .body = "ignored"}, &told, "");
        const struct fake_request *sent = fake_transport_last(f.fake);
        assert_int_equal(sent->method, request->method);
        assert_string_equal(sent->path, table[i].path);
        assert_string_equal(sent->body, table[i].body);
        assert_true(str_equal(sent->content_type, request->content_type));
        assert_string_equal(sent->accept, "application/json");
        assert_int_equal(sent->timeout_ms, table[i].timeout_ms);
    }
}

static void test_requests_refused(_unused_ void **state)
{
    char longest[20000] = "";
    memset(longest, '/', sizeof(longest) - 1);
    _cleanup_free_ char *big = xcalloc(1, API_BODY_BYTES_MAX + 1);
    memset(big, 'x', API_BODY_BYTES_MAX);
    json_auto_t *large = json_pack("[s]", big);
    const struct {
        struct api_request request;
        int code;
        const char *text;
    } table[] = {
        {{.what = "remove container $0", .path = "/containers/$0", .args = {""}},
         EINVAL,
         "side: remove container : an empty name"},
        {{.path = "/a/$0", .args = {longest}}, EFBIG, "side: ask: the path is too long"},
        {{.content_type = "t", .json = large}, EFBIG, "side: ask: cannot be sent: it is too large"},
        {{.content_type = "t"}, EINVAL, "side: ask: cannot be sent: it is no valid text"},
    };
    struct told told = {0};
    struct error err = {0};
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        assert_int_equal(send(table[i].request, &told, &err), -table[i].code);
        assert_string_equal(err.text, table[i].text);
        assert_int_equal(err.kind, ERROR_PERMANENT);
    }
    fake_transport_refuse(f.fake, 1, EMFILE);
    assert_int_equal(send((struct api_request){0}, &told, &err), -EMFILE);
    assert_string_equal(err.text, "side: ask: refused by the test");
    assert_int_equal(fake_transport_count(f.fake), 0);
    assert_int_equal(fake_transport_run(f.fake), 0);
}

// ---- answers

static void test_answers(_unused_ void **state)
{
    static const struct {
        int status;
        const char *headers;
        const char *body;
        const char *text; // of the error; "": none
        enum error_kind kind;
        unsigned retry_ms;
    } table[] = {
        {201, NULL, "{\"a\":1}", "", 0, 0},
        {201, NULL, "[1]", "the answer is no JSON object", ERROR_TRANSIENT, 0},
        {201, NULL, "<html>", "the answer is no JSON", ERROR_TRANSIENT, 0},
        {201, NULL, "{\"a\":", "the answer is no JSON", ERROR_TRANSIENT, 0},
        {201, NULL, "", "the answer is no JSON", ERROR_TRANSIENT, 0},
        {304, NULL, "", "", 0, 0},
        {403, NULL, "{\"message\":\"it already exists here\"}", "", 0, 0},
        {403, NULL, "already exists, as plain text", "", 0, 0},
        {403, NULL, "{\"message\":null}", "{\"message\":null} (HTTP 403)", ERROR_PERMANENT, 0},
        {404, NULL, "{\"reason\":\"NotFound\",\"message\":\"no x\"}", "", 0, 0},
        {404, NULL, "{\"reason\":\"Other\",\"message\":\"NotFound\"}", "NotFound (HTTP 404 Other)",
         ERROR_CONFLICT, 0},
        {404, NULL, "NotFound", "NotFound (HTTP 404)", ERROR_CONFLICT, 0},
        {400, NULL, "{\"message\":\"a\\nb\\u001b[0m \\n\",\"reason\":7}", "a b?[0m (HTTP 400)",
         ERROR_PERMANENT, 0},
        {429, "Retry-After: 7\r\n", "slow", "slow (HTTP 429)", ERROR_TRANSIENT, 7000},
        {503, "Retry-After: later\r\n", "now", "now (HTTP 503)", ERROR_TRANSIENT, 0},
        {502, NULL, "<html>\r\n<b>Bad \xfcGateway</b>\r\n", "<html> <b>Bad ?Gateway</b> (HTTP 502)",
         ERROR_TRANSIENT, 0},
        {418, NULL, "seen by the hook", "seen by the hook (HTTP 418)", ERROR_FATAL, 0},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        bool good = *table[i].text == '\0';
        _cleanup_free_ char *text = str_printf("side: ask: %s", table[i].text);
        struct told told = {0};
        ask((struct api_request){.raw = on_raw,
                                 .check = api_check_object,
                                 .tolerated = {{.status = 304},
                                               {.status = 403, .message = "already exists"},
                                               {.status = 404, .reason = "NotFound"}}},
            &(struct fake_answer){
                .status = table[i].status, .headers = table[i].headers, .body = table[i].body},
            &told, good ? "" : text);
        assert_int_equal(told.status, good ? table[i].status : -1);
        assert_string_equal(told.what, "side: ask");
        assert_int_equal(told.outcome.err.kind, table[i].kind);
        assert_int_equal(told.outcome.err.status, good ? 0 : table[i].status);
        assert_int_equal(told.outcome.err.retry_ms, table[i].retry_ms);
    }
    assert_string_equal(f.said, "seen by the hook");
    struct told told = {0};
    ask((struct api_request){.what = "connect $1 to $0", .args = {"a", "b"}},
        &(struct fake_answer){.status = 301}, &told, "side: connect b to a (HTTP 301)");
    fake_transport_fail(f.fake, ERROR_TRANSIENT, ENOENT, "no socket");
    const struct api_request unnamed = {.prefix = "/p", .done = outcome_done, .ctx = &told.outcome};
    told.outcome.calls = 0;
    assert_int_equal(api_send(f.api, &unnamed, NULL), 0);
    assert_int_equal(fake_transport_run(f.fake), 1);
    outcome_is(&told.outcome, "side: GET /p: no socket");
    assert_string_equal(f.said, "-");
}

// Of what is hidden, no beginning is seen where a text is cut: each bound comes amid a secret, the
// excerpt's, the message's, and that of what is looked at.
static void test_secrets(_unused_ void **state)
{
    static const size_t fillers[] = {0, 110, 120, 310, 318, 4085, 4090};
    char text[5000];
    memset(text, 'y', sizeof(text));
    for (size_t i = 0; i < ELEMENTS(fillers) * 2; i++) {
        bool page = i % 2 == 0;
        _cleanup_free_ char *body = str_printf("%s%.*s" SECRET "%s", page ? "" : "{\"message\":\"",
                                               (int)fillers[i / 2], text, page ? "" : "\"}");
        struct told told = {0};
        fake_transport_reply(f.fake, 500, body);
        begin((struct api_request){0}, &told);
        fake_transport_run(f.fake);
        assert_null(strstr(told.outcome.err.text, "hun"));
        assert_true(str_ends_with(told.outcome.err.text, " (HTTP 500)"));
        assert_true(i > 1 || strstr(told.outcome.err.text, "***") != NULL);
    }
    struct told told = {0};
    ask(stream, &(struct fake_answer){.status = 200, .body = "{\"no\":\"to " SECRET "\"}\n"}, &told,
        "side: ask: to ***");
}

// ---- streams

static void test_stream(_unused_ void **state)
{
    static const char body[] = "{\"a\":1}\r\n\n[2]\n{\"c\":\"3\"}";
    for (size_t chunk = 1; chunk <= sizeof(body); chunk++) {
        struct told told = {0};
        ask(stream, &(struct fake_answer){.status = 200, .body = body, .chunk = chunk}, &told, "");
        assert_string_equal(told.events, "{\"a\":1} [2] {\"c\":\"3\"} ");
    }
}

static void test_stream_ends(_unused_ void **state)
{
    static const struct error closed = {ERROR_TRANSIENT, ECONNRESET, .text = "closed"};
    static const struct {
        int status;
        const char *body;
        bool breaks; // after the body
        int event_result;
        int code;
        int error_status;
        const char *events;
        const char *text;
    } table[] = {
        {200, "{}\n{\"cut", false, 0, EBADMSG, 0, "{} ",
         "a line of the stream is no valid JSON at byte 5 of 5"},
        {200, "{}\n7\n{}\n", false, 0, EBADMSG, 0, "{} ",
         "a line of the stream is no valid JSON at byte 1 of 1"},
        {200, "{}\n", true, 0, ECONNRESET, 0, "{} ", "closed"},
        {200, "{}\n{}\n", false, -EPROTO, EPROTO, 0, "{} ", "stopped by its reader"},
        {410, "{\"message\":\"too old\"}", false, 0, EREMOTEIO, 410, "", "too old (HTTP 410)"},
        // What the other side says counts more than how the exchange ends, and needs no line end.
        {200, "{}\n{\"no\":\"more\"}\n{}\n", true, 0, EREMOTEIO, 0, "{} ", "more"},
        {200, "{\"no\":\"more\",\"status\":410}", false, 0, EREMOTEIO, 410, "", "more"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_free_ char *text = str_printf("side: ask: %s", table[i].text);
        struct told told = {.event_result = table[i].event_result};
        ask(stream,
            &(struct fake_answer){.status = table[i].status,
                                  .body = table[i].body,
                                  .error = table[i].breaks ? closed : (struct error){0}},
            &told, text);
        assert_int_equal(told.outcome.err.code, table[i].code);
        assert_string_equal(told.events, table[i].events);
        assert_int_equal(told.outcome.err.status, table[i].error_status);
    }
    // A line without end.
    _cleanup_free_ char *endless = xcalloc(1, API_LINE_BYTES_MAX + 2);
    memset(endless, ' ', API_LINE_BYTES_MAX + 1);
    struct told told = {0};
    ask(stream, &(struct fake_answer){.status = 200, .body = endless}, &told,
        "side: ask: a line of the stream exceeds 8388608 bytes");
}

// ---- early ends

static void test_cancel_about(_unused_ void **state)
{
    static const char *const about[] = {"a", "b", NULL};
    struct told told[ELEMENTS(about)] = {0};
    for (size_t i = 0; i < ELEMENTS(about); i++) {
        begin((struct api_request){.args = {about[i]}, .effect = API_READS}, &told[i]);
    }
    api_cancel_about(f.api, "a", API_READS);
    assert_int_equal(fake_transport_run(f.fake), 1);
    for (size_t i = 0; i < ELEMENTS(about); i++) {
        assert_int_equal(told[i].outcome.err.code, i == 0 ? ECANCELED : 0);
        fake_transport_reply(f.fake, 200, "");
    }
    (void)fake_transport_run(f.fake);
}

static void test_cancel(_unused_ void **state)
{
    const struct api_request requests[] = {
        [API_CHANGES] = {0}, [API_READS] = {.effect = API_READS}, [API_WATCHES] = stream};
    for (enum api_effect from = API_CHANGES; from <= API_WATCHES; from++) {
        struct told told[ELEMENTS(requests)] = {0};
        for (size_t i = 0; i < ELEMENTS(requests); i++) {
            begin(requests[i], &told[i]);
        }
        api_cancel(f.api, from);
        api_cancel(f.api, from);
        for (size_t i = 0; i < ELEMENTS(requests); i++) {
            assert_int_equal(told[i].outcome.calls, 0);
            if (i < from) {
                fake_transport_reply(f.fake, 200, "");
            }
        }
        assert_int_equal(fake_transport_run(f.fake), ELEMENTS(requests));
        for (size_t i = 0; i < ELEMENTS(requests); i++) {
            outcome_is(&told[i].outcome, i < from ? "" : "side: ask: cancelled");
            assert_int_equal(told[i].outcome.err.code, i < from ? 0 : ECANCELED);
        }
    }
    assert_string_equal(f.said, ""); // a cancelled call says nothing of the other side
}

static void test_cancel_in_event(_unused_ void **state)
{
    struct told told = {.cancel_in_event = true, .event_result = -EPROTO};
    begin(stream, &told);
    fake_transport_push(f.fake, 0, "{}\n", 3);
    assert_int_equal(fake_transport_run(f.fake), 1);
    outcome_is(&told.outcome, "side: ask: cancelled");
    assert_string_equal(told.events, "{} ");
}

// Also in the middle of a line that could not be read: the reason is that the owner ended it.
static void test_free_under_way(_unused_ void **state)
{
    const struct api_request requests[] = {{0}, stream, {.raw = on_raw}};
    struct told told[ELEMENTS(requests)] = {0};
    for (size_t i = 0; i < ELEMENTS(requests); i++) {
        begin(requests[i], &told[i]);
    }
    fake_transport_push(f.fake, 1, "{}\n{", 4);
    api_free(TAKE_PTR(f.api));
    assert_false(fake_transport_endpoint(f.fake, 0)->freed);
    assert_int_equal(fake_transport_run(f.fake), ELEMENTS(requests));
    assert_true(fake_transport_endpoint(f.fake, 0)->freed);
    for (size_t i = 0; i < ELEMENTS(requests); i++) {
        outcome_is(&told[i].outcome, "side: ask: cancelled");
    }
}

static void test_free_in_done(_unused_ void **state)
{
    struct told told[2] = {{.free_in_done = true}};
    begin((struct api_request){0}, &told[0]);
    begin((struct api_request){0}, &told[1]);
    fake_transport_reply(f.fake, 200, "");
    assert_int_equal(fake_transport_run(f.fake), 2);
    outcome_is(&told[0].outcome, "");
    outcome_is(&told[1].outcome, "side: ask: cancelled");
    assert_true(fake_transport_endpoint(f.fake, 0)->freed);
}

// A call of several requests goes on from the callback of one, also after the client was freed. It
// is the call's own copy of what its maker gave.
struct several {
    struct told *told;
    bool frees;
};

static void on_first(void *ctx, _unused_ json_t *answer, const struct error *err)
{
    const struct several *several = ctx;
    struct api *api = f.api;
    assert_null(err);
    if (several->frees) {
        api_free(TAKE_PTR(f.api));
    }
    const struct api_request request = {
        .what = "go on", .path = "/y", .done = on_done, .ctx = several->told};
    struct error error = {0};
    if (api_send(api, &request, &error) < 0) {
        on_done(several->told, NULL, &error);
    }
}

static void test_several_requests(_unused_ void **state)
{
    for (int frees = 0; frees <= 1; frees++) {
        struct told told = {0};
        struct several several = {&told, frees != 0};
        const struct api_request request = {.what = "begin",
                                            .path = "/x",
                                            .done = on_first,
                                            .ctx = &several,
                                            .ctx_size = sizeof(several)};
        assert_int_equal(api_send(f.api, &request, NULL), 0);
        several = (struct several){0};
        fake_transport_reply(f.fake, 200, "");
        fake_transport_reply(f.fake, 200, "");
        assert_int_equal(fake_transport_run(f.fake), frees != 0 ? 1 : 2);
        outcome_is(&told.outcome, frees != 0 ? "side: go on: cancelled" : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
        TEST(test_requests),       TEST(test_requests_refused), TEST(test_answers),
        TEST(test_secrets),        TEST(test_stream),           TEST(test_stream_ends),
        TEST(test_cancel_about),   TEST(test_cancel),           TEST(test_cancel_in_event),
        TEST(test_free_under_way), TEST(test_free_in_done),     TEST(test_several_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
