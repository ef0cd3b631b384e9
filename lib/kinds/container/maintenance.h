// The container in which `gc` works on the registry's storage while the registry is stopped. It is
// all that tells a daemon of it: while the container is there the registry is left alone, and what
// an interrupted `gc` has left is taken away and the registry started. Pure.
#pragma once

#include "lib/kinds/container/current.h"

#define CONTAINER_LABEL_MAINTENANCE "io.hostk8s.registryd.maintenance"

// How long after its creation it may wait for its start, and after its end for its removal.
#define MAINTENANCE_SECONDS 60

#define MAINTENANCE_SENTENCE                                                                       \
    "gc is at work in container %s; the registry is back when that has ended"

// Whether it is that of the spec's storage.
bool maintenance_is_of(const struct container_spec *spec, const struct container *container);

// Whether `gc` is at work in it, as far as its state and the engine's clock tell.
bool maintenance_is_active(const struct container *container, int64_t now_s);

// Its name; the caller frees it.
char *maintenance_name(const struct container_spec *spec);

// The body of POST /containers/create; the caller owns the reference. NULL when a declared value is
// not UTF-8. registry is the inspect of the registry's container: the same image is used, and the
// same configuration. gc tells one gc from another, in the label. The directories that the file
// MAINTENANCE_LIST names, one a line, are removed below directory, then the registry's own
// garbage-collect runs.
json_t *maintenance_body(const struct container_spec *spec, const json_t *registry,
                         const char *directory, const char *gc);
#define MAINTENANCE_LIST "registryd-removals"
