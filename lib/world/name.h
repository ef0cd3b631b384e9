// What may be the name of something observed. Names become parts of resources, of requests and of
// commands that a user is told to run, so what no engine and no cluster would accept as a name is
// none: a line end, a path, a part of a shell command.
#pragma once

#include <stdbool.h>

// Of a container, its id, or a kind cluster: letters, digits, then also '_', '.' and '-' (moby
// daemon/names/names.go).
bool world_name_is_valid(const char *name);

// Of a Kubernetes object: a DNS subdomain.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
bool world_object_name_is_valid(const char *name);

// An IPv4 or IPv6 address without brackets.
bool world_address_is_valid(const char *address);

// Of a directory in certs.d: what an image's name may begin with, so that another one is nobody's.
bool world_hosts_name_is_valid(const char *name);
