// A small model of an engine: it carries actions out on JSON documents that have the shape of an
// engine's answers, each with the accent of one engine. Facts: tests/fixtures/engine.
#pragma once

#include "lib/kinds/container/current.h"
#include "lib/kinds/plan.h"

struct accent {
    const char *name;
    bool image_in_full;      // Config.Image is docker.io/library/registry:2
    const char *options;     // at the end of a bind
    const char *drive;       // before the source of a mount, with no Binds in the answer
    bool network_id_is_name; // of an endpoint
    bool keeps_policy;       // there is no update
    int zone_h;              // of the times, in hours
    // What it makes of every container, whatever was asked for; NULL: what was asked for.
    const char *address;
    const char *port;
    const char *mode;
    const char *policy;
};

// Docker 20.10 and 28, podman 4.3, and from ACCENTS_SOUND on those that do not do as they are told.
#define ACCENTS_SOUND 3
#define ACCENTS 7
extern const struct accent accents[ACCENTS];

struct accent_engine {
    const struct accent *accent;
    json_t *containers; // array of what an inspect answers
    unsigned next_id;
    char created[32]; // id of the latest that was made
    int64_t now_s;
    bool image_present;
    bool network_present;
    struct storage storage;
    struct upload upload;            // what its registries say to one
    struct engine_about about;       // borrowed
    bool remote;                     // nobody answers a probe from here
    bool mute;                       // nobody answers one at all
    const char *taken_port;          // by something that is no container
    const char *port_holder;         // as the list would tell
    char kept_policy[32];            // id of the container whose update was refused
    const struct engine_node *nodes; // borrowed
    size_t node_count;
};

void accent_engine_begin(struct accent_engine *engine, const struct accent *accent);
void accent_engine_end(struct accent_engine *engine);

// Creates a container from the body of a request; borrowed. Its image makes it crash or stay silent
// by the word "crash" or "mute" in its name.
json_t *accent_engine_create(struct accent_engine *engine, const char *name, const json_t *body);
// Sets State.Status and, of one that is up, that it was started age_s ago.
void accent_engine_set_state(struct accent_engine *engine, json_t *container, const char *status,
                             int64_t age_s);
// Puts it on the network "kind".
void accent_engine_connect(struct accent_engine *engine, json_t *container, const char *network_id,
                           const char *alias);

// What an observation of this engine brings; the caller frees it with current_free.
struct current *accent_engine_observe(struct accent_engine *engine, const struct config *config,
                                      struct secrets *secrets);

// Carries one action out. Returns 0, or < 0 with err as an engine would refuse it.
int accent_engine_act(struct accent_engine *engine, const struct action *action, struct error *err);
