// The stations, in the order of the way: of an image from this machine into every node, and of the
// page to the browser. One more is a function here and a row in stations.c.
#pragma once

#include "daemon/doctor/doctor.h"

// Runs all of them. Each is told when it begins, and with its result and how long it took when it
// has ended; both are borrowed until return.
struct station_events {
    void (*begun)(void *ctx, const char *station, const char *subject);
    void (*ended)(void *ctx, const char *station, const char *subject, const struct result *result,
                  uint64_t ms);
    void *ctx;
};
void stations_run(struct doctor *doctor, const struct station_events *events);

// station_engine.c
void station_engine(struct doctor *doctor, const char *subject);
void station_container(struct doctor *doctor, const char *subject);
// station_registry.c
void station_registry(struct doctor *doctor, const char *subject);
void station_push(struct doctor *doctor, const char *subject);
void station_localhost(struct doctor *doctor, const char *subject);
// station_node.c: of the node of that name
void station_containerd(struct doctor *doctor, const char *subject);
void station_name(struct doctor *doctor, const char *subject);
void station_pull(struct doctor *doctor, const char *subject);
// station_cache.c: of the upstream of that name
void station_cache(struct doctor *doctor, const char *subject);
// station_cluster.c: of the cluster of that name
void station_api_server(struct doctor *doctor, const char *subject);
void station_objects(struct doctor *doctor, const char *subject);
// station_route.c: of ui.url
void station_page(struct doctor *doctor, const char *subject);
void station_redirect(struct doctor *doctor, const char *subject);
void station_api(struct doctor *doctor, const char *subject);
void station_upload(struct doctor *doctor, const char *subject);
// station_cleanup.c
void station_cleanup(struct doctor *doctor, const char *subject);
