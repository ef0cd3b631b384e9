// The I/O that the reconciler needs, as an interface. lib/backend is the real one; tests have
// others. Every callback runs exactly once and never from inside the submitting call.
#pragma once

#include "lib/base/error.h"
#include "lib/config/config.h"
#include "lib/plan/plan.h"

// What one observation brought; the member of the key's kind is set. Ownership moves to the
// callback's callee by setting the member NULL there.
struct observation {
    struct world_engine *engine;
    struct world_node_files *node;
    struct world_cluster *cluster;
};

typedef void (*observe_done_fn)(void *ctx, struct observation *observation,
                                const struct error *err);
typedef void (*act_done_fn)(void *ctx, const struct error *err);

// Something that an observation of key would see may have changed. Carries no data.
typedef void (*listen_dirty_fn)(void *ctx, const char *key);
// The stream has ended: err is why, NULL when the peer just closed it.
typedef void (*listen_done_fn)(void *ctx, const struct error *err);

struct backend;

struct backend_ops {
    // key is "engine", "node/CONTAINER" or "cluster/NAME"; input->engine is the latest engine
    // observation (NULL for the key "engine"). Borrows input until done.
    int (*observe)(struct backend *backend, const char *key, const struct plan_input *input,
                   observe_done_fn done, void *ctx, struct error *err);
    // Borrows action and input until done. Returns 1 when the action is done already: then done
    // does not come.
    int (*act)(struct backend *backend, const struct action *action, const struct plan_input *input,
               act_done_fn done, void *ctx, struct error *err);
    // Listens to what tells of changes of key ("engine", which tells of nodes as well, or
    // "cluster/NAME") until the stream ends. The key must have been observed before. Borrows input
    // until return. NULL: there is nothing to listen to.
    int (*listen)(struct backend *backend, const char *key, const struct plan_input *input,
                  listen_dirty_fn dirty, listen_done_fn done, void *ctx, struct error *err);
    // Ends the stream of key, or all (NULL), early; each done still comes, with ECANCELED.
    void (*unlisten)(struct backend *backend, const char *key);
    // Ends all observations and streams early and the actions that leave nothing half done (an
    // image pull), or every action too; each done still comes, with ECANCELED.
    void (*cancel)(struct backend *backend, bool actions_too);
    // Forgets what is cached for a key that is gone, or for all of them (NULL); ends their streams.
    void (*forget)(struct backend *backend, const char *key);
};

// Embedded first in every implementation's own struct.
struct backend {
    const struct backend_ops *ops;
};
