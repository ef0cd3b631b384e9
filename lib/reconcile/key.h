// A key, and the state that its attempts share. The floors above, each of which uses those below
// it:
//   reconciler.c  the interface, and one step: which key goes on, which begins
//   attempt.c     observe → plan → act → observe again
//   follow.c      which keys there are, and which of them an observed engine makes due
//   background.c  actions that go on beside the attempts
//   watch.c       streams of events that make keys due
//   pass.c        the full pass, and the poll that begins it
//   conditions.c  conditions from plans and failures into the status
#pragma once

#include "lib/base/strv.h"
#include "lib/kinds/kind.h"
#include "lib/reconcile/mode.h"
#include "lib/reconcile/queue.h"

enum key_state {
    KEY_IDLE,
    KEY_OBSERVING,
    KEY_ACTING,
};

// How the latest attempt ended.
enum key_result {
    KEY_NEW,     // there was none yet
    KEY_CLEAN,   // nothing to do, every condition True
    KEY_PENDING, // actions that are not to be carried out, or not yet
    KEY_WAITING, // time may help
    KEY_BLOCKED, // somebody has to change something
};

struct watch;

struct key {
    struct queue_item item; // first; of the queue of its kind
    struct reconciler *reconciler;
    const struct kind *kind;
    size_t kind_index; // in the table
    char *id;          // "node/hostk8s-worker"
    const char *name;  // the part of it behind the '/', "" for a kind with one key
    char *cluster;     // NULL for a key of no cluster
    bool desired;
    bool gone;         // goes when its attempt ends
    bool in_pass;      // the full pass waits for it
    bool observed;     // by the latest attempt
    bool was_observed; // by any attempt since its cluster was last missing
    bool dirty;        // a stream told of a change since the last step
    bool listed;       // by the latest keys_of
    enum key_result result;
    struct plan plan; // the latest
    bool outdated;    // it is of another configuration
    struct records records;
    memory_t memory;
    struct watch *watch;       // NULL while there is none
    uint64_t waits_since_ms;   // 0: it does not wait
    unsigned unclean;          // attempts in a row that tried something and did not end clean
    uint64_t unclean_since_ms; // the end of the first of them
    unsigned background;       // actions under way beside the attempts

    // The attempt under way.
    enum key_state state;
    bool leads_pass;   // its observation makes every key due
    bool tried;        // false: all that it had to do was held back
    unsigned attempts; // observations so far
    unsigned conflicts;
    size_t next_action;
    bool acted;          // an action of this round was carried out
    struct strv skipped; // resources of this round whose actions are left out
    uint64_t retry_ms;   // when the earliest of them is due again
    struct engine *engine;
    struct input input;
    // What was answered, and the next step takes up, in the list of those that are answered.
    TAILQ_ENTRY(key) answered_link;
    struct error error;
    void *current;
};

TAILQ_HEAD(key_list, key);
TAILQ_HEAD(background_list, background);

struct reconciler {
    struct io *io;
    struct kind_table table;
    struct config *config;
    struct config *next_config; // waits until no key is under way
    enum reconcile_mode mode;
    struct reconciler_events events;
    struct queue queues[KINDS_MAX]; // of the table's kinds
    struct key **keys;              // by kind and name; the first one leads
    size_t key_count;
    struct key_list answered;
    struct engine *engine; // the latest observed, NULL before the first
    struct {
        struct queue queue; // of watches: due to open, open while being processed
        bool told;          // since the last step: of a change, or of the end of a stream
        size_t open;
    } watches;
    struct background_list background; // under way
    struct background_list finished;   // since the last step
    struct status status;
    bool status_changed; // since the last step
    uint64_t news_ms;    // when there may be news to tell
    bool stopping;
    uint64_t now_ms;
    int64_t now_s;
    uint32_t random;
    struct {
        bool due;    // the leading key's next observation leads one
        bool forced; // keys in back-off take part
        size_t keys; // that it waits for
        bool running;
        uint64_t begin_ms;
        uint64_t begin_cpu_us;
        uint64_t poll_ms; // when the next one is due by itself
    } pass;
};

bool reconciler_acts(const struct reconciler *reconciler);
bool reconciler_desires(const struct reconciler *reconciler); // false: everything is to be removed
bool reconciler_drains(const struct reconciler *reconciler);  // nothing new is to begin
uint32_t reconciler_random(struct reconciler *reconciler);    // another one each time

struct key *key_new(struct reconciler *reconciler, size_t kind_index, const char *name,
                    const char *cluster);
// Frees a key that is idle, with what its kind keeps for it.
void key_free(struct key *key);
// By id; NULL when there is none.
struct key *key_find(const struct reconciler *reconciler, const char *id);
struct key *key_leader(const struct reconciler *reconciler);
struct queue *key_queue(const struct key *key);
// Whether a resource of the latest plan has this reason.
bool key_has(const struct key *key, enum reason reason);
// What is known before the key is observed, for as long as the engine and the configuration stay.
struct input key_input(const struct key *key);
// Makes the key due now, or in delay_ms at the latest.
void key_enqueue(struct key *key);
void key_enqueue_in(struct key *key, uint64_t delay_ms);
