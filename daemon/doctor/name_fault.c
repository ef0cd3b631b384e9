#include "daemon/doctor/name_fault.h"

#include "lib/base/str.h"
#include "lib/kinds/name.h"

#include <string.h>

struct fault name_fault(struct arena *arena, const struct name_evidence *evidence,
                        const char **ret_address)
{
    const char *name = evidence->name;
    const char *network = evidence->network;
    const char *right = evidence->ipv4 != NULL ? evidence->ipv4 : evidence->ipv6;
    const char *found = NULL;
    *ret_address = NULL;
    for (const char *line = evidence->output; *line != '\0';) {
        const char *address = arena_dup_n(arena, line, strcspn(line, " \t\r\n"));
        if (str_equal(address, evidence->ipv4) || str_equal(address, evidence->ipv6)) {
            *ret_address = address;
            return (struct fault){0};
        }
        found = found == NULL && name_is_valid_address(address) ? address : found;
        line += strcspn(line, "\n");
        line += strspn(line, "\n");
    }
    if (right == NULL) {
        return (struct fault){
            .cause = arena_printf(arena, "the registry is not on the network %s%s%s%s", network,
                                  found == NULL ? "" : ", and its name is ",
                                  found == NULL ? "" : found, found == NULL ? "" : " there"),
            .cure = arena_printf(arena,
                                 "run `hostk8s-registryd apply`, or `docker network connect "
                                 "--alias %s %s %s`",
                                 name, network, name),
        };
    }
    if (found == NULL) {
        return (struct fault){
            .cause = arena_printf(arena,
                                  "the name %s is missing from the network %s, though the "
                                  "registry is on it as %s",
                                  name, network, right),
            .cure = arena_printf(arena,
                                 "give it that name: `docker network disconnect %s %s`, then "
                                 "`hostk8s-registryd apply`",
                                 network, name),
        };
    }
    return (struct fault){
        .cause = arena_printf(arena, "%s is %s there, and the registry is %s", name, found, right),
        .cure = arena_printf(arena,
                             "see who else has the name (`docker network inspect %s`, your DNS), "
                             "or change registry.name",
                             network),
    };
}
