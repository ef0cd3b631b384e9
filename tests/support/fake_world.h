// A model of what a backend finds and changes: an engine with the registry's containers, a network
// and the nodes of kind clusters, and the clusters' API servers.
#pragma once

#include "lib/plan/plan.h"
#include "tests/support/model_cluster.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_NODES_MAX 128
#define FAKE_CLUSTERS_MAX 64
#define FAKE_CONTAINERS_MAX 8

struct fake_container {
    char name[64];
    char id[16];
    json_t *spec; // of its creation
    const char *state;
    char error[64]; // of the last start
    int64_t started_s;
    char network_id[16]; // "" while not attached
    int address;         // last number
};

struct fake_node {
    char name[64];
    char id[16];
    char cluster[64];
    bool running;
    struct strmap files;
};

struct fake_world {
    char network_id[16]; // "": missing
    bool image_missing;
    int64_t now_s;
    enum probe_result probe; // of a running container
    int address;             // last number of the next started container's address
    unsigned serial;
    struct fake_container containers[FAKE_CONTAINERS_MAX];
    size_t container_count;
    struct fake_node nodes[FAKE_NODES_MAX];
    size_t node_count;
    struct {
        char name[64];
        struct model_cluster *model;
    } clusters[FAKE_CLUSTERS_MAX];
    size_t cluster_count;
};

void fake_world_init(struct fake_world *world);
void fake_world_done(struct fake_world *world);
void fake_world_swap(struct fake_world *a, struct fake_world *b);

// Adds the node, a control plane, or changes whether it runs.
void fake_node(struct fake_world *world, const char *cluster, const char *name, bool running);
void fake_node_remove(struct fake_world *world, const char *name);
// Changes a hosts.toml behind the program's back.
void fake_node_file(struct fake_world *world, const char *name, const char *alias,
                    const char *content);
size_t fake_node_files(const struct fake_world *world, const char *name);
struct model_cluster *fake_cluster(struct fake_world *world, const char *name);
void fake_container_stop(struct fake_world *world, const char *name);
void fake_container_remove(struct fake_world *world, const char *name);
bool fake_container_exists(const struct fake_world *world, const char *name);
bool fake_container_runs(const struct fake_world *world, const char *name);

// What an observation brings; the caller owns it.
struct world_engine *fake_world_engine(const struct fake_world *world);
struct world_node_files *fake_world_node(const struct fake_world *world, const char *name);
// Executes an action. Returns 0, or -errno when the other side would refuse it.
int fake_world_act(struct fake_world *world, const struct action *action);
// What the engine notes of a start that it refused.
void fake_world_start_failed(struct fake_world *world, const char *name, const char *error);
