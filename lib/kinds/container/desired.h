// The containers that are kept converged, as they are declared. Pure.
#pragma once

#include "lib/base/arena.h"
#include "lib/base/strmap.h"
#include "lib/config/config.h"

#include <jansson.h>

// Labels of what was made here. The owner is registry.name of the configuration it was made from.
#define CONTAINER_LABEL_OWNER "io.hostk8s.registryd.owner"
// Digest of the spec it was made from. Where it is the digest of what is desired, what an engine
// only repeats of the spec (image, environment, mounts) is not compared: engines normalise.
#define CONTAINER_LABEL_SPEC "io.hostk8s.registryd.spec"
// The declared environment's names, comma-separated, so that a removed one is seen as drift.
#define CONTAINER_LABEL_ENVIRONMENT "io.hostk8s.registryd.environment"
// The id of the container that an adoption replaces by this one: it tells that one, which has no
// label, from somebody's backup of the same name.
#define CONTAINER_LABEL_REPLACES "io.hostk8s.registryd.replaces"
// The fields, comma-separated, that a container made from the same spec had otherwise, and for
// which this one was made in its place. Those that it has otherwise, too, are left so.
#define CONTAINER_LABEL_MENDS "io.hostk8s.registryd.mends"

#define CONTAINER_STORAGE "/var/lib/registry" // in the container
#define CONTAINER_PORT "5000/tcp"             // in the container, as the engine writes it
#define CONTAINER_AUTHORITY "%s:5000"         // of its address, or name, on its network
// In the container of a cache whose upstream asks for a login: its configuration, with the
// password. It is put into the container before the first start, so that neither its environment
// nor a mount shows anything of it, and the engine may be on another machine and map users as it
// likes. Root of the engine's machine can read it there, and who may use the engine (docker cp,
// exec, commit).
#define CONTAINER_LOGIN_DIR "/etc"
#define CONTAINER_LOGIN_FILE "registryd-cache.json"
#define CONTAINER_LOGIN_CURE "mend that or change its passwordFile in caches"
// Sent explicitly: rootless podman takes one without networks ("pasta") for none.
#define CONTAINER_NETWORK_MODE "bridge"

// The sentence for a network that is not there.
#define CONTAINER_NETWORK_MISSING "there is no network %s; kind creates it with the first cluster"

#define CONTAINER_DIGEST_SIZE 17

struct container_spec {
    const char *name;          // and its alias on the network
    const char *previous_name; // of the container that a recreate replaces, until the new one is up
    const char *owner;         // value of the label
    const char *resource;      // "container/NAME"
    const char *network_resource; // "network/NETWORK/NAME"
    const char *section;          // of the configuration file, for sentences: "registry"
    const char *image;
    const char *storage; // directory on the engine's machine
    const char *network;
    const char *restart_policy;
    const char *host_address; // where CONTAINER_PORT is published; NULL: nowhere
    const char *host_port;
    const char *listen;    // both as a URL has them
    const char *authority; // where it answers: that, or on the network alone
    const char *upstream;  // URL of what it caches, NULL: it is the registry
    const char *username;  // for that, NULL: none
    const char *password_file;
    bool undeclared; // a cache that is there and is declared no more
    bool relabels;   // the engine is to label the storage for SELinux
    struct strmap environment;
    char digest[CONTAINER_DIGEST_SIZE];      // is for no message: values could be guessed from it
    char alternative[CONTAINER_DIGEST_SIZE]; // as good, where it is not known which; "": none
};

struct container_specs {
    struct arena arena;
    struct container_spec *items;
    size_t count;
};

// All strings are copies.
void container_specs_make(const struct config *config, struct container_specs *ret);
void container_specs_done(struct container_specs *specs);

// Adds one for a container of a cache that is declared no more; storage may be NULL.
void container_specs_add_undeclared(const struct config *config, struct container_specs *specs,
                                    const char *name, const char *storage);

// The spec that the container's or its network's resource belongs to; NULL when there is none.
const struct container_spec *container_specs_find(const struct container_specs *specs,
                                                  const char *resource);

// Adds to the digest what password_file was observed to be: for another one takes another
// container.
void container_spec_stamp(struct container_spec *spec, const char *stamp);

// What CONTAINER_LOGIN_FILE holds, with the password; the caller owns the reference. NULL when that
// is not UTF-8.
json_t *container_spec_login(const struct container_spec *spec, const char *password);

// Whether it is given a proxy, by which alone it may reach its upstream.
bool container_spec_has_proxy(const struct container_spec *spec);

// For an engine with SELinux: a container may not touch its storage unless that has the label, and
// one that has it labelled is another one. known false: for one that may have it.
void container_spec_relabel(struct container_spec *spec, bool known);

// A path without doubled and trailing slashes.
char *container_path(struct arena *arena, const char *path);

// An image's reference in full, DOMAIN/PATH:TAG or DOMAIN/PATH@DIGEST (a tag says nothing then), as
// engines understand it: registry:2 is docker.io/library/registry:2.
// https://github.com/distribution/reference/blob/main/normalize.go
char *container_image(struct arena *arena, const char *reference);
bool container_image_is_same(const char *a, const char *b);

// Cuts the next name off a label's comma-separated *names; NULL at the end.
char *container_next_name(struct arena *arena, const char **names);

// The body of POST /containers/create; the caller owns the reference. NULL when a declared value is
// not UTF-8.
json_t *container_spec_body(const struct container_spec *spec);
