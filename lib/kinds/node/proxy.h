// Whether what a node pulls from the registry goes to a proxy instead, by the variables that the
// node's container was made with: kind's entrypoint hands them to systemd, and so containerd has
// them (images/base/files/usr/local/bin/entrypoint, configure_proxy). Pure.
#pragma once

#include "lib/base/arena.h"

#include <jansson.h>
#include <stdbool.h>

struct proxy {
    const char *variable; // that names one for http:// ("HTTP_PROXY"), NULL: none does
    const char *no_proxy; // its value, of the arena; NULL: none
};

// Reads the strings "NAME=VALUE" of a container's Config.Env; what a proxy is called is not kept.
struct proxy proxy_decode(const json_t *variables, struct arena *arena);

// Whether a value of NO_PROXY exempts host:port, as Go reads it
// (golang.org/x/net/http/httpproxy/proxy.go). The host is a name: entries that are addresses or
// networks say nothing of it, since Go looks up no name for them.
bool proxy_exempts(const char *no_proxy, const char *host, const char *port);
