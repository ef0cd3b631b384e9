// Why what was asked over HTTP, on this machine, did not do as it should. Pure.
#pragma once

#include "daemon/doctor/fault.h"
#include "lib/base/error.h"
#include "lib/config/config.h"

// An answer, or why there is none (error.kind is not ERROR_NONE then). Texts are an arena's.
struct answer {
    struct error error;
    int status;
    bool has_api;       // it is a registry's, by its header
    const char *server; // who it says to be, NULL when it does not
    const char *location;
};

// Of what answered GET /v2/ at an address of this machine. local: the registry is published there.
struct fault registry_fault(struct arena *arena, const char *address, bool local,
                            const struct answer *answer);

// Of a push of the image, to registry.listen.
struct fault push_fault(struct arena *arena, const struct config *config, const struct error *err);

// Of an upload through ui.url.
struct fault upload_fault(struct arena *arena, const struct config *config,
                          const struct error *err);

// Of the answer to /v2/ at ui.url, which is no registry's.
struct fault route_fault(struct arena *arena, const struct config *config,
                         const struct answer *answer);

// Of the answer to ui.path without its last slash, which is `path`.
struct fault redirect_fault(struct arena *arena, const struct config *config, const char *path,
                            const struct answer *answer);

// A registry answers at the address, and has not the image that the one of registry.listen has.
struct fault other_registry_fault(struct arena *arena, const char *address);
