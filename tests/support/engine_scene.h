// An engine and a configuration to plan with, and cases that say what the plan is to be.
#pragma once

#include "tests/support/model_engine.h"

struct scene {
    struct config *config;
    struct model_engine *model;
    struct world_engine *world; // of the model: image and network are there, no container is
    bool unwanted;
    bool rejected; // the declared container, as PortInUse
};

void scene_begin(struct scene *scene);
void scene_end(struct scene *scene);

// The registry's container as declared, attached and running. Containers move when one is added.
struct world_container *scene_add_main(struct scene *scene);

// As a recreate leaves it behind: of another image, stopped. Comes before scene_add_main.
struct world_container *scene_add_previous(struct scene *scene);

void scene_unlabel(struct world_container *container);

struct engine_case {
    void (*arrange)(struct scene *scene);
    const char *plan; // as plan_text has it
};

void engine_case_one(const struct engine_case *test);
