// What may be the name of something observed. Names become parts of resources, of requests and of
// commands that a user is told to run. What no engine and no cluster would accept as a name (a line
// end, a path, a part of a shell command) is treated as if it was not there.
#pragma once

#include <stdbool.h>

// Of a container, its id, or a kind cluster: letters, digits, then also '_', '.' and '-' (moby
// daemon/names/names.go).
bool name_is_valid(const char *name);

// Of a Kubernetes object: a DNS subdomain.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
bool name_is_valid_object(const char *name);

// An IPv4 or IPv6 address without brackets.
bool name_is_valid_address(const char *address);

// Of a directory in certs.d: what an image's name may begin with.
bool name_is_valid_hosts(const char *name);
