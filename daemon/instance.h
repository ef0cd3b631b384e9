// What a daemon or a teardown has to itself among the processes of this user: its configuration
// file, and on that engine the name and the storage of its registry. Two that differ over one of
// them would undo each other's work for ever, so the second one is refused and told of the first.
// Clusters are patterns and may overlap: what two daemons want otherwise there is `Contended`, and
// so is everything between the daemons of two users. `apply` claims nothing: it wants what the
// daemon with the same file wants, and each of them takes up what the other has begun.
//
// A daemon publishes its status as status.json, unless another daemon's is that, then as HASH.json.
#pragma once

#include "daemon/runtime.h"
#include "lib/config/config.h"

enum claim_kind {
    CLAIM_CONFIG_FILE,
    CLAIM_REGISTRY_NAME,
    CLAIM_REGISTRY_STORAGE,
    _CLAIM_COUNT,
};

struct claim {
    char *what; // in words, "registry.name hostk8s-registry"; NULL for the configuration file
    char *path; // of the lock file
    int lock;   // -1: not held
};

struct instance {
    char *config_file;
    char *directory; // of all these files, as long as the process runs
    struct claim claims[_CLAIM_COUNT];
    int status_lock; // held by the one whose status is status.json, else -1
    char *status_file;
};
#define INSTANCE_NONE                                                                              \
    {                                                                                              \
        .claims = {{.lock = -1}, {.lock = -1}, {.lock = -1}}, .status_lock = -1                    \
    }

// config_file is absolute. Returns 0 with *ret to be released by instance_done, -EBUSY and an error
// that tells which process has something of it, or -errno.
int instance_claim(const char *config_file, const struct config *config, struct instance *ret,
                   struct error *err);

// Claims what another configuration of the same file names and gives up what it does not. On
// failure what was claimed stays so.
int instance_reclaim(struct instance *instance, const struct config *config, struct error *err);

// Claims again what is there no longer, since the directory was removed: a logout does that.
// Returns 1 when there was something to claim, 0 when there was not, or as instance_claim.
int instance_renew(struct instance *instance, struct error *err);

// 1 when a process has the configuration file; *ret and *ret_status_file (to be released) then say
// which, and where its status is, if it publishes one. 0 when none has, or -errno.
int instance_find(const char *config_file, struct holder *ret, char **ret_status_file,
                  struct error *err);

void instance_done(struct instance *instance);
