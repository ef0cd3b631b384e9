// A node of a scripted engine: what is asked of it, what the kind "node" gets to know, and plans as
// text.
#pragma once

#include "lib/kinds/io.h"
#include "lib/kinds/kind.h"
#include "lib/kinds/node/current.h"
#include "lib/kinds/node/plan.h"
#include "tests/support/docker_test.h"

#define TEST_NODE "hostk8s-worker"
#define TEST_NODE_ID "n1"

struct node_rig {
    struct config *config;
    struct engine *engine;
    struct engine_node *node; // the engine's only one, of cluster hostk8s
    struct input input;
    struct fake_transport *fake; // docker's
    struct io io;
    memory_t memory;
    size_t next; // the first request that node_rig_requests did not show yet
    // Of the latest observation or action.
    size_t calls; // of its callback
    struct node_current *current;
    struct error err;
};

// Setup and teardown of a test.
int node_rig_setup(void **state);
int node_rig_teardown(void **state);
#define NODE_TEST(name) cmocka_unit_test_setup_teardown(name, node_rig_setup, node_rig_teardown)

// Its configuration, engine and input alone.
void node_rig_init(struct node_rig *rig);
void node_rig_done(struct node_rig *rig);

// Begin an observation, whose result is cleared first, or an action. Return what the kind does.
int node_rig_start(struct node_rig *rig);
int node_rig_act(struct node_rig *rig, const struct action *action);
// Observes until the end, which the script brings.
void node_rig_observe(struct node_rig *rig);

// Whether the latest observation is kept for the next one.
bool node_rig_knows(const struct node_rig *rig);

// Asserts the requests since the last call: "HEAD /containers/n1/archive?path=…\n…".
void assert_node_requests(struct node_rig *rig, const char *expected);

// Appends answers to the script. stamp NULL: there is nothing.
void node_rig_answer_stamps(struct node_rig *rig, size_t count, const char *stamp);
struct rig_file {
    const char *path;    // "containerd/config.toml"
    const char *content; // NULL: a directory
};
void node_rig_answer_files(struct node_rig *rig, const struct rig_file *files, size_t count);
void node_rig_answer_config(struct node_rig *rig, const char *config_toml);  // alone
void node_rig_answer_container(struct node_rig *rig, const char *variables); // a list in JSON
void node_rig_answer_exec(struct node_rig *rig, const char *output, int exit_code);

// A line for each action and condition:
//     hosts-write n1 (write) PATH: absent -> present, PATH: …
//     node/hostk8s-worker False Converging: write is pending
// '!' marks what is destructive.
void assert_node_plan(const struct plan *plan, const char *expected);
