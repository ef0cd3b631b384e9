// A model of the Docker Engine as far as the plans of the engine and of nodes meet it. The
// behaviour of a container follows from its image: one whose name has "crash" ends at once, one
// with "mute" runs and does not answer, every other one answers.
#pragma once

#include "lib/config/config.h"
#include "lib/plan/plan.h"
#include "lib/world/engine.h"
#include "lib/world/node_files.h"

#include <stdbool.h>

struct model_engine {
    struct world_engine *world;     // the truth, except for `probe`
    struct world_node_files *files; // of the one node
    const char *taken_port;         // held by a process that is no container, NULL for none
    bool remote;                    // nobody can ask the registry from here
    unsigned next_id;
};

struct model_engine *model_engine_new(void);
void model_engine_free(struct model_engine *model);

// Appends a container that is all zero but for a fresh id and its name; borrowed until the next
// one.
struct world_container *model_engine_add(struct model_engine *model, const char *name);

// Appends a container as the configuration declares it, attached to its network and running; its
// name is registry.name.
struct world_container *model_engine_add_declared(struct model_engine *model,
                                                  const struct config *config);

// Returns 0, or -EEXIST. The network is attached with a NULL alias for none.
int model_engine_attach(struct world_container *container, const char *network,
                        const char *network_id, const char *alias);

// Appends a node of cluster hostk8s; borrowed until the next one.
struct world_node *model_engine_add_node(struct model_engine *model, const char *name,
                                         bool running);

// Appends a directory of certs.d; content may be NULL.
void model_engine_add_dir(struct model_engine *model, const char *name, const char *content);

// Executes an action. Returns 0, or -errno with err as the engine would refuse it.
int model_engine_act(struct model_engine *model, const struct action *action, struct error *err);

// Fills in what an observation for this configuration would find, and ends removals under way.
void model_engine_observe(struct model_engine *model, const struct config *config);

// Whether its processes are there.
bool model_engine_is_up(const struct world_container *container);

// Whether the container, if it runs, answers where the configuration listens.
bool model_engine_answers(const struct world_container *container, const struct config *config);

// A text of everything about a container, to compare before and after. The caller frees it.
char *model_container_text(const struct world_container *container);
