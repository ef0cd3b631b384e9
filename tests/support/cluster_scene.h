// A cluster as a plan meets it, from a recorded answer of the API server, and what a test says of
// the plan.
#pragma once

#include "lib/plan/plan.h"

// A cluster and what its plan depends on, as recorded: every object is there and right.
struct scene {
    struct config *config;
    struct world_cluster *world;
    struct world_endpoint endpoint;
    struct world_container container;
    struct world_engine engine;
    struct plan_input input;
    struct plan plan;
};

// fixture names a List of tests/fixtures/kube that has the kind of each object; NULL: an empty
// cluster. The configuration is the one that the recorded objects were made from.
void scene_init(struct scene *scene, const char *fixture);
void scene_done(struct scene *scene);

#define _cleanup_scene_ _cleanup_(scene_done)

// Adds an object from its JSON.
void scene_add(struct scene *scene, enum kube_kind kind, const char *text);

// Borrowed; fails the test when there is none.
struct world_object *scene_object(struct scene *scene, enum kube_kind kind, const char *name);

// Makes the plan of cluster "dev" afresh.
void scene_plan(struct scene *scene);

// Each line is "verb Kind/NAMESPACE/NAME", with "!" before a destructive one and "+" before a step.
void scene_assert_actions(const struct scene *scene, const char *expected);

// Each line is "path: is -> should" of the action, "-" for absent.
void scene_assert_fields(const struct scene *scene, size_t action, const char *expected);

// resource is "Kind/NAMESPACE/NAME".
const struct condition *scene_condition(const struct scene *scene, const char *resource);
void scene_assert_condition(const struct scene *scene, const char *resource, enum ready ready,
                            enum reason reason, const char *message);
