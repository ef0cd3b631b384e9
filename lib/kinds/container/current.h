// What an engine was just observed to have, as far as its containers matter here. Decoders are pure
// and tolerate every shape of answer: what is missing or of the wrong type is empty, and what has a
// name that nothing can have (lib/kinds/name.h) is not there.
#pragma once

#include "lib/kinds/container/desired.h"
#include "lib/kinds/container/upload.h"
#include "lib/kinds/engine.h"

#include <jansson.h>

enum container_state {
    CONTAINER_UNKNOWN,
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_RESTARTING,
    CONTAINER_REMOVING,
    CONTAINER_EXITED,
    CONTAINER_DEAD,
};

struct container {
    const char *id;
    const char *name; // without the leading '/'
    const char *image;
    enum container_state state;
    int exit_code;
    const char *state_error; // why the last start failed, NULL when it did not; shows no secret
    int64_t created_s;       // Unix time
    int64_t started_s;       // 0 when never started
    const char *started;     // the same to the fraction of a second, in the engine's words
    int64_t stopped_s;       // 0 when it never ran
    const char *restart_policy;
    bool keeps_restart_policy; // this engine does not change it
    const char *network_mode;
    const char *storage; // host path mounted at CONTAINER_STORAGE, NULL: none or a volume
    bool storage_is_volume;
    const char *other_mount; // where in the container something else is mounted, NULL: nowhere
    // As the engine gives them: strings "NAME=VALUE", an object, objects of HostIp and HostPort
    // where CONTAINER_PORT is published.
    const json_t *variables;
    const json_t *labels;
    const json_t *bindings;
    // Its place on config->network.
    const json_t *endpoint; // with Aliases; NULL: it is not on the network
    const char *network_id; // "" before the first start; podman gives the name
    const char *ipv4;       // NULL while not running
    const char *ipv6;
    const char *gateway; // of IPv4; NULL: none
};

enum probe {
    PROBE_NONE,    // was not asked: it does not run, or cannot be reached from here
    PROBE_ANSWERS, // an HTTP answer below 500 to GET /v2/
    PROBE_SILENT,
};

// The storage directory on this machine.
enum storage_state {
    STORAGE_USABLE,    // also what is on another machine
    STORAGE_MISSING,   // to be made
    STORAGE_FORBIDDEN, // to this process, or to be written: what runs over it may be well
    STORAGE_BROKEN,    // no container can run over it
};

#define STORAGE_WHY_MAX 512

struct storage {
    enum storage_state state;
    char why[STORAGE_WHY_MAX]; // of the last two: "/a/b is a link to /c, which is not there"
    bool others;               // of one that is usable: it belongs to another user than this one's
    uint64_t free_bytes;       // for users other than root, of its file system
    uint64_t total_bytes;      // 0: not known
    bool full;                 // next to nothing is left, not even for root
};

// What is known for one of the specs.
struct container_facts {
    bool image_present;
    const char *port_holder; // the running container that publishes its address, NULL: none
    enum probe probe;
    struct upload upload; // whether the registry takes a push, as far as it was asked
    struct storage storage;
    struct storage password;    // the file for the upstream, in the same way
    const char *upstream_fault; // a clause about it, NULL: none is known
};

// Belongs to one observation.
struct current {
    struct arena arena;
    json_t *answers; // from which strings are borrowed
    struct engine *engine;
    struct container_specs specs;
    struct container_facts *facts; // of each spec, in their order
    size_t fact_count;
    const char *network; // config->network
    bool network_present;
    const char *network_id;
    const char **ids; // of the listed containers that are to be inspected
    size_t id_count;
    struct container *containers; // what was inspected
    size_t container_count;
};

struct current *current_new(const struct config *config);
// NULL is fine.
void current_free(struct current *current);

// Takes what the answer to /containers/json?all=1 tells: the ids, the nodes and API servers, and
// what needs no further request. Returns 0, -EBADMSG when it is no list, -E2BIG.
int current_add_list(struct current *current, json_t *list, struct error *err);

// Takes the answer to /containers/ID/json. The values that were declared when it was made become
// secrets: a rotated one is in no configuration any more. Returns 0, -EBADMSG when it is no
// container, -E2BIG.
int current_add_container(struct current *current, json_t *inspect, struct secrets *secrets,
                          struct error *err);

// Takes the answer to /networks/NAME.
void current_set_network(struct current *current, json_t *network);

// After all was added: sets where the registry is on the network and what its storage has left.
void current_finish_engine(struct current *current, const struct config *config);
// Likewise: adds a spec for each cache that is declared no more.
void current_add_undeclared(struct current *current, const struct config *config);

// When a container ended, from its inspect: Unix time, 0 when it never ran.
int64_t container_stopped_s(const json_t *inspect);

// NULL when there is none.
const struct container *current_container(const struct current *current, const char *name);
const char *container_label(const struct container *container, const char *name);
const char *container_variable(const struct container *container, const char *name);

// What an engine writes for all addresses.
bool container_is_every_address(const char *address);

// Whether its processes are there, so that it is to be stopped and cannot be started.
bool container_is_up(const struct container *container);
