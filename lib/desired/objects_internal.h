// What the makers of Kubernetes objects share.
#pragma once

#include "lib/config/config.h"

#include <jansson.h>

#define DESIRED_PART_OF "hostk8s-registry"
// The same in container, Service, endpoints and Ingress: they are matched by it.
#define DESIRED_PORT_NAME "http"
#define DESIRED_UI_PORT 80

// The labels of every object; the caller owns the reference. NULL: out of memory.
json_t *desired_labels(const char *app);

// What a user on this host pushes to and a node pulls as. The caller frees it. NULL: out of memory.
char *desired_public_host(const struct config_registry *registry);

// The UI's Deployment without apiVersion, kind and metadata; the caller owns the reference. Returns
// 0 or -ENOMEM.
int desired_deployment_body(const struct config *config, json_t **ret);
