// Whether a registry takes a push: an upload that is begun and given up.
#include "lib/base/str.h"
#include "tests/support/container_rig.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define RECORDED "engine-28.5.2/list.json", "engine-28.5.2/inspect.json", "404"
#define LOCATION "/v2/hostk8s-registryd/probe/blobs/uploads/4c1e?_state=a%3D"
#define FULL                                                                                       \
    "500 {'errors': [{'detail': {'Enclosed': {'Op': 'write', 'Path': '/r/startedat', 'Err': "      \
    "28}}}]}"
#define MINUTE 60000u
#define DAY (24u * 60u * MINUTE)

// Answers up to GET /v2/.
static void answer_observation(struct container_rig *rig)
{
    ANSWER(rig, RECORDED, "200 {'Id': 'sha256:1'}", "200");
}

static void answer_located(struct container_rig *rig, const char *location)
{
    _cleanup_free_ char *headers = str_printf("Location: %s\r\n", location);
    fake_transport_answer(rig->fake, &(struct fake_answer){.status = 202, .headers = headers});
}

// Observes; the requests of the upload from then on are these, "METHOD PATH BODY\n".
static struct upload observe(struct container_rig *rig, const char *expected)
{
    char text[2048] = "";
    size_t first = fake_transport_count(rig->fake);
    container_rig_observe(rig);
    bool answered = false;
    for (size_t i = first; i < fake_transport_count(rig->fake); i++) {
        const struct fake_request *request = fake_transport_request(rig->fake, i);
        size_t length = strlen(text);
        if (answered) {
            assert_int_equal(request->timeout_ms, 5000);
            (void)snprintf(text + length, sizeof(text) - length, "%s %s %s\n",
                           http_method_name(request->method), request->path, request->body);
        }
        answered = answered || str_equal(request->path, "/v2/");
    }
    assert_true(answered);
    assert_string_equal(text, expected);
    return rig->current->facts[0].upload;
}

#define BEGUN "POST /v2/hostk8s-registryd/probe/blobs/uploads/ \n"
#define WHOLE BEGUN "PATCH " LOCATION " .\nDELETE " LOCATION " \n"

static int setup(void **state)
{
    (void)container_rig_begin(state);
    struct container_rig *rig = *state;
    rig->input.acts = true;
    ANSWER(rig, "ping");
    answer_observation(rig);
    return 0;
}

static void upload_is_made_after_each_start_and_once_a_day(void **state)
{
    struct container_rig *rig = *state;
    answer_located(rig, "http://127.0.0.1:5002" LOCATION);
    answer_located(rig, LOCATION);
    ANSWER(rig, "204");
    assert_int_equal(observe(rig, WHOLE).state, UPLOAD_TAKEN);
    rig->input.now_ms += DAY - 1;
    answer_observation(rig);
    assert_int_equal(observe(rig, "").state, UPLOAD_TAKEN);
    rig->input.now_ms += 1;
    answer_observation(rig);
    answer_located(rig, LOCATION);
    ANSWER(rig, "202", "405"); // nothing new is told of where it is
    const struct upload upload = observe(rig, WHOLE);
    assert_int_equal(upload.state, UPLOAD_TAKEN);
    assert_string_equal(upload.why, "takes a push, but keeps one that is given up (HTTP 405)");

    _cleanup_free_ char *restarted =
        str_printf("200 {'Id': '282f564e9b7ca06ad9ba6a5430b5226b6e3fdcf8d6dbddcf06ed730eeb15f1af',"
                   "'Name': '/hostk8s-registry', 'State': {'Status': 'running', 'StartedAt': "
                   "'2027-01-01T00:00:00Z'}, 'Config': {'Labels': {'" CONTAINER_LABEL_OWNER
                   "': 'hostk8s-registry'}}}");
    ANSWER(rig, "engine-28.5.2/list.json", restarted, "404", "200 {'Id': 'sha256:1'}", "200");
    ANSWER(rig, "401");
    assert_int_equal(observe(rig, BEGUN).state, UPLOAD_UNKNOWN);
}

static void what_fails_is_tried_again_soon(void **state)
{
    struct container_rig *rig = *state;
    ANSWER(rig, FULL);
    assert_int_equal(observe(rig, BEGUN).state, UPLOAD_FULL);
    answer_observation(rig);
    const struct upload upload = observe(rig, "");
    assert_int_equal(upload.state, UPLOAD_FULL);
    assert_string_equal(upload.why, "write /r/startedat: No space left on device");
    rig->input.now_ms += MINUTE;
    // What was begun is given up also where nothing more can be stored.
    answer_observation(rig);
    answer_located(rig, LOCATION);
    ANSWER(rig, FULL, "204");
    assert_int_equal(observe(rig, WHOLE).state, UPLOAD_FULL);
    rig->input.now_ms += MINUTE;
    answer_observation(rig);
    fake_transport_fail(rig->fake, ERROR_TRANSIENT, ETIMEDOUT, "no answer within 5 s");
    const struct upload slow = observe(rig, BEGUN);
    assert_int_equal(slow.state, UPLOAD_SILENT);
    assert_string_equal(slow.why, "no answer within 5 s");
}

static void no_answer_is_asked_again_soon_and_then_rarely(void **state)
{
    struct container_rig *rig = *state;
    const struct {
        uint64_t after_ms;
        bool asked;
    } looks[] = {{0, true}, {4999, false}, {1, true}, {MINUTE - 1, false}, {1, true}};
    for (size_t i = 0; i < ELEMENTS(looks); i++) {
        rig->input.now_ms += looks[i].after_ms;
        if (i > 0) { // before the first, setup has done it
            answer_observation(rig);
        }
        if (looks[i].asked) {
            fake_transport_fail(rig->fake, ERROR_TRANSIENT, ETIMEDOUT, "no answer within 5 s");
        }
        assert_int_equal(observe(rig, looks[i].asked ? BEGUN : "").state, UPLOAD_SILENT);
    }
}

static void what_fails_is_tried_once_more_at_once(void **state)
{
    struct container_rig *rig = *state;
    ANSWER(rig, "503");
    answer_located(rig, LOCATION);
    ANSWER(rig, "202", "204");
    assert_int_equal(observe(rig, BEGUN WHOLE).state, UPLOAD_TAKEN);
    rig->input.now_ms += DAY;
    answer_observation(rig);
    ANSWER(rig, "503", "500");
    assert_int_equal(observe(rig, BEGUN BEGUN).state, UPLOAD_FAILED);
    answer_observation(rig);
    assert_int_equal(observe(rig, "").state, UPLOAD_FAILED);
}

// What is wrong with this process says nothing about the registry.
static void own_failures_are_none_of_the_registry(void **state)
{
    struct container_rig *rig = *state;
    fake_transport_fail(rig->fake, ERROR_TRANSIENT, EMFILE, "too many open files");
    container_rig_observe(rig);
    assert_int_equal(rig->error.code, EMFILE);
    answer_observation(rig);
    fake_transport_fail(rig->fake, ERROR_TRANSIENT, ECANCELED, "cancelled");
    container_rig_observe(rig);
    assert_int_equal(rig->error.code, ECANCELED);
}

static void answers_that_lead_nowhere(void **state)
{
    struct container_rig *rig = *state;
    ANSWER(rig, "202");
    assert_int_equal(observe(rig, BEGUN).state, UPLOAD_TAKEN);
    static const char *const locations[] = {"uploads/1", "http://127.0.0.1:5002"};
    for (size_t i = 0; i < ELEMENTS(locations); i++) {
        rig->input.now_ms += DAY;
        answer_observation(rig);
        answer_located(rig, locations[i]);
        assert_int_equal(observe(rig, BEGUN).state, UPLOAD_TAKEN);
    }
}

static void none_is_made_where_it_is_not_wanted(void **state)
{
    struct container_rig *rig = *state;
    rig->input.acts = false; // plan
    assert_int_equal(observe(rig, "").state, UPLOAD_UNKNOWN);
    rig->input.acts = true;
    rig->input.desired = false; // teardown
    answer_observation(rig);
    (void)observe(rig, "");
    rig->input.desired = true;
    answer_observation(rig);
    strmap_set(&rig->config->registry.environment, "REGISTRY_PROXY_REMOTEURL", "http://a");
    (void)observe(rig, "");
    ANSWER(rig, "engine-28.5.2/list.json",
           "200 {'Id': '1', 'Name': '/hostk8s-registry', 'State': {'Status': 'running'}}", "404",
           "200 {'Id': 'sha256:1'}", "200");
    strmap_done(&rig->config->registry.environment);
    (void)observe(rig, ""); // somebody else's
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, container_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(upload_is_made_after_each_start_and_once_a_day),
        TEST(what_fails_is_tried_again_soon),
        TEST(no_answer_is_asked_again_soon_and_then_rarely),
        TEST(what_fails_is_tried_once_more_at_once),
        TEST(own_failures_are_none_of_the_registry),
        TEST(answers_that_lead_nowhere),
        TEST(none_is_made_where_it_is_not_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
