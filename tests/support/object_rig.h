// The key of the cluster "dev": what was observed and the plan for it, by hand or over a scripted
// API server, which answers as 1.36.2 did unless it is told otherwise.
#pragma once

#include "lib/kinds/io.h"
#include "lib/kinds/object/client.h"
#include "lib/kinds/object/desired.h"
#include "tests/support/fake_transport.h"
#include "tests/support/scripted_worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define OBJECT_RIG_RULES_MAX 16
#define OBJECT_MISSING                                                                             \
    "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"not found\",\"code\":404}"

struct object_rig {
    struct config *config;
    struct engine_node node; // its id is c0ffee
    struct engine_api api;
    struct engine engine; // with both and the registry's address
    struct input input;
    struct object_current *current; // serves all kinds, and has the IngressClass
    struct plan plan;
    struct fake_transport *fake;
    struct scripted_worker *worker;
    struct io io;
    memory_t memory;
    struct {
        const char *request; // a part of "METHOD PATH"
        int status;          // 0: the connection is refused
        char *body;
    } rules[OBJECT_RIG_RULES_MAX]; // the first that fits
    size_t rule_count;
    size_t served; // requests that were looked at
    size_t logged; // requests that were asserted
    // Of the latest observation, action or watch.
    unsigned done;
    struct error err;
    unsigned dirty;
    char *notice;
};

// Setup and teardown of a test: a rig that is connected to the API. object_rig_reset makes it anew.
int object_rig_setup(void **state);
int object_rig_teardown(void **state);
void object_rig_reset(struct object_rig *rig);
void object_rig_connect(struct object_rig *rig); // by other credentials than before
#define OBJECT_TEST(name)                                                                          \
    cmocka_unit_test_setup_teardown(name, object_rig_setup, object_rig_teardown)

// tests/fixtures/kube/NAME.json; the caller owns the reference.
json_t *object_fixture(const char *name);

// ---- by hand ----

// Adds what an API server of 1.36.2 answered once everything was there.
void object_rig_add_recorded(struct object_rig *rig);
// A format may have %s for name and such.
void object_rig_add(struct object_rig *rig, const char *kind, const char *format, ...)
    _printf_(3, 4);
// Merges change, a JSON text, into what is there of the object.
void object_rig_change(struct object_rig *rig, const char *resource, const char *change);
// "KIND/NAMESPACE/NAME"; fails the test when there is none.
struct object *object_rig_object(struct object_rig *rig, const char *resource);
void object_rig_desire(struct object_rig *rig);

// Plans, and asserts a line for each action and, indented, each of its fields:
//     !recreate Service/hostk8s/registry-api < NEEDS
//         PATH: CURRENT -> DESIRED
// '!' for destructive, '+' for step; then one for each condition that is neither True nor that of a
// resource with an action:
//     Ingress/hostk8s/registry-ui False NameConflict: MESSAGE
void object_rig_assert_plan(struct object_rig *rig, const char *expected);
// "False Converging: MESSAGE" of the latest plan.
void object_rig_assert_condition(struct object_rig *rig, const char *resource,
                                 const char *expected);

// ---- over the API ----

// Borrows request; body is copied. In front of those before.
void object_rig_rule(struct object_rig *rig, const char *request, int status, const char *body);
void object_rig_clear_rules(struct object_rig *rig);
// Answers all requests, also those that follow; or the first that has no answer yet.
void object_rig_serve(struct object_rig *rig);
void object_rig_serve_one(struct object_rig *rig);

// Begin one. Return what the kind's function does; the callback counts done and sets err, current.
int object_rig_begin_observe(struct object_rig *rig);
int object_rig_begin_act(struct object_rig *rig, const struct action *action);
int object_rig_begin_watch(struct object_rig *rig);
// Serve one to its end, which has to come exactly once.
void object_rig_observe(struct object_rig *rig);
void object_rig_act(struct object_rig *rig, const struct action *action);
// Ends what is under way, by forgetting the key or a cancel, and asserts that it was cancelled.
void object_rig_interrupt(struct object_rig *rig, bool forget);

// Asserts a line "METHOD PATH" for each request since the last time, without selectors, with " dry"
// for a dry run.
void object_rig_assert_requests(struct object_rig *rig, const char *expected);
