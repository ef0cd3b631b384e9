// What the files of the reconciler share:
//   reconciler.c             the interface, and one step: which key goes on, which begins, when a
//                            new configuration is swapped in
//   reconciler_round.c       a key's way: observe, plan, act, observe again
//   reconciler_keys.c        which keys there are, and which of them an observed engine makes due
//   reconciler_pass.c        the full pass, and the poll that begins it
//   reconciler_conditions.c  conditions from plans and failures into the status
//   reconciler_pull.c        the pull of the image, beside the engine's rounds
//   reconciler_rejected.c    the container spec that did not come up
//   reconciler_contention.c  resources that something else keeps changing back
//   reconciler_listen.c      streams that mark keys as soon as something changes
#pragma once

#include "lib/base/sorted.h"
#include "lib/reconcile/queue.h"
#include "lib/reconcile/reconciler.h"

#define NODES_IN_FLIGHT 8
#define CLUSTERS_IN_FLIGHT 8
#define CLUSTER_PATIENCE_MS 500
#define ROUNDS_MAX 8    // observe and act in a row before the key has to wait
#define CONFLICTS_MAX 3 // observed again at once after a conflict, in a row
#define SETTLE_MS 500   // first look again at a key that waits, then doubled up to the poll
// Until clusters say that the registry has no address: longer than it takes to make it again.
#define ADDRESS_PATIENCE_MS 2000
#define REJECTED_MS (5 * 60 * 1000)
#define TEARDOWN_LOOKS 3 // at a key that cannot be reached before the teardown goes on without it
#define NEVER QUEUE_NEVER

#define KEY_NAME_ENGINE "engine"
#define KEY_PREFIX_NODE "node/"
#define KEY_PREFIX_CLUSTER "cluster/"

enum key_kind {
    KEY_ENGINE,
    KEY_NODE,
    KEY_CLUSTER,
};
#define KEY_KIND_COUNT (KEY_CLUSTER + 1)

enum key_state {
    KEY_IDLE,
    KEY_OBSERVING,
    KEY_ACTING,
};

// How the latest round ended.
enum key_result {
    KEY_NEW,     // there was none yet
    KEY_CLEAN,   // nothing to do, every condition True
    KEY_PENDING, // actions that are not to be carried out, or not yet
    KEY_WAITING, // time may help
    KEY_BLOCKED, // somebody has to change something
};

// An observed engine, which rounds under way keep while a later one is already there.
struct snapshot {
    unsigned refs;
    struct world_engine *engine;
};

// The pull under way, or how the latest ended.
struct image_pull {
    bool running;
    bool answered;           // since the last step
    struct error error;      // why it failed, until a round takes that up
    struct action action;    // borrowed by the backend; resource and target are its own
    struct plan_input input; // likewise
};

struct contention;
struct listener;

struct key {
    struct queue_item item; // first; of the queue of its kind
    struct reconciler *reconciler;
    char *name;
    const char *object; // the part of name behind the '/'
    char *cluster;      // NULL for the engine
    enum key_kind kind;
    bool wanted;
    bool gone;     // goes when its round ends
    bool in_pass;  // the full pass waits for it
    bool observed; // by the latest round
    bool dirty;    // a stream told of a change since the last step: is in the list of those
    TAILQ_ENTRY(key) dirty_link;
    enum key_result result;
    struct plan plan;               // the latest
    struct strv blamed;             // resources whose condition comes from a failed action
    struct desired_objects objects; // of a cluster, as the latest plan left them
    struct contention *contentions;
    struct listener *listener; // NULL while there is none
    uint64_t settle_ms;        // until the next look while it waits
    unsigned looks;            // rounds in a row that did not end clean

    // The round under way.
    enum key_state state;
    bool leads_pass; // its observation marks every key
    bool requested;  // the backend was asked for the observation
    unsigned round;  // observations so far
    unsigned conflicts;
    size_t next_action;
    struct snapshot *snapshot;
    struct plan_input input;
    // What the backend answered and the next step takes up, in the list of those that are answered.
    TAILQ_ENTRY(key) answered_link;
    bool failed;
    struct error error;
    struct observation observation;
};

TAILQ_HEAD(key_list, key);
TAILQ_HEAD(listener_list, listener);

struct reconciler {
    struct backend *backend;
    struct config *config;
    struct config *next_config; // waits until no key is under way
    enum reconcile_mode mode;
    struct reconciler_events events;
    struct queue *queues[KEY_KIND_COUNT];
    struct sorted keys; // by kind and name; the first is the engine's
    struct key_list answered;
    struct key_list dirty;
    struct snapshot *snapshot; // the latest, NULL before the first
    struct {
        struct queue *queue;        // of listeners: due to open, open while being processed
        struct listener_list ended; // since the last step
        size_t open;
    } streams;
    struct status status;
    bool status_changed; // since the last step
    bool stopping;
    uint64_t now_ms;
    int64_t now_s;
    uint32_t random;
    struct {
        bool due;    // the engine's next round leads one
        bool forced; // keys in back-off take part
        size_t keys; // that it waits for
        bool running;
        uint64_t begin_ms;
        uint64_t begin_cpu_us;
        uint64_t poll_ms; // when the next one is due by itself
    } pass;
    struct image_pull pull;
    struct {
        char *digest;
        char *text;
        enum reason reason;
        uint64_t until_ms; // of no effect from then on
    } rejected;
};

// reconciler.c
bool reconciler_acts(const struct reconciler *reconciler);
bool reconciler_wants(const struct reconciler *reconciler);  // false: everything is to be removed
bool reconciler_drains(const struct reconciler *reconciler); // nothing new is to begin
uint32_t reconciler_random(struct reconciler *reconciler);   // another one each time

// reconciler_round.c
void round_begin(struct key *key);
// Goes on with a key that is answered; the key may be gone afterwards.
void round_advance(struct key *key);
// Whether the key's actions may be carried out now.
bool round_may_act(const struct key *key);

// reconciler_keys.c
// Returns 0 or -ENOMEM. cluster is NULL for the engine's key.
int key_new(struct reconciler *reconciler, enum key_kind kind, const char *object,
            const char *cluster, struct key **ret);
void key_free(struct key *key);
void key_release_observation(struct key *key);
int key_compare(const char *name, const void *element); // of reconciler.keys
struct key *key_find(const struct reconciler *reconciler, const char *name);
struct key *key_at(const struct reconciler *reconciler, size_t index); // of keys.count
struct key *key_engine(const struct reconciler *reconciler);
struct queue *key_queue(const struct key *key);
// Marks the key due now.
void key_mark(struct key *key);
// Takes the key out with its statuses and what the backend caches for it, and frees it.
void key_forget(struct key *key);
// Takes engine over as the latest. Keys appear and go with its nodes and clusters, and those are
// marked for which a fact changed, or all of them.
// Returns 0 or -ENOMEM (with the engine taken over, a part of the keys may be missing).
int keys_follow(struct reconciler *reconciler, struct world_engine *engine, bool all);
// The engine cannot be observed: neither can its nodes; clusters go on by what is known of them.
// Returns 0 or -ENOMEM.
int keys_lose_engine(struct reconciler *reconciler, const struct error *why);
bool keys_cluster_present(const struct world_engine *engine, const char *cluster);
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);

// reconciler_pass.c
// Begins a full pass when the poll is due.
void pass_poll(struct reconciler *reconciler);
// The engine's round, which begins, leads a full pass.
void pass_begin(struct reconciler *reconciler);
// The engine's round has led so far: from now on all others take part.
void pass_spread(struct reconciler *reconciler);
// Marks every key but the engine's, those in back-off only when forced, nodes only while the engine
// can be observed.
void pass_mark_keys(struct reconciler *reconciler, bool forced);
// The full pass waits for the key, or no longer.
void pass_join(struct key *key);
void pass_leave(struct key *key);
// Neither the pass nor those that are due wait any longer for what does not answer.
void pass_lose_patience(struct reconciler *reconciler);
// Ends the pass if it waits for nothing more.
void pass_end(struct reconciler *reconciler);

// reconciler_conditions.c
// Makes plan (taken over) the key's latest and sets its conditions; resources that no plan has any
// more vanish from the status. Returns 0 or -ENOMEM.
int conditions_from_plan(struct key *key, struct plan *plan);
// The same from the conditions of a key that cannot be observed.
int conditions_unobserved(struct key *key, const struct plan_input *input, const struct error *why);
// Sets the resource's condition to that of a failed action: it stands until no action is planned
// for the resource. Returns 0 or -ENOMEM.
int conditions_blame(struct key *key, const char *resource, const char *cluster, enum reason reason,
                     const char *message);
// Blames every resource of the plan that still has actions.
int conditions_blame_unsteady(struct key *key);
void conditions_forget(struct key *key);
// KEY_CLEAN, _WAITING or _BLOCKED, from the conditions alone.
enum key_result conditions_result(const struct plan *plan);
bool conditions_have(const struct plan *plan, enum reason reason);

// reconciler_pull.c
// The action, a pull, is the next of the key's plan: begins it unless it is under way. Returns 0,
// the key then has to wait; or < 0, it could not begin, or the one before failed.
int pull_go_on(struct key *key, const struct action *action, struct error *err);
// Takes up its end.
void pull_step(struct reconciler *reconciler);
void pull_free(struct image_pull *pull);

// reconciler_rejected.c
// Notes what a failed action says about the container's spec: true when the spec is to blame and
// the old container has to come back.
bool rejected_by_failure(struct key *key, const struct action *action, enum reason reason,
                         const char *text);
// Notes that an action took the new container away to put the old one back.
void rejected_by_put_back(struct key *key, const struct action *action);
void rejected_fill(const struct reconciler *reconciler, struct plan_input *input);
void rejected_done(struct reconciler *reconciler);

// reconciler_listen.c
// The key was observed: from now on it is listened to.
void listener_follow(struct key *key);
// Nothing listens to the key any more.
void listener_drop(struct key *key);
// Takes up what the streams had and opens those that are due.
void listeners_step(struct reconciler *reconciler);
// Whether a stream had something since the last step.
bool listeners_heard(const struct reconciler *reconciler);
void listeners_stop(struct reconciler *reconciler);

// reconciler_contention.c
// Takes the actions out of a fresh plan whose resource was repaired too often lately, and says so
// in its condition. Returns 0 or -ENOMEM.
int contention_restrain(struct key *key, struct plan *plan);
void contention_free(struct key *key);
