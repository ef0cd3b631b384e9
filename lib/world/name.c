#include "lib/world/name.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define OBJECT_NAME_MAX 253

bool world_name_is_valid(const char *name)
{
    return isalnum((unsigned char)name[0]) && name[strspn(name, LOWER UPPER "_.-")] == '\0';
}

bool world_object_name_is_valid(const char *name)
{
    size_t length = strspn(name, LOWER "-.");
    return length > 0 && length <= OBJECT_NAME_MAX && name[length] == '\0' &&
           isalnum((unsigned char)name[0]) && isalnum((unsigned char)name[length - 1]);
}

bool world_address_is_valid(const char *address)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, address, bytes) == 1 || inet_pton(AF_INET6, address, bytes) == 1;
}
