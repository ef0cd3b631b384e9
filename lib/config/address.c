#include "lib/config/address.h"

#include "lib/base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LABEL "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
#define LABEL_MAX 63

bool address_name_is_valid(const char *name)
{
    for (const char *label = name; *label != '\0';) {
        size_t length = strcspn(label, ".");
        if (length > LABEL_MAX) {
            return false;
        }
        label += length + (label[length] == '.');
    }
    // Digits alone in the last label make it look like an IPv4 address (RFC 3696, 2).
    return strlen(name) < ADDRESS_HOST_MAX && str_matches(name, "^" LABEL "(\\." LABEL ")*$") &&
           !str_matches(name, "\\.[0-9]+$");
}

// Gives the host its one spelling.
static int spell_host(char host[ADDRESS_HOST_MAX], bool brackets, enum address_needs needs,
                      struct error *err)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    bool ip = inet_pton(brackets ? AF_INET6 : AF_INET, host, bytes) == 1;
    if (brackets && !ip) {
        return error_invalid(err, "must have an IPv6 address between the brackets");
    }
    if (brackets) {
        (void)inet_ntop(AF_INET6, bytes, host, ADDRESS_HOST_MAX);
        return 0;
    }
    if (!ip && (needs & ADDRESS_NEEDS_IP)) {
        return error_invalid(
            err, "must be ADDRESS:PORT with an IP address, e.g. 127.0.0.1:5002 for this "
                 "host alone or 0.0.0.0:5002 for every host");
    }
    if (!ip && !address_name_is_valid(host)) {
        return error_invalid(err, "must have a DNS name or an IP address as its host");
    }
    for (char *c = host; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    return 0;
}

int address_parse(const char *text, enum address_needs needs, struct address *ret,
                  struct error *err)
{
    struct address address = {0};
    uint64_t port = 0;
    bool brackets = text[0] == '[';
    const char *host = text + brackets;
    size_t length = strcspn(host, brackets ? "]" : ":");
    const char *rest = host + length + (brackets && host[length] == ']');
    if (length >= sizeof(address.host) || (brackets && host[length] != ']') ||
        (*rest != '\0' && *rest != ':')) {
        return error_invalid(err, "must be HOST:PORT");
    }
    if (!brackets && *rest == ':' && strchr(rest + 1, ':') != NULL) {
        return error_invalid(err, "must have an IPv6 address in brackets: [ADDRESS]:PORT");
    }
    memcpy(address.host, host, length);
    int r = spell_host(address.host, brackets, needs, err);
    if (r < 0) {
        return r;
    }
    if (*rest == ':' && (str_to_u64(rest + 1, UINT16_MAX, &port) < 0 || port == 0)) {
        return error_invalid(err, "must have a port between 1 and 65535");
    }
    if (port == 0 && (needs & ADDRESS_NEEDS_PORT)) {
        return error_invalid(err, "must have a port, as in HOST:PORT");
    }
    address.port = (uint16_t)port;
    *ret = address;
    return 0;
}

char *address_format(const struct address *address)
{
    struct address_text host = address_bracketed(address->host);
    return address->port == 0 ? str_dup(host.text) : str_printf("%s:%u", host.text, address->port);
}

bool address_is_loopback(const char *ip)
{
    return str_starts_with(ip, "127.") || str_equal(ip, "::1");
}

struct address_text address_bracketed(const char *host)
{
    struct address_text bracketed;
    (void)snprintf(bracketed.text, sizeof(bracketed.text),
                   strchr(host, ':') == NULL ? "%s" : "[%s]", host);
    return bracketed;
}
