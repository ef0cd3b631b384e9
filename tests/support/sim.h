// A simulated machine: a Docker Engine, kind clusters on it, and things of others beside them,
// which the program must leave alone.
#pragma once

#include "tests/support/sim_engine.h"
#include "tests/support/sim_kube.h"

#define SIM_CLUSTERS_MAX 4

struct sim_cluster {
    char *name;
    uint16_t port; // of its API server
    struct sim_kube *kube;
};

struct sim {
    struct sim_http *http;
    struct sim_engine *engine;
    struct sim_cluster clusters[SIM_CLUSTERS_MAX];
    size_t cluster_count;
};

// With the cluster "hostk8s", whose API server is at port 6443, and no registry.
struct sim *sim_new(void);
void sim_free(struct sim *sim);

// A cluster NAME with the node NAME-control-plane, and its end.
void sim_add_cluster(struct sim *sim, const char *name, uint16_t port);
void sim_remove_cluster(struct sim *sim, const char *name);
struct sim_kube *sim_kube(const struct sim *sim, const char *cluster);
// A node without a cluster's API server; its files are those of a new one.
struct sim_container *sim_add_worker(struct sim *sim, const char *cluster, const char *name);

// A text of all that is there, without what differs from one time to the next (ids, times,
// addresses). The caller frees it.
char *sim_text(const struct sim *sim);
// The same of what is not the program's.
char *sim_foreign_text(const struct sim *sim);
// Fails the test at the first line that differs.
void sim_assert_text(const struct sim *sim, const char *expected);
void sim_assert_foreign_text(const struct sim *sim, const char *expected);
