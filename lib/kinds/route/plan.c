#include "lib/kinds/route/plan.h"

#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/kinds/route/current.h"

#include <errno.h>
#include <string.h>

#define FOREIGN "something else has that address: change ui.url, or free its port"

// What is wrong with an answer, and what to do about it.
struct fault {
    const char *what;   // NULL: nothing
    const char *advice; // "": none
    bool stays;         // until somebody follows it
};

struct planner {
    struct arena *arena;
    const struct input *input;
    const char *url;
};

// ---- no answer ----

// Why nobody could listen, NULL when somebody could: a control-plane node, where kind has an
// ingress.
static const char *stopped(const struct planner *p)
{
    const struct engine *engine = p->input->engine;
    const char *name = NULL;
    for (size_t i = 0; engine != NULL && i < engine->node_count; i++) {
        const struct engine_node *node = &engine->nodes[i];
        if (node->role == NODE_CONTROL_PLANE &&
            config_has_cluster(p->input->config, node->cluster)) {
            if (node->running) {
                return NULL;
            }
            name = node->name;
        }
    }
    return engine == NULL ? "the engine does not answer"
           : name == NULL
               ? NULL
               : arena_printf(p->arena, "%s does not run; start it: `docker start %s`", name, name);
}

static struct fault nothing_answers(const struct planner *p)
{
    const char *why = stopped(p);
    if (why != NULL) {
        return (struct fault){arena_printf(p->arena, "nothing listens at %s while %s", p->url, why),
                              "", false};
    }
    struct address address = {.port = 0};
    (void)address_parse(strstr(p->url, "://") + 3, ADDRESS_NEEDS_NOTHING, &address, NULL);
    const char *host = str_equal(address.host, "localhost") ? "127.0.0.1" : address.host;
    bool local = address_is_loopback(host);
    unsigned port = str_starts_with(p->url, "https:") ? 443 : 80;
    return (struct fault){
        .what = arena_printf(p->arena, "nothing listens at %s", p->url),
        .advice = arena_printf(
            p->arena,
            "a kind cluster publishes its ingress there when it is made with "
            "`extraPortMappings: [{containerPort: %u, hostPort: %u%s%s}]` at a node; else set "
            "ui.url to where the ingress is, or ui.check: false where the browser is on another "
            "machine",
            port, address.port == 0 ? port : address.port, local ? ", listenAddress: " : "",
            local ? host : ""),
        .stays = true,
    };
}

static struct fault unanswered(const struct error *error)
{
    static const struct {
        int code; // 0: any other
        bool stays;
        const char *advice;
    } rows[] = {
        {EKEYREJECTED, true,
         "give the ingress a certificate that this machine trusts, or set ui.url to http://"},
        {EPROTO, true, FOREIGN},
        {EFBIG, true, FOREIGN},
        {0, false, "see that the ingress controller runs, and that ui.url leads to it"},
    };
    size_t row = 0;
    while (rows[row].code != 0 && rows[row].code != error->code) {
        row++;
    }
    return (struct fault){error->text, rows[row].advice, rows[row].stays};
}

// ---- another answer ----

static const char *what_came(const struct planner *p, const struct route_answer *answer)
{
    const char *server = answer->server == NULL
                             ? ""
                             : arena_printf(p->arena, " of the server \"%s\"", answer->server);
    if (answer->location != NULL && answer->status / 100 == 3) {
        return arena_printf(p->arena, "a redirect to %s%s (HTTP %d)", answer->location, server,
                            answer->status);
    }
    if (answer->status == 401 && answer->has_api) {
        return arena_printf(p->arena, "another registry%s, with users (HTTP 401)", server);
    }
    if (answer->title != NULL && answer->status == 200) {
        return arena_printf(p->arena, "another page, \"%s\"%s", answer->title, server);
    }
    return arena_printf(p->arena, "HTTP %d%s", answer->status, server);
}

static struct fault wrong_answer(const struct planner *p, const struct route_answer *answer,
                                 const char *expected, const char *server)
{
    const char *advice = FOREIGN;
    if (answer->status == 404) {
        advice = arena_printf(p->arena,
                              "no controller there serves %s: see that ui.ingressClass or "
                              "ui.gateway is the one behind %s",
                              server, p->url);
    } else if (answer->status >= 500) {
        advice = arena_printf(p->arena, "see the pods behind %s", server);
    } else if (answer->status / 100 == 3) {
        advice = "set ui.url to where the page is, or ui.check: false";
    }
    return (struct fault){
        arena_printf(p->arena, "%s instead of %s", what_came(p, answer), expected), advice,
        answer->stays};
}

// One that has users answers with 401.
static bool is_registry(const struct config *config, const struct route_answer *answer)
{
    bool has_users = false;
    strmap_foreach (&config->registry.environment, entry) {
        has_users = has_users || str_starts_with(entry->key, "REGISTRY_AUTH");
    }
    return answer->has_api && (answer->status == 200 || (answer->status == 401 && has_users));
}

static struct fault find_fault(const struct planner *p, const struct route_current *route)
{
    const struct config *config = p->input->config;
    const struct {
        const char *path;
        bool answered; // as it should be
        const char *expected;
        const char *server; // that has it
    } questions[ROUTE_QUESTIONS] = {
        {config->ui.path, route->answers[ROUTE_PAGE].is_page, "the UI's page", "the UI"},
        {"/v2/", is_registry(config, &route->answers[ROUTE_API]), "the registry", "the registry"},
    };
    for (size_t i = 0; i < ROUTE_QUESTIONS; i++) {
        const struct route_answer *answer = &route->answers[i];
        if (answer->error.code == ECONNREFUSED) {
            return nothing_answers(p);
        }
        if (!questions[i].answered) {
            struct fault fault =
                answer->error.kind != ERROR_NONE
                    ? unanswered(&answer->error)
                    : wrong_answer(p, answer, questions[i].expected, questions[i].server);
            fault.what =
                arena_printf(p->arena, "GET %s%s: %s", p->url, questions[i].path, fault.what);
            return fault;
        }
    }
    return (struct fault){NULL, NULL, false};
}

void route_plan(const struct input *input, const void *current, struct plan *ret)
{
    const struct planner p = {&ret->arena, input, input->config->ui.url};
    const char *resource = arena_printf(&ret->arena, ROUTE_PREFIX "%s", input->name);
    const struct fault fault = find_fault(&p, current);
    if (fault.what == NULL) {
        plan_set_converged(ret, resource, NULL);
    } else if (input->unsettled && !fault.stays) {
        plan_set_condition(ret, resource, NULL, READY_FALSE, REASON_CONVERGING,
                           "%s; waits for the changes of other resources", fault.what);
    } else {
        plan_set_condition(ret, resource, NULL, READY_FALSE, REASON_UNAVAILABLE, "%s%s%s",
                           fault.what, fault.advice[0] == '\0' ? "" : "; ", fault.advice);
        ret->conditions[0].stays = fault.stays;
    }
}
