// The key of the cluster "dev" over a scripted API server, which has what 1.36.2 had once
// everything was there, and answers as a test tells it.
#pragma once

#include "lib/kinds/io.h"
#include "lib/kinds/object/client.h"
#include "lib/kinds/object/current.h"
#include "tests/support/fake_transport.h"
#include "tests/support/scripted_worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define OBJECT_RIG_RULES_MAX 32

struct object_rig {
    struct config *config;
    struct engine_node node; // its id is c0ffee
    struct engine_api api;
    struct engine engine; // with both and the registry's address
    struct input input;
    struct object_current *current; // of the latest observation
    struct plan plan;
    struct fake_transport *fake;
    struct scripted_worker *worker;
    struct io io;
    memory_t memory;
    json_t *server; // objects by their path; what is merged into the answer of a dry run by "+PATH"
    struct {
        char *request; // a part of "METHOD PATH"
        int status;    // 0: the connection is refused
        char *body;
    } rules[OBJECT_RIG_RULES_MAX]; // the latest that fits
    size_t rule_count;
    size_t served; // requests that were looked at
    size_t logged; // requests that were told
    // Of the latest observation, action or watch.
    unsigned done;
    struct error err;
    unsigned dirty;
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

// ---- the server ----

// Merges a JSON text into what the server has of "KIND/NAMESPACE/NAME", or what it answers to a dry
// run of it; null removes. text NULL: the server has none.
void object_rig_have(struct object_rig *rig, const char *resource, const char *text);
void object_rig_have_merged(struct object_rig *rig, const char *resource, const char *text);
void object_rig_rule(struct object_rig *rig, const char *request, int status, const char *body);
void object_rig_clear_rules(struct object_rig *rig);
// Answers all requests, also those that follow; or the first that has no answer yet.
void object_rig_serve(struct object_rig *rig);
void object_rig_serve_one(struct object_rig *rig);

// ---- the kind ----

// Begin one. Return what the kind's function does; the callback counts done and sets err, current.
int object_rig_begin_observe(struct object_rig *rig);
int object_rig_begin_act(struct object_rig *rig, const struct action *action);
int object_rig_begin_watch(struct object_rig *rig);
// Serve one to its end, which has to come exactly once.
void object_rig_observe(struct object_rig *rig);
void object_rig_act(struct object_rig *rig, const struct action *action);
// Ends what is under way, by forgetting the key or a cancel, and asserts that it was cancelled.
void object_rig_interrupt(struct object_rig *rig, bool invalidate);

// Of the latest observation; fails the test when there is none of the resource.
struct object *object_rig_object(struct object_rig *rig, const char *resource);

// Texts, which the caller frees. A line "METHOD PATH" for each request since the last time, with
// " dry" for a dry run; lists by label in a row are one line "LIST pods services", and dry runs of
// an apply one "DRY services/registry-ui".
char *object_rig_requests(struct object_rig *rig);
void object_rig_assert_requests(struct object_rig *rig, const char *expected);
// Plans. A line for each action and, indented, each of its fields:
//     !recreate Service/hostk8s/registry-api < NEEDS
//         PATH: CURRENT -> DESIRED
// '!' for destructive, '+' for step; then one for each condition that is neither True nor that of a
// resource with an action:
//     Ingress/hostk8s/registry-ui False NameConflict: MESSAGE
char *object_rig_plan(struct object_rig *rig);
