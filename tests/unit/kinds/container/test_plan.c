// The registry's container alone, whoever made it: what the engine has, and the whole plan that
// follows.
#include "tests/support/container_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LABEL "io.hostk8s.registryd."
#define LABELS(labels) "'Labels': {" labels "}"
#define ENV(variables) "'Env': ['REGISTRY_STORAGE_DELETE_ENABLED=true', " variables "]"
#define BINDINGS(bindings) "'PortBindings': {'5000/tcp': [" bindings "]}"
#define PORTS(bindings) "'HostConfig': {" BINDINGS(bindings) "}"
#define BINDING(address) "{'HostIp': '" address "', 'HostPort': '5002'}"
#define MOUNTS(binds, mounts) "'HostConfig': {'Binds': [" binds "]}, 'Mounts': [" mounts "]"
#define ROOT "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"
#define SILENT "at http://127.0.0.1:5002/v2/"
#define FORBIDDEN                                                                                  \
    "container: StorageNotWritable: /srv/a cannot be used (Permission denied); make the "          \
    "directory "                                                                                   \
    "writable or change registry.storage\n"
#define NO_PUSH "container: StorageNotWritable: it answers, but cannot store a push: mkdir /r: No; "
#define BROKEN                                                                                     \
    "container: StorageNotWritable: /srv/a does not answer; mend that or change "                  \
    "registry.storage\n"
#define IN_BETWEEN "container: Converging: waits for the engine to end what it does with it\n" WAITS
#define NAME_TAKEN                                                                                 \
    "container: NameConflict: a recreate needs the name hostk8s-registry-previous, which another " \
    "container has; rename or remove that container\n"
#define AGAIN "; `docker rm -f hostk8s-registry` has it made again\n"
#define INSIDE                                                                                     \
    "container: NameConflict: hostk8s-registry has its images in the container itself, by its "    \
    "variable " ROOT "; copy them into /srv/a with `docker cp`, then remove or rename it\n"
#define NOTHING_MOUNTED                                                                            \
    "the engine has mounted nothing at /var/lib/registry, though /srv/a was asked for, so that "   \
    "its images are in the container itself; copy them with `docker cp "                           \
    "hostk8s-registry:/var/lib/registry/. /srv/a`, then `docker rm -f hostk8s-registry` has it "   \
    "made again\n"

static const struct container_case made_here[] = {
    // Nothing is there.
    {"no-image storage-missing",
     {NULL},
     "storage-make /srv/a (make storage)\n"
     "image-pull registry:2 (pull)\n"
     "container-create hostk8s-registry (create)\n"
     "container-start new (start+)\n"
     "network-connect new > kind (attach)\n" PENDING("make storage") ATTACHES},
    {"no-network",
     {NULL},
     "container-create hostk8s-registry (create)\n"
     "container-start new (start+)\n" PENDING(
         "create") "network: NetworkMissing: there is no network kind; kind creates it with the "
                   "first cluster\n"},
    {"storage-forbidden", {NULL}, FORBIDDEN WAITS},
    {"storage-broken", {NULL}, BROKEN WAITS},

    // It runs as declared.
    {NULL, {"main"}, ""},
    {"unasked", {"main"}, ""},
    {"storage-forbidden", {"main"}, ""},

    // It answers, and that is not all: UPLOAD_TAKEN is 1, …
    {"upload=1", {"main"}, ""},
    {"upload=0", {"main"}, ""},
    {"upload=5",
     {"main"},
     "container: Unavailable: it answers, but not to a push: mkdir /r: No; see whether the file "
     "system of /srv/a hangs\n"},
    {"upload=2",
     {"main"},
     "container: StorageNotWritable: it answers, but takes no push (HTTP 405): it is read-only, or "
     "a pull-through cache; see registry.environment\n"},
    {"upload=3", {"main"}, NO_PUSH "make the directory writable or change registry.storage\n"},
    {"upload=3 rootless",
     {"main"},
     NO_PUSH "make the directory writable or change registry.storage\n"},
    {"upload=3 rootless others selinux",
     {"main"},
     NO_PUSH "the engine runs as a user who does not own it: `sudo chown -R $USER /srv/a`, or "
             "change registry.storage\n"},
    {"upload=3 rootless selinux",
     {"main"},
     NO_PUSH "SELinux keeps containers out of what is not labelled for them: `sudo chcon -R -t "
             "container_file_t /srv/a`, or change registry.storage\n"},
    {"upload=3 userns=231072 others",
     {"main"},
     NO_PUSH "by user namespaces a container's root is user 231072 of that machine: `setfacl -R -m "
             "u:231072:rwX /srv/a`, or change registry.storage\n"},
    {"upload=3 userns=0",
     {"main"},
     NO_PUSH "by user namespaces a container's root is another user of that machine: `chmod -R "
             "a+rwX /srv/a`, or change registry.storage\n"},
    {"upload=4 low selinux",
     {"main"},
     "container: StorageFull: it answers, but cannot store a push: mkdir /r: No; free space on the "
     "file system of /srv/a (`hostk8s-registryd gc` removes images that nothing refers to)\n"},
    {"upload=1 full",
     {"main"},
     "container: StorageFull: only 0 MiB (0 %) are left on the file system of /srv/a; free space "
     "there (`hostk8s-registryd gc` removes images that nothing refers to)\n"},
    {"upload=1 low",
     {"main"},
     "container: Converged: only 900 MiB (10 %) are left on the file system of /srv/a\n"},
    {"upload=3 silent",
     {"main"},
     "container: Unavailable: runs but does not answer " SILENT
     "; see `docker logs hostk8s-registry`\n"},
    {"upload=3 low", {"main exited"}, "container-start id-1 (start)\n" PENDING("start") WAITS},
    {"silent",
     {"main running 19"},
     "container: Converging: is started and does not answer " SILENT " yet\n"},
    {"silent",
     {"main running 20"},
     "container: Unavailable: runs but does not answer " SILENT
     "; see `docker logs hostk8s-registry`\n"},
    // It was started by a clock that is ahead, or before one was set back.
    {"silent",
     {"main running -3"},
     "container: Converging: is started and does not answer " SILENT " yet\n"},
    {"silent",
     {"main running -3600"},
     "container: Unavailable: runs but does not answer " SILENT
     "; see `docker logs hostk8s-registry`\n"},
    // The directory was taken away under it.
    {"storage-missing",
     {"main"},
     "container-stop id-1 (restart!)\n"
     "storage-make /srv/a (make storage)\n"
     "container-start id-1 (start+)\n" PENDING("restart")},
    {"storage-broken",
     {"outdated {'NetworkSettings': {'Networks': {'kind': null}}}"},
     "network-connect id-1 > kind (attach)\n" BROKEN ATTACHES},

    // It does not run.
    {NULL, {"main exited"}, "container-start id-1 (start)\n" PENDING("start") WAITS},
    {"storage-broken", {"main exited"}, BROKEN WAITS},
    {NULL,
     {"main exited {'State': {'Error': 'port is already allocated'}}"},
     "container-start id-1 (start)\n"
     "container: PortInUse: 127.0.0.1:5002 is taken by another process; change registry.listen or "
     "free the port\n" WAITS},
    {"holder=other",
     {"main exited {'State': {'Error': 'address already in use'}}"},
     "container-start id-1 (start)\n"
     "container: PortInUse: 127.0.0.1:5002 is taken by container other; change registry.listen or "
     "free the port\n" WAITS},
    {NULL, {"main paused"}, "container-unpause id-1 (unpause)\n" PENDING("unpause") WAITS},
    {NULL,
     {"main restarting {'State': {'ExitCode': 2}}"},
     "container: Unavailable: ends again and again, last with exit code 2; see `docker logs "
     "hostk8s-registry`\n" WAITS},
    {NULL, {"main unheard-of"}, IN_BETWEEN},
    {NULL, {"main removing"}, IN_BETWEEN},
    {NULL,
     {"main dead"},
     "container-remove id-1 (recreate!) hostk8s-registry: present -> absent\n"
     "container-create hostk8s-registry (create+)\n"
     "container-start new (start+)\n"
     "network-connect new > kind (attach)\n" PENDING("recreate") ATTACHES},
    {NULL, {"main dead", "hostk8s-registry-previous {'Mounts': []}"}, NAME_TAKEN WAITS},
    {"storage-forbidden", {"main dead"}, FORBIDDEN WAITS},

    // It was made from another spec.
    {NULL,
     {"outdated {'Config': {" ENV("'REGISTRY_B=secret'") ", " LABELS(
         "'" LABEL "environment': 'REGISTRY_GONE,,REGISTRY_STORAGE_DELETE_ENABLED', '" LABEL
         "owner': 'old'") "}, " PORTS(BINDING("::")) "}"},
     RENAME "listen: [::]:5002 -> 127.0.0.1:5002, image: registry:1 -> registry:2, "
            "environment.REGISTRY_GONE: (hidden) -> absent, labels." LABEL
            "owner: old -> hostk8s-registry\n" CREATE TRIED(STOP)},
    {"variables",
     {"outdated {'Config': {'Image': 'registry:2', " ENV("'REGISTRY_B=secret'") "}}"},
     RENAME "environment.REGISTRY_A: absent -> (hidden), environment.REGISTRY_B: (hidden) -> "
            "(hidden)\n" CREATE TRIED(STOP)},
    {NULL,
     {"outdated exited {'Config': {'Image': 'registry\\n\\u001b[31m:1'}}"},
     RENAME "image: registry ?[31m:1 -> registry:2\n" CREATE TRIED("")},
    {NULL,
     {"outdated {'Config': {'Image': 'registry:2'}}"},
     RENAME "spec: of an earlier declaration -> as declared\n" CREATE TRIED(STOP)},
    {"no-image",
     {"outdated exited {" MOUNTS("'v:/var/lib/registry'", "") "}"},
     "image-pull registry:2 (pull)\n" RENAME
     "image: registry:1 -> registry:2, storage: absent -> /srv/a\n" CREATE
     "container-start new (start+?)\n"
     "network-connect new > kind (attach)\n" PENDING("pull") ATTACHES},
    {"storage-forbidden", {"outdated"}, FORBIDDEN},
    {NULL, {"outdated", "hostk8s-registry-previous {'Mounts': []}"}, NAME_TAKEN},
    {"rejected",
     {"outdated exited"},
     "container-start id-1 (start)\ncontainer: PortInUse: it was tried\n" WAITS},
    {NULL, {"outdated {'Config': {" ENV("'" ROOT "=/data'") "}}"}, INSIDE},
    {NULL, {"outdated {" MOUNTS("", "") "}"}, "container: NameConflict: " NOTHING_MOUNTED},

    // What can be changed without another one.
    {NULL,
     {"main {'HostConfig': {'RestartPolicy': {'Name': 'no'}}}"},
     "container-update id-1 (update) restart: no -> always\n" PENDING("update")},
};

// Made from this very spec.
static const struct container_case drifted[] = {
    // What an engine only repeats may be in other words.
    {NULL,
     {"main {'Config': {'Image': 'sha256:1234', " LABELS(
         "'" LABEL "environment': 'GONE'") ", "
                                           "'Env': ['REGISTRY_STORAGE_DELETE_ENABLED=1']}, "
                                           "'HostConfig': {'Binds': "
                                           "['/host_mnt/srv/a:/var/lib/registry']}}"},
     ""},
    {NULL, {"main {" MOUNTS("'v:/var/lib/registry'", "") "}"}, ""},
    // It was made, or made again, as nobody asked for it.
    {NULL,
     {"main {" PORTS(BINDING("127.0.0.1") ", " BINDING("")) "}"},
     RENAME "listen: 127.0.0.1:5002, 0.0.0.0:5002 -> 127.0.0.1:5002\n"
            "container-create hostk8s-registry mends=listen (create+?)\n" TRIED(STOP)},
    {NULL,
     {"main exited {" PORTS("") "}"},
     RENAME "listen: absent -> 127.0.0.1:5002\n"
            "container-create hostk8s-registry mends=listen (create+?)\n" TRIED("")},
    {NULL,
     {"main {'HostConfig': {'NetworkMode': 'host', 'PortBindings': {'5000/tcp': [{'HostIp': "
      "'127.0.0.1', 'HostPort': '5999'}]}}}"},
     RENAME "listen: 127.0.0.1:5999 -> 127.0.0.1:5002, network mode: host -> bridge\n"
            "container-create hostk8s-registry mends=listen,network mode (create+?)\n" TRIED(STOP)},
    {NULL,
     {"main {'Config': {" LABELS("'" LABEL "mends': 'network mode'") "}, " PORTS(BINDING("")) "}"},
     RENAME "listen: 0.0.0.0:5002 -> 127.0.0.1:5002\n"
            "container-create hostk8s-registry mends=network mode,listen (create+?)\n" TRIED(STOP)},
    // It was made again for that.
    {NULL,
     {"main {'Config': {" LABELS("'" LABEL "mends': 'listen'") "}, " PORTS(BINDING("")) "}"},
     "container: Error: the engine publishes it at 0.0.0.0:5002, though 127.0.0.1:5002 was asked "
     "for" AGAIN},
    {NULL,
     {"main exited {'Config': {" LABELS("'" LABEL "mends': 'x,listen'") "}, " PORTS("") "}"},
     "container-start id-1 (start)\n"
     "container: Error: the engine publishes it at no address, though 127.0.0.1:5002 was asked "
     "for" AGAIN WAITS},
    {NULL,
     {"main {'Config': {" LABELS("'" LABEL "mends': 'network mode'") "}, 'HostConfig': "
                                                                     "{'NetworkMode': 'host'}}"},
     "container: Error: the engine gives it the network mode host, though bridge was asked "
     "for" AGAIN},
    // This engine changes no policy.
    {"kept-policy",
     {"main {'HostConfig': {'RestartPolicy': {'Name': 'no'}}}"},
     RENAME "restart: no -> always\n"
            "container-create hostk8s-registry mends=restart (create+?)\n" TRIED(STOP)},
    {"kept-policy",
     {"main {'Config': {" LABELS("'" LABEL
                                 "mends': 'restart'") "}, 'HostConfig': {"
                                                      "'RestartPolicy': {'Name': 'no'}}}"},
     "container: Error: the engine gives it the restart policy no, though always was asked "
     "for" AGAIN},
    // Its images would be lost.
    {NULL, {"main {" MOUNTS("", "") "}"}, "container: Error: " NOTHING_MOUNTED},
    {NULL,
     {"main {'HostConfig': {'Binds': [], 'NetworkMode': 'none'}, 'Mounts': []}"},
     "container: NameConflict: " NOTHING_MOUNTED},
    // It is not made again for ever where something is in the way.
    {"rejected", {"main {" PORTS(BINDING("")) "}"}, "container: PortInUse: it was tried\n"},
};

#define FOREIGN "hostk8s-registry "
#define BY_HAND(config, rest) "main {'Config': {'Labels': null" config "}" rest "}"
#define OTHER_REGISTRY "container: NameConflict: another registry has the name hostk8s-registry, "

static const struct container_case made_by_others[] = {
    {NULL,
     {FOREIGN "{'Config': {'Image': 'registry.example.org/nginx:registry'}}"},
     "container: NameConflict: another container has the name hostk8s-registry; rename or remove "
     "it, or change registry.name\n" WAITS},
    {NULL,
     {FOREIGN "{" MOUNTS("'/srv/b:/var/lib/registry'", "") "}"},
     OTHER_REGISTRY "its images are in /srv/b; set registry.storage: /srv/b to take it over, or "
                    "rename or remove it, or change registry.name\n" WAITS},
    {NULL,
     {FOREIGN "{" MOUNTS("'v:/var/lib/registry'", "") "}"},
     OTHER_REGISTRY "its images are in a volume; copy them with `docker cp "
                    "hostk8s-registry:/var/lib/registry/. /srv/a`, then rename or remove it, or "
                    "change registry.name\n" WAITS},
    {NULL,
     {FOREIGN "{" MOUNTS("", "") "}"},
     OTHER_REGISTRY "its images are in the container itself; copy them with `docker cp "
                    "hostk8s-registry:/var/lib/registry/. /srv/a`, then rename or remove it, or "
                    "change registry.name\n" WAITS},
    {NULL, {FOREIGN "{'Config': {" ENV("'" ROOT "=/data'") "}}"}, INSIDE WAITS},
    {NULL,
     {FOREIGN "{'Mounts': [{'Destination': '/auth'}]}"},
     OTHER_REGISTRY "and a mount at /auth that it would lose if it was taken over; make it without "
                    "that and declare what it is for in registry.environment, or rename it, or "
                    "change registry.name\n" WAITS},

    // What HostK8s' script makes, once it was declared where it keeps its images.
    {NULL,
     {FOREIGN
      "running {'HostConfig': {'Binds': ['/srv/a:/var/lib/registry', '/srv/"
      "registry-config.yml:/etc/docker/registry/config.yml'], 'NetworkMode': 'default', " BINDINGS(
          BINDING(
              "127.0.0.1")) "}, 'Mounts': [{'Type': 'bind', 'Source': '/srv/a', "
                            "'Destination': '/var/lib/registry'}, {'Type': 'bind', 'Source': '/srv/"
                            "registry-config.yml', 'Destination': "
                            "'/etc/docker/registry/config.yml'}]}"},
     RENAME "environment.REGISTRY_STORAGE_DELETE_ENABLED: absent -> (hidden)\n"
            "container-create hostk8s-registry replaces=id-1 (create+?)\n" TRIED(STOP)},

    // What is a registry with this storage is taken over.
    {NULL, {BY_HAND("", "")}, ""},
    {NULL, {BY_HAND(", 'Image': 'index.docker.io/registry:2'", "")}, ""},
    {NULL,
     {FOREIGN "running {'Config': {'Image': 'ghcr.io:443/mirror/registry@sha256:1'}}"},
     RENAME "listen: absent -> 127.0.0.1:5002, image: ghcr.io:443/mirror/registry@sha256:1 -> "
            "registry:2, environment.REGISTRY_STORAGE_DELETE_ENABLED: absent -> (hidden)\n"
            "container-create hostk8s-registry replaces=id-1 (create+?)\n" TRIED(STOP)},
    {NULL,
     {BY_HAND("", ", 'HostConfig': {'NetworkMode': 'pasta'}")},
     RENAME "network mode: pasta -> bridge\n"
            "container-create hostk8s-registry replaces=id-1 (create+?)\n" TRIED(STOP)},
    // As the former version made it.
    {NULL,
     {"main {'Config': {'Image': 'docker.io/library/registry:2', " LABELS("'" LABEL
                                                                          "spec': null") "}}"},
     ""},
};

static void containers_made_here(void **unused)
{
    (void)unused;
    container_cases_check(made_here, ELEMENTS(made_here));
}

static void containers_that_drifted(void **unused)
{
    (void)unused;
    container_cases_check(drifted, ELEMENTS(drifted));
}

static void containers_made_by_others(void **unused)
{
    (void)unused;
    container_cases_check(made_by_others, ELEMENTS(made_by_others));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_made_here),
        cmocka_unit_test(containers_that_drifted),
        cmocka_unit_test(containers_made_by_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
