// What this user's processes know of each other: a directory of the user alone below
// $XDG_RUNTIME_DIR, else below systemd's /run/user/UID (su, sudo and cron do not tell of it), else
// in /tmp, with a lock file for each thing that one process at a time may hold. The lock is the
// kernel's and ends with the process, however that ends; the file tells who has it.
#pragma once

#include "lib/base/error.h"

#include <sys/types.h>

struct holder {
    pid_t pid;         // 0: it has not said who it is yet
    char *config_file; // "" likewise
};
void holder_done(struct holder *holder);

// The directory's path, made when missing; the caller frees it. Returns 0, or as
// runtime_make_directory. It is another one once the session of systemd begins or ends.
int runtime_directory(char **ret, struct error *err);

// Makes the directory when it is missing. A link, another user's directory or one that is open to
// others is refused. Returns 0 or -errno.
int runtime_make_directory(const char *path, struct error *err);

// The path of NAME's file in the directory; names may be anything. The caller frees it, NULL when
// out of memory.
char *runtime_path(const char *directory, const char *name, const char *suffix);

// Locks the file and writes who holds it. Returns the descriptor to close, -EBUSY when another
// process has it (then *ret_other, to be released, says which), or -errno.
int runtime_lock(const char *path, const char *config_file, struct holder *ret_other);

// Whether a process holds the lock; *ret (to be released) then says which. Negative: -errno.
int runtime_find(const char *path, struct holder *ret);
