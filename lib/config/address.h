// HOST:PORT as it stands in listen, aliases, URLs.
#pragma once

#include "lib/base/error.h"

#include <stdint.h>

#define ADDRESS_HOST_MAX 254 // of a DNS name, with the NUL

enum address_kind {
    ADDRESS_IPV4,
    ADDRESS_IPV6, // in brackets in text
    ADDRESS_NAME, // a DNS name
};

struct address {
    enum address_kind kind;
    char host[ADDRESS_HOST_MAX]; // without brackets; an IP address in its canonical form
    uint16_t port;               // 0: none
};

// Returns 0, or -EINVAL with err saying what the text must be: "must be HOST:PORT" and the like.
int address_parse(const char *text, struct address *ret, struct error *err);

// Whether nobody but this host reaches it; a name is never taken for loopback.
bool address_is_loopback(enum address_kind kind, const char *host);

// Whether it can stand as a host name: labels of letters, digits and inner dashes, 1 to 63 each.
bool address_name_is_valid(const char *name);

enum address_kind address_kind_of(const char *host);

// The host as it stands before ":PORT": an IPv6 address in brackets. One that is too long to be a
// host is cut.
struct address_text {
    char text[ADDRESS_HOST_MAX + 2];
};
struct address_text address_bracketed(const char *host);
