// What a daemon or a teardown has to itself among the processes of this user: its configuration
// file, and on its engine the name and the storage of its registry. Two that differ over one of
// them would undo each other's work for ever, so the second one is refused and told of the first.
// Clusters are patterns and may overlap: over them two daemons, and over everything those of two
// users, are `Contended`. `apply` claims nothing: with the file of a daemon it does what that does,
// and each of them takes up what the other has begun.
//
// A claim is a lock file in a directory of the user alone below $XDG_RUNTIME_DIR, else below
// systemd's /run/user/UID (su, sudo and cron do not tell of it), else in /tmp. The lock is the
// kernel's and ends with the process, however that ends; the file tells who has it.
//
// A daemon publishes its status there as status.json, unless another daemon does, then as
// HASH.json.
#pragma once

#include "lib/config/config.h"

#include <sys/types.h>

struct claims;

// config_file is absolute. Returns 0 with *ret, -EBUSY and an error that tells which process has
// something of it, or -errno. Nothing here is for two threads at a time.
int claims_new(const char *config_file, const struct config *config, struct claims **ret,
               struct error *err);

// Claims what another configuration of the same file names and gives up what it does not. On
// failure what was claimed stays so.
int claims_change(struct claims *claims, const struct config *config, struct error *err);

// Claims again what is there no longer, since the directory was removed: a logout does that.
// Returns 1 when there was something to claim, 0 when there was not, or as claims_new.
int claims_renew(struct claims *claims, struct error *err);

// Where the status is published; borrowed until the next change or renewal.
const char *claims_status_file(const struct claims *claims);

// For a thread that may be left to itself: it frees them, too.
struct claims *claims_ref(struct claims *claims);

// The last one gives everything up and removes the status file. NULL is fine.
void claims_free(struct claims *claims);
DEFINE_CLEANUP(struct claims *, claims_free)

// 1 when a process has the configuration file; *ret_pid then says which (0: it has not said yet),
// and *ret_status_file, which the caller frees, where its status is, if it publishes one. 0 when
// none has, or -errno.
int claims_find(const char *config_file, pid_t *ret_pid, char **ret_status_file, struct error *err);
