// Which engine is meant, as the docker client finds it: the declared host, DOCKER_HOST, the context
// of DOCKER_CONTEXT or of config.json, and then the first socket that is there.
// https://docs.docker.com/engine/manage-resources/contexts/
//
// It reads files and waits for their file system: lib/work runs it.
#pragma once

#include "lib/base/error.h"
#include "lib/base/strv.h"

#include <stdbool.h>
#include <stddef.h>

// Of the configuration and the environment; NULL or empty where there is none.
struct docker_hints {
    const char *host;        // unix://PATH or tcp://HOST:PORT
    const char *host_source; // where it was given: "docker.host", "DOCKER_HOST"
    bool tls;                // for that host, with these files
    const char *ca;          // paths of PEM files, NULL when unset
    const char *cert;
    const char *key;
    const char *context;        // DOCKER_CONTEXT
    const char *config_dir;     // where the client keeps config.json and its contexts
    const struct strv *sockets; // paths, at least one: the first is where an engine is by default
};

// All strings are owned.
struct docker_place {
    char *host;
    bool tls;
    char *ca; // as in the hints
    char *cert;
    char *key;
    char *source; // "named by docker.host", "the context colima of …", "the first socket that is
                  // there"
    char *considered; // what was looked at and is not it: "/run/user/1000/docker.sock (not there)"
};

// Returns 0, or -errno with a sentence about a context that names no engine which can be used.
// ret->considered is set in any case; docker_place_done frees what there is. Where nothing is found
// the place is the default socket: an engine may yet come there.
int docker_find(const struct docker_hints *hints, struct docker_place *ret, struct error *err);
void docker_place_done(struct docker_place *place);

// For people: "HOST, SOURCE; looked at CONSIDERED". The caller frees it.
char *docker_place_text(const struct docker_place *place);
