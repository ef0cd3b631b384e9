// Whether this process may use an engine's socket, and if not, what its user has to do for it.
//
// It asks the file system and the user database and waits for them: lib/work runs it.
#pragma once

#include "lib/base/error.h"

#include <stdbool.h>

// Who may, and who asks.
struct docker_access {
    const char *path;
    const char *user;
    const char *owner; // of the socket, NULL: it cannot be looked at
    const char *group; // whose members may use it, NULL: none but root's
    bool member;       // the user is, by the user database
    bool joined;       // this process is: groups are taken over at a login, and stay
};

// Fills err and returns -EACCES. Pure.
int docker_access_refused(const struct docker_access *access, struct error *err);

// Returns 0, also when there is no socket, or as above.
int docker_access(const char *path, struct error *err);
