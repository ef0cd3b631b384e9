// The client itself, for the other files of lib/docker.
#pragma once

#include "lib/api/api.h"
#include "lib/docker/docker.h"

struct docker {
    struct api api;   // first
    char version[16]; // "/v1.41", last agreed on; empty: none yet
    bool podman;      // see docker_is_podman
    bool negotiated;  // and nothing has shown since that another engine may answer
    const char *cure; // for one that cannot be used: behind the origin, static
    char origin[];    // see docker_options; last
};

// As api_send, below the API version.
int docker_send(struct docker *docker, const struct api_request *request, struct error *err);

// An object with its Id.
const char *docker_check_entity(const json_t *answer);

#define DOCKER_JSON "application/json"
