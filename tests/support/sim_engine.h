// A simulated Docker Engine: containers with a small file tree, the network "kind", images. How a
// container behaves follows from its image: one whose name has "crash" ends at once, one with
// "mute" runs and does not answer, any other registry answers at its port. Every image can be
// pulled.
#pragma once

#include "tests/support/sim_files.h"

#include <jansson.h>
#include <stdint.h>

#define SIM_ENGINE_SOCKET "/var/run/docker.sock"
#define SIM_NETWORK "kind"
#define SIM_CONTAINERS_MAX 24

struct sim_container {
    char *id;
    char *name;
    json_t *spec;      // of its creation
    const char *state; // the engine's word
    char *error;       // of the last start, "" for none
    int exit_code;
    int64_t started_s;
    uint16_t api_port; // where an API server is published, 0: none
    // Its place on the network.
    char *network_id; // NULL: not attached
    char *alias;
    unsigned address; // the last number; 0 while it does not run
    struct sim_files files;
};

struct sim_engine;

struct sim_engine *sim_engine_new(struct sim_http *http);
void sim_engine_free(struct sim_engine *engine);

// At SIM_ENGINE_SOCKET or away.
void sim_engine_listen(struct sim_engine *engine, bool on);
// Answers as the registry that a container publishes at 127.0.0.1:PORT, if one does.
void sim_engine_publish(struct sim_engine *engine, uint16_t port);

// A running node of a kind cluster. api_port 0: a worker.
struct sim_container *sim_engine_add_node(struct sim_engine *engine, const char *cluster,
                                          const char *name, uint16_t api_port);
// A container of somebody else's; takes spec. Created only.
struct sim_container *sim_engine_add(struct sim_engine *engine, const char *name, json_t *spec);
// By name or id, NULL when there is none.
struct sim_container *sim_engine_find(const struct sim_engine *engine, const char *name);
size_t sim_engine_count(const struct sim_engine *engine);
struct sim_container *sim_engine_at(const struct sim_engine *engine, size_t index);

// What others do; each is told in an event.
void sim_engine_start(struct sim_engine *engine, struct sim_container *container);
void sim_engine_stop(struct sim_engine *engine, struct sim_container *container);
void sim_engine_remove(struct sim_engine *engine, struct sim_container *container);
void sim_engine_rename(struct sim_engine *engine, struct sim_container *container,
                       const char *name);
void sim_engine_attach(struct sim_engine *engine, struct sim_container *container,
                       const char *alias);
void sim_engine_detach(struct sim_engine *engine, struct sim_container *container);
// Deletes the network and makes another of its name: whoever was attached no longer is.
void sim_engine_renew_network(struct sim_engine *engine);
// As after its restart: every stream ends, running containers change their addresses.
void sim_engine_restart(struct sim_engine *engine);
