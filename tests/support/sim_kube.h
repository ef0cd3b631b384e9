// A simulated Kubernetes API server over tests/support/model_cluster.h: discovery, lists by label,
// watches, get, server-side apply, delete. The controllers work at once.
#pragma once

#include "tests/support/model_cluster.h"
#include "tests/support/sim_reply.h"

struct sim_kube;

// At https://127.0.0.1:PORT, with an ingress class "nginx".
struct sim_kube *sim_kube_new(struct sim_http *http, uint16_t port, bool endpoint_slices);
void sim_kube_free(struct sim_kube *kube);

// Reachable or not.
void sim_kube_listen(struct sim_kube *kube, bool on);

// What is there, to be edited as others do it; then tell the watches that anything has changed.
struct model_cluster *sim_kube_model(struct sim_kube *kube);
void sim_kube_tell_all(struct sim_kube *kube);
// The watches' versions are too old: they end with 410.
void sim_kube_expire(struct sim_kube *kube);
