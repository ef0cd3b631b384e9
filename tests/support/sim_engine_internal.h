// What the files of the simulated engine share.
#pragma once

#include "lib/base/strv.h"
#include "tests/support/sim_engine.h"

#define EXECS_MAX 32

struct sim_exec {
    char *container; // its id
    json_t *command;
    int exit_code;
};

struct sim_publication {
    struct sim_engine *engine;
    uint16_t port;
};

#define PUBLICATIONS_MAX 4

struct sim_engine {
    struct sim_http *http;
    struct sim_container *containers[SIM_CONTAINERS_MAX];
    size_t count;
    char *network_id; // NULL: there is none
    struct strv images;
    unsigned serial; // of ids
    struct sim_exec execs[EXECS_MAX];
    struct sim_publication publications[PUBLICATIONS_MAX];
    size_t publication_count;
};

bool sim_container_is_up(const struct sim_container *container);
// Tells the streams; old_name is for a rename.
void sim_engine_tell(struct sim_engine *engine, const struct sim_container *container,
                     const char *action, const char *old_name);
void sim_engine_tell_network(struct sim_engine *engine, const char *action);
// NULL, or why it does not start; *ret_status is the answer's.
const char *sim_engine_try_start(struct sim_engine *engine, struct sim_container *container,
                                 int *ret_status);

// sim_engine_json.c
json_t *sim_container_listed(const struct sim_container *container);
json_t *sim_container_inspected(const struct sim_container *container);

// sim_engine_exec.c
void sim_exec_create(struct sim_engine *engine, struct sim_exchange *x);
void sim_exec_start(struct sim_engine *engine, struct sim_exchange *x);
void sim_exec_inspect(struct sim_engine *engine, struct sim_exchange *x);
void sim_execs_done(struct sim_engine *engine);

// sim_engine_requests.c
void sim_engine_serve(void *ctx, const struct sim_request *request, struct sim_reply *reply);
