// The whole kind over scripted answers: what is asked, and what is said of what came.
#include "lib/base/secret.h"
#include "lib/base/str.h"
#include "lib/kinds/io.h"
#include "lib/kinds/route/route.h"
#include "tests/support/fake_transport.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define URL "http://localhost:8080"
#define RESOURCE "route/" URL
#define PAGE "<html><head><title>Docker Registry UI</title></head></html>"
#define IS_REGISTRY "Docker-Distribution-Api-Version: registry/2.0\r\n"

struct fixture {
    struct fake_transport *fake;
    struct io io;
    struct config config;
    struct engine engine;
    struct engine_node node;
    char *cluster;
    struct input input;
    memory_t memory;
    void *current;
    struct error error;
    unsigned calls;
    struct plan plan;
    size_t keys;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->fake = fake_transport_new();
    f->io.transport = fake_transport_http(f->fake);
    f->cluster = str_dup("hostk8s");
    f->config = (struct config){
        .clusters = {&f->cluster, 1},
        .ui = {.enabled = true, .url = (char *)URL, .path = (char *)"/registry/", .check = true},
        .reconcile.timeout_ms = 3000};
    f->node = (struct engine_node){.name = "n", .cluster = "hostk8s", .running = true};
    f->engine = (struct engine){.nodes = &f->node, .node_count = 1};
    f->input =
        (struct input){.config = &f->config, .engine = &f->engine, .name = URL, .desired = true};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    route_kind.free_current(f->current);
    route_kind.invalidate(&f->io, &f->memory);
    assert_null(f->memory);
    plan_done(&f->plan);
    fake_transport_free(f->fake);
    strmap_done(&f->config.registry.environment);
    free(f->cluster);
    free(f);
    return 0;
}

static void on_observed(void *ctx, void *current, const struct error *err)
{
    struct fixture *f = ctx;
    f->calls++;
    f->current = current;
    f->error = err == NULL ? (struct error){0} : *err;
}

static void observe(struct fixture *f)
{
    route_kind.free_current(f->current);
    f->current = NULL;
    f->calls = 0;
    assert_int_equal(route_kind.observe(&f->io, &f->memory, &f->input, on_observed, f, &f->error),
                     0);
    assert_int_equal(f->calls, 0);
    fake_transport_run(f->fake);
    assert_int_equal(f->calls, 1);
}

static const struct condition *planned(struct fixture *f)
{
    plan_done(&f->plan);
    f->plan = (struct plan){0};
    route_kind.plan(&f->input, f->current, &f->plan);
    assert_int_equal(f->plan.action_count, 0);
    return plan_condition(&f->plan, RESOURCE);
}

static void test_page_and_registry(void **state)
{
    struct fixture *f = *state;
    strmap_set(&f->config.registry.environment, "REGISTRY_AUTH_HTPASSWD_REALM", "r");
    static const int statuses[] = {200, 401}; // it has users
    for (unsigned i = 0; i < 2; i++) {        // with a client each, so that no connection rests
        fake_transport_reply(f->fake, 200, PAGE);
        fake_transport_answer(f->fake,
                              &(struct fake_answer){.status = statuses[i], .headers = IS_REGISTRY});
        observe(f);
        assert_int_equal(planned(f)->reason, REASON_CONVERGED);
    }
    assert_int_equal(fake_transport_endpoint_count(f->fake), 2);
    assert_string_equal(fake_transport_endpoint(f->fake, 1)->base, URL);
    assert_int_equal(fake_transport_count(f->fake), 4);
    assert_string_equal(fake_transport_request(f->fake, 0)->path, "/registry/");
    assert_string_equal(fake_transport_request(f->fake, 1)->path, "/v2/");
    assert_int_equal(fake_transport_request(f->fake, 1)->timeout_ms, 3000);
}

// What came for the page, or when that is right for the API.
static const struct {
    struct fake_answer page;
    struct fake_answer api;
    bool stays; // until somebody changes something
    const char *said;
} wrongs[] = {
    {{.error = {.kind = ERROR_TRANSIENT, .code = ECONNREFUSED, .text = "refused"}},
     {.status = 200},
     true,
     "nothing listens at " URL "; a kind cluster publishes its ingress there when it is made with "
     "`extraPortMappings: [{containerPort: 80, hostPort: 8080, listenAddress: 127.0.0.1}]`"},
    {{.error = {.kind = ERROR_PERMANENT, .code = EKEYREJECTED, .text = "unknown issuer"}},
     {.status = 200},
     true,
     "GET " URL "/registry/: unknown issuer; give the ingress a certificate that this machine "
     "trusts"},
    {{.error = {.kind = ERROR_TRANSIENT, .code = EPROTO, .text = "answer is not HTTP"}},
     {.status = 200},
     true,
     "GET " URL "/registry/: answer is not HTTP; something else has that address"},
    {{.error = {.kind = ERROR_TRANSIENT, .code = ETIMEDOUT, .text = "no answer within 3 s"}},
     {.status = 200},
     false,
     "GET " URL "/registry/: no answer within 3 s; see that the ingress controller runs"},
    {{.status = 404,
      .body = "<title>404 Not Found</title><center><h1>404</h1></center><center>nginx</center>"},
     {.status = 200},
     false,
     "GET " URL "/registry/: HTTP 404 of the server \"nginx\" instead of the UI's page; no "
     "controller there serves the UI: see that ui.ingressClass or ui.gateway is the one "
     "behind " URL},
    {{.status = 503, .headers = "Server: envoy\r\n", .body = "<center>nginx</center>"},
     {.status = 200},
     false,
     "GET " URL "/registry/: HTTP 503 of the server \"envoy\" instead of the UI's page; see the "
     "pods behind the UI"},
    {{.status = 308, .headers = "Location: https://localhost/registry/\r\nServer: envoy\r\n"},
     {.status = 200},
     true,
     "GET " URL "/registry/: a redirect to https://localhost/registry/ of the server \"envoy\" "
     "(HTTP 308) instead of the UI's page; set ui.url to where the page is"},
    {{.status = 304},
     {.status = 200},
     true,
     "GET " URL "/registry/: HTTP 304 instead of the UI's page"},
    {{.status = 200, .body = "<TITLE>\n Welcome\tto nginx! </TITLE>"},
     {.status = 200},
     true,
     "GET " URL "/registry/: another page, \"Welcome to nginx!\" instead of the UI's page; "
     "something else has that address"},
    {{.status = 200, .body = "<title>no end"},
     {.status = 200},
     true,
     "GET " URL "/registry/: HTTP 200 instead of the UI's page"},
    {{.status = 200, .body = "Docker Registry UI"},
     {.status = 200},
     true,
     "GET " URL "/registry/: HTTP 200 instead of the UI's page"},
    {{.status = 200, .body = PAGE},
     {.status = 200, .body = PAGE},
     true,
     "GET " URL "/v2/: another page, \"Docker Registry UI\" instead of the registry"},
    {{.status = 200, .body = PAGE},
     {.status = 404, .headers = IS_REGISTRY},
     false,
     "GET " URL "/v2/: HTTP 404 instead of the registry; no controller there serves the registry"},
    {{.status = 200, .body = PAGE},
     {.status = 401, .headers = IS_REGISTRY},
     true,
     "GET " URL "/v2/: another registry, with users (HTTP 401) instead of the registry; something "
     "else has that address"},
    {{.status = 200, .body = PAGE},
     {.status = 401},
     true,
     "GET " URL "/v2/: HTTP 401 instead of the registry"},
    {{.status = 200, .body = PAGE},
     {.error = {.kind = ERROR_TRANSIENT, .code = ECONNRESET, .text = "closed"}},
     false,
     "GET " URL "/v2/: closed; see that the ingress controller runs"},
};

static void assert_said(const struct condition *condition, const char *said)
{
    if (!str_starts_with(condition->message, said)) {
        assert_string_equal(condition->message, said);
    }
}

static void test_what_came_instead(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ELEMENTS(wrongs); i++) {
        fake_transport_answer(f->fake, &wrongs[i].page);
        fake_transport_answer(f->fake, &wrongs[i].api);
        observe(f);
        const struct condition *condition = planned(f);
        assert_int_equal(condition->ready, READY_FALSE);
        assert_int_equal(condition->reason, REASON_UNAVAILABLE);
        assert_int_equal(condition->stays, wrongs[i].stays);
        assert_said(condition, wrongs[i].said);
        // While others are on their way, it is not known to stay so.
        f->input.unsettled = true;
        condition = planned(f);
        assert_int_equal(condition->reason,
                         wrongs[i].stays ? REASON_UNAVAILABLE : REASON_CONVERGING);
        size_t came = strcspn(wrongs[i].said, ";");
        assert_memory_equal(condition->message, wrongs[i].said, came);
        assert_true(wrongs[i].stays || str_equal(condition->message + came,
                                                 "; waits for the changes of other resources"));
        f->input.unsettled = false;
    }
}

static const struct condition *refused(struct fixture *f)
{
    fake_transport_fail(f->fake, ERROR_TRANSIENT, ECONNREFUSED, "refused");
    fake_transport_fail(f->fake, ERROR_TRANSIENT, ECONNREFUSED, "refused");
    observe(f);
    return planned(f);
}

// In the sentence about nothing that listens.
static void test_ports(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *url;
        const char *mapping;
    } cases[] = {
        {"http://localhost", "{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}"},
        {"https://localhost", "{containerPort: 443, hostPort: 443, listenAddress: 127.0.0.1}"},
        {"https://[::1]", "{containerPort: 443, hostPort: 443, listenAddress: ::1}"},
        {"http://127.0.0.2:8081", "{containerPort: 80, hostPort: 8081, listenAddress: 127.0.0.2}"},
        {"http://box.example:8081", "{containerPort: 80, hostPort: 8081}"},
    };
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        f->config.ui.url = (char *)cases[i].url;
        f->input.name = cases[i].url;
        (void)refused(f);
        assert_non_null(strstr(f->plan.conditions[0].message, cases[i].mapping));
    }
}

// Nothing can listen then, and no configuration is to be changed.
static void test_stopped_node(void **state)
{
    struct fixture *f = *state;
    f->node.running = false;
    const struct condition *condition = refused(f);
    assert_false(condition->stays);
    assert_string_equal(condition->message, "nothing listens at " URL
                                            " while n does not run; start it: `docker start n`");
    struct engine_node nodes[] = {f->node, f->node};
    nodes[1].running = true;
    f->engine = (struct engine){.nodes = nodes, .node_count = 2};
    assert_said(refused(f), "nothing listens at " URL "; a kind");
    nodes[1].role = NODE_WORKER;
    assert_said(refused(f), "nothing listens at " URL " while n does");
    nodes[0].cluster = "another";
    assert_said(refused(f), "nothing listens at " URL "; a kind");
    f->input.engine = NULL;
    condition = refused(f);
    assert_false(condition->stays);
    assert_string_equal(condition->message,
                        "nothing listens at " URL " while the engine does not answer");
}

static void test_cancelled(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(route_kind.observe(&f->io, &f->memory, &f->input, on_observed, f, &f->error),
                     0);
    route_kind.cancel(&f->io, f->memory, false);
    fake_transport_run(f->fake);
    assert_int_equal(f->calls, 1);
    assert_null(f->current);
    assert_int_equal(f->error.code, ECANCELED);
    route_kind.cancel(&f->io, f->memory, false); // nothing is under way
}

static void test_refused_submission(void **state)
{
    struct fixture *f = *state;
    fake_transport_refuse(f->fake, 2, EMFILE);
    assert_int_equal(route_kind.observe(&f->io, &f->memory, &f->input, on_observed, f, &f->error),
                     -EMFILE);
    assert_int_equal(f->calls, 0);
    fake_transport_refuse(f->fake, 1, EMFILE); // of the page alone
    fake_transport_answer(f->fake, &(struct fake_answer){.status = 200, .headers = IS_REGISTRY});
    observe(f);
    assert_null(f->current);
    assert_int_equal(f->error.code, EMFILE);
}

static void count_key(void *ctx, const char *name, const char *cluster)
{
    struct fixture *f = ctx;
    f->keys++;
    assert_string_equal(name, URL);
    assert_null(cluster);
}

static size_t keys(struct fixture *f, const struct engine *engine, bool desired)
{
    f->keys = 0;
    route_kind.keys_of(&f->config, engine, desired, count_key, f);
    return f->keys;
}

static void test_when_there_is_a_route(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(keys(f, &f->engine, true), 1);
    assert_int_equal(keys(f, NULL, true), 0);
    assert_int_equal(keys(f, &f->engine, false), 0);
    f->config.ui.check = false;
    assert_int_equal(keys(f, &f->engine, true), 0);
    f->config.ui.check = true;
    f->config.ui.enabled = false;
    assert_int_equal(keys(f, &f->engine, true), 0);
    f->config.ui.enabled = true;
    f->node.cluster = "another";
    assert_int_equal(keys(f, &f->engine, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_page_and_registry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_came_instead, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopped_node, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_submission, setup, teardown),
        cmocka_unit_test_setup_teardown(test_when_there_is_a_route, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
