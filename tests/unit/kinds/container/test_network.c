// The container's place on the network: what the engine has, and the whole plan that follows.
#include "tests/support/container_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

// Of its endpoint, another field than it has.
#define ON_NETWORK(field) "'NetworkSettings': {'Networks': {'kind': {" field "}}}"
#define DETACHED "'NetworkSettings': {'Networks': {'kind': null}}"
#define OTHER_NETWORK ON_NETWORK("'NetworkID': 'net-0'")
#define AGAIN                                                                                      \
    "network-disconnect id-1 > kind (attach)\n"                                                    \
    "network-connect id-1 > kind (attach+)\n" ATTACHES
#define FIRST "network-connect id-1 > kind (attach)\n" ATTACHES
#define MISSING                                                                                    \
    "network: NetworkMissing: there is no network kind; kind creates it with the first cluster\n"
#define NAME_TAKEN                                                                                 \
    "container: NameConflict: a recreate needs the name hostk8s-registry-previous, which another " \
    "container has; rename or remove that container\n"
#define WAITS_FOR(node)                                                                            \
    "network: NodeNotRunning: waits for " node ", which comes first to its address on the "        \
    "network; start it with `docker start " node "`\n"
#define GIVES_WAY "network-disconnect id-1 > kind (give way) address: 172.18.0.9 -> absent\n"

static const struct container_case attachments[] = {
    {NULL, {"main {" DETACHED "}"}, FIRST},
    {NULL,
     {"main exited {" DETACHED "}"},
     "container-start id-1 (start)\nnetwork-connect id-1 > kind (attach)\n" PENDING("start")
         ATTACHES},
    {NULL, {"main {" ON_NETWORK("'Aliases': []") "}"}, AGAIN},
    {NULL, {"main {" ON_NETWORK("'Aliases': ['other', 1, 'hostk8s-registry']") "}"}, ""},
    {NULL, {"main {" ON_NETWORK("'IPAddress': ''") "}"}, AGAIN},
    {NULL, {"main {" ON_NETWORK("'IPAddress': '', 'GlobalIPv6Address': 'fc00::9'") "}"}, ""},
    // The network was made again.
    {NULL,
     {"main exited {" OTHER_NETWORK "}"},
     "network-disconnect id-1 > kind (attach)\n"
     "container-start id-1 (start)\n"
     "network-connect id-1 > kind (attach+)\n" PENDING("start") ATTACHES},
    {NULL, {"main {" OTHER_NETWORK "}"}, AGAIN},
    // What podman says of every network, and an engine before the first start.
    {NULL, {"main {" ON_NETWORK("'NetworkID': 'kind'") "}"}, ""},
    {NULL, {"main {" ON_NETWORK("'NetworkID': ''") "}"}, ""},
    // The network is gone.
    {"no-network", {"main"}, MISSING},
    {"no-network", {"main {" DETACHED "}"}, MISSING},
    {"no-network",
     {"main exited"},
     RENAME "network: kind -> absent\n" CREATE "container-start new (start+?)\n" PENDING("recreate")
         MISSING},
    {"no-network",
     {"main exited {'Config': {'Labels': null}}",
      "hostk8s-registry-previous {'Config': {'Image': 'nginx'}}"},
     NAME_TAKEN MISSING},
    {"no-network", {"main exited {'Config': {'Labels': null}}", "previous"}, NAME_TAKEN MISSING},
};

#define UP "node=hostk8s-control-plane,hostk8s,running,0 "
#define AWAY "node=hostk8s-control-plane,hostk8s,exited,60 "
#define WORKER(ended_s_ago) "node=hostk8s-worker,hostk8s,exited," ended_s_ago

// A node comes first to the address that it had.
static const struct container_case nodes[] = {
    {UP WORKER("59"), {"main {" DETACHED "}"}, WAITS_FOR("hostk8s-worker")},
    {UP WORKER("60"), {"main {" DETACHED "}"}, FIRST},
    {UP WORKER("-3600"), {"main {" DETACHED "}"}, FIRST}, // before the clock was set back
    {AWAY WORKER("60"), {"main {" DETACHED "}"}, WAITS_FOR("hostk8s-control-plane")},
    {"node=a,other,exited,1 node=b,other,exited,1", {"main {" DETACHED "}"}, FIRST},
    {"node=a,other,running,1 " WORKER("60"), {"main {" DETACHED "}"}, WAITS_FOR("hostk8s-worker")},
    {"node=hostk8s-control-plane,hostk8s,paused,0 " WORKER("60"), {"main {" DETACHED "}"}, FIRST},
    {UP WORKER("1"), {"main"}, GIVES_WAY WAITS_FOR("hostk8s-worker")},
    {UP WORKER("60"), {"main"}, ""},
    {AWAY WORKER("1"), {"main {" ON_NETWORK("'IPAddress': '172.18.0.10'") "}"}, ""},
    {UP WORKER("1"),
     {"main exited"},
     "network-disconnect id-1 > kind (give way)\n"
     "container-start id-1 (start)\n" PENDING("start") WAITS_FOR("hostk8s-worker")},
    {UP WORKER("1"),
     {NULL},
     "container-create hostk8s-registry (create)\n"
     "container-start new (start+)\n" PENDING("create") WAITS_FOR("hostk8s-worker")},
};

static void containers_are_attached(void **unused)
{
    (void)unused;
    container_cases_check(attachments, ELEMENTS(attachments));
}

static void nodes_come_first(void **unused)
{
    (void)unused;
    container_cases_check(nodes, ELEMENTS(nodes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_are_attached),
        cmocka_unit_test(nodes_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
