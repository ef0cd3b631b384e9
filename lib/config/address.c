#include "lib/config/address.h"

#include "lib/base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63

static bool label_is_valid(const char *label, size_t length)
{
    if (length == 0 || length > LABEL_MAX || label[0] == '-' || label[length - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)label[i]) && label[i] != '-') {
            return false;
        }
    }
    return true;
}

bool address_name_is_valid(const char *name)
{
    if (strlen(name) >= ADDRESS_HOST_MAX) {
        return false;
    }
    for (const char *label = name;;) {
        size_t length = strcspn(label, ".");
        if (!label_is_valid(label, length)) {
            return false;
        }
        if (label[length] == '\0') {
            // Digits alone in the last label make it look like an IPv4 address (RFC 3696, 2).
            return strspn(label, "0123456789") != length || label == name;
        }
        label += length + 1;
    }
}

enum address_kind address_kind_of(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, host, bytes) == 1) {
        return ADDRESS_IPV4;
    }
    return inet_pton(AF_INET6, host, bytes) == 1 ? ADDRESS_IPV6 : ADDRESS_NAME;
}

static int parse_port(const char *text, uint16_t *ret, struct error *err)
{
    uint64_t port = 0;
    if (strlen(text) > 5 || str_to_u64(text, UINT16_MAX, &port) < 0 || port == 0) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "must have a port between 1 and 65535");
    }
    *ret = (uint16_t)port;
    return 0;
}

static int parse_ipv6(struct address *address, struct error *err)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET6, address->host, bytes) != 1) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "must have an IPv6 address between the brackets");
    }
    address->kind = ADDRESS_IPV6;
    (void)inet_ntop(AF_INET6, bytes, address->host, sizeof(address->host));
    return 0;
}

int address_parse(const char *text, struct address *ret, struct error *err)
{
    struct address address = {0};
    bool brackets = text[0] == '[';
    const char *host = text + brackets;
    size_t length = strcspn(host, brackets ? "]" : ":");
    const char *rest = host + length + (brackets && host[length] == ']');
    if (length >= sizeof(address.host) || (brackets && host[length] != ']') ||
        (*rest != '\0' && *rest != ':')) {
        return error_set(err, ERROR_PERMANENT, EINVAL, "must be HOST:PORT");
    }
    if (!brackets && *rest == ':' && strchr(rest + 1, ':') != NULL) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "must have an IPv6 address in brackets: [ADDRESS]:PORT");
    }
    memcpy(address.host, host, length);
    address.kind = address_kind_of(address.host);
    if (brackets) {
        int r = parse_ipv6(&address, err);
        if (r < 0) {
            return r;
        }
    } else if (address.kind == ADDRESS_NAME && !address_name_is_valid(address.host)) {
        return error_set(err, ERROR_PERMANENT, EINVAL,
                         "must have a DNS name or an IP address as its host");
    }
    if (*rest == ':') {
        int r = parse_port(rest + 1, &address.port, err);
        if (r < 0) {
            return r;
        }
    }
    *ret = address;
    return 0;
}

bool address_is_loopback(enum address_kind kind, const char *host)
{
    return (kind == ADDRESS_IPV4 && str_starts_with(host, "127.")) ||
           (kind == ADDRESS_IPV6 && str_equal(host, "::1"));
}

struct address_text address_bracketed(const char *host)
{
    struct address_text bracketed;
    (void)snprintf(bracketed.text, sizeof(bracketed.text),
                   strchr(host, ':') == NULL ? "%s" : "[%s]", host);
    return bracketed;
}
