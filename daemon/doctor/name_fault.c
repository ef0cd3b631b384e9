#include "daemon/doctor/name_fault.h"

#include "lib/base/str.h"
#include "lib/kinds/name.h"

#include <string.h>

#define CONNECT                                                                                    \
    "run `hostk8s-registryd apply`, or `docker network connect --alias {name} {network} {name}`"

struct fault name_fault(struct arena *arena, const struct config *config,
                        const struct name_evidence *evidence, const char **ret_address)
{
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
    // The network's own name server answers for those on it, and asks others for the rest.
    const char *late = evidence->timed_out ? "no name server gives the node an answer within 10 s, "
                                             "as where this machine is offline: "
                                           : "";
    const struct fault_word words[] = {
        {"name", config->registry.name},
        {"network", config->network},
        {"found", found},
        {"right", right},
        {"late", late},
    };
    static const struct fault faults[] = {
        {"{late}the registry is not on the network {network}", CONNECT},
        {"the registry is not on the network {network}, and its name is {found} there", CONNECT},
        {"{late}the name {name} is missing from the network {network}, though the registry is on "
         "it as {right}",
         "give it that name: `docker network disconnect {network} {name}`, then "
         "`hostk8s-registryd apply`"},
        {"{name} is {found} there, and the registry is {right}",
         "see who else has the name (`docker network inspect {network}`, your DNS), or change "
         "registry.name"},
    };
    const struct fault *fault = &faults[2 * (right != NULL) + (found != NULL)];
    return (struct fault){fault_text(arena, fault->cause, words, ELEMENTS(words)),
                          fault_text(arena, fault->cure, words, ELEMENTS(words))};
}
