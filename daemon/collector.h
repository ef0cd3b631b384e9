// What the steps of a collection share. collect.c has those with the engine, collect_storage.c
// those with the storage and the registry.
#pragma once

#include "daemon/session.h"
#include "lib/api/api.h"
#include "lib/kinds/container/desired.h"

struct collect_plan;

struct collector {
    struct session session;
    const struct collect_plan *plan;
    struct container_specs specs;
    const struct container_spec *spec; // the registry's
    uv_timer_t timer;
    size_t stage;        // the next one
    uint64_t begin_ms;   // of the one that is under way, when it waits
    bool converging;     // the one that is under way waits for the reconciler
    bool told;           // what it waits for
    uint64_t passes;     // that had ended before it
    json_t *registry;    // the inspect of its container
    char label[48];      // of gc's own container: tells it from another gc's
    char *container;     // its id; NULL while it is not known
    unsigned lists;      // for it, so that it goes
    unsigned starts;     // of the registry afterwards
    struct store *found; // what the storage has while the registry is stopped
    struct store *left;  // and in the end
    struct api *api;     // the registry's; NULL before it is asked
    unsigned surveys;    // begun, of what it has then
    struct error error;  // why it is not done; kind ERROR_NONE: nothing has failed
    bool interrupted;
    bool aborted; // nothing more is begun
    bool ended;
};

#define COLLECTOR_DEADLINE_MS (120u * 1000u) // for the registry to run, and for pushes to end

// The end of a step; err NULL: the collector's own says whether it has failed.
void collector_complete(struct collector *c, const struct error *err);
// Notes why it is not done: the first time counts.
void collector_fail(struct collector *c, const struct error *err);

// Each begins a step: returns 0, and collector_complete is called later, 1 when there is nothing to
// wait for, or -errno.
typedef int (*collector_stage_fn)(struct collector *c, struct error *err);

int collector_wait_quiet(struct collector *c, struct error *err);
int collector_walk(struct collector *c, struct error *err);
int collector_measure(struct collector *c, struct error *err);
// Waits again for the registry to run, then measures and asks again.
void collector_ask_again(struct collector *c);
// Asks the registry for every tag.
int collector_ask(struct collector *c, struct error *err);
