#include "lib/kinds/name.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define NAME_MAX_LENGTH 253

bool name_is_valid(const char *name)
{
    size_t length = strspn(name, LOWER UPPER "_.-");
    return isalnum((unsigned char)name[0]) && length <= NAME_MAX_LENGTH && name[length] == '\0';
}

bool name_is_valid_object(const char *name)
{
    size_t length = strspn(name, LOWER "-.");
    return isalnum((unsigned char)name[0]) && length <= NAME_MAX_LENGTH && name[length] == '\0' &&
           isalnum((unsigned char)name[length - 1]);
}

bool name_is_valid_address(const char *address)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, address, bytes) == 1 || inet_pton(AF_INET6, address, bytes) == 1;
}

bool name_is_valid_hosts(const char *name)
{
    size_t length = strspn(name, LOWER UPPER "_.:[]-");
    return length > 0 && name[length] == '\0';
}
