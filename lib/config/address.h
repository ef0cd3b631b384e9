// HOST:PORT as it stands in listen, aliases, URLs.
#pragma once

#include "lib/base/error.h"

#include <stdint.h>

#define ADDRESS_HOST_MAX 254 // of a DNS name, with the NUL

struct address {
    char host[ADDRESS_HOST_MAX]; // without brackets, in its one spelling: small letters, ::1
    uint16_t port;               // 0: none
};

enum address_needs {
    ADDRESS_NEEDS_NOTHING = 0,
    ADDRESS_NEEDS_PORT = 1,
    ADDRESS_NEEDS_IP = 2, // instead of a name
};

// Returns 0, or -EINVAL with err saying what the text must be: "must be HOST:PORT" and the like.
int address_parse(const char *text, enum address_needs needs, struct address *ret,
                  struct error *err);

// The address as text, without a port if it has none. The caller frees it.
char *address_format(const struct address *address);

// Whether an IP address is reached by this host alone.
bool address_is_loopback(const char *ip);

// Whether it can stand as a host name: labels of letters, digits and inner dashes, 1 to 63 each.
bool address_name_is_valid(const char *name);

// The host as it stands before ":PORT": an IPv6 address in brackets. One that is too long to be a
// host is cut.
struct address_text {
    char text[ADDRESS_HOST_MAX + 2];
};
struct address_text address_bracketed(const char *host);
