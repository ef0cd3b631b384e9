// A container beside the registry's: the one that a recreate replaces, or one that has lost the
// name: what the engine has, and the whole plan that follows.
#include "tests/support/container_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PREVIOUS "hostk8s-registry-previous"
#define UNLABELLED "{'Config': {'Labels': null}}"
#define IMAGES_INSIDE "{'Config': {'Env': ['REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/data']}}"
#define ELSEWHERE "'HostConfig': {'Binds': ['/srv/b:/var/lib/registry']}"
#define LOST_NETWORK "'NetworkSettings': {'Networks': {'kind': {'NetworkID': 'net-0'}}}"
#define REMOVE(id, name)                                                                           \
    "container-remove " id " (remove!) " name ": present -> absent\n" PENDING("remove")
#define REMOVE_NEW                                                                                 \
    "container-remove id-2 (recreate!) hostk8s-registry: present -> absent\n" PENDING("recreate")  \
        WAITS
#define PUT_BACK                                                                                   \
    "container-remove id-2 (put back!?) hostk8s-registry: present -> absent\n"                     \
    "container-rename id-1 > hostk8s-registry (put back+)\n"
#define CREATED(verb)                                                                              \
    "container-start new (start+" verb ")\n"                                                       \
    "network-connect new > kind (attach)\n"

static const struct container_case recreating[] = {
    {NULL, {"previous", "main"}, REMOVE("id-1", PREVIOUS)},
    {"unasked", {"previous", "main"}, REMOVE("id-1", PREVIOUS)},
    {"silent",
     {"previous", "main running 1"},
     "container: Converging: is started; " PREVIOUS " is kept until it answers\n"},
    {"unasked",
     {"previous", "main running 19"},
     "container: Converging: is started; " PREVIOUS " is kept until it answers\n"},
    {"silent",
     {"previous", "main"},
     PUT_BACK "container-start id-1 (put back+)\n"
              "container: Unavailable: the new container runs but does not answer\n" WAITS},
    {NULL,
     {"previous", "main exited {'State': {'ExitCode': 2}}"},
     PUT_BACK "container-start id-1 (put back+)\n"
              "container: Unavailable: the new container ended with exit code 2\n" WAITS},
    {NULL,
     {"previous", "main restarting"},
     PUT_BACK "container-start id-1 (put back+)\n"
              "container: Unavailable: the new container ended with exit code 0\n" WAITS},
    {NULL,
     {"previous paused",
      "main created {'State': {'Error': 'listen tcp4: bind: address already in use'}}"},
     PUT_BACK "container-unpause id-1 (unpause+)\n"
              "container: PortInUse: 127.0.0.1:5002 is taken by another process; change "
              "registry.listen or free the port\n" WAITS},
    {NULL,
     {"previous", "main exited {'State': {'Error': 'no\\nsuch \\u001b[2J'}}"},
     PUT_BACK "container-start id-1 (put back+)\n"
              "container: Error: the container does not start: no such ?[2J\n" WAITS},
    {NULL,
     {"previous running", "main created"},
     "container-stop id-1 (recreate)\n"
     "container-start id-2 (recreate+?)\n" PENDING("recreate") WAITS},
    {NULL,
     {"previous", "main paused"},
     "container-unpause id-2 (unpause)\n" PENDING("unpause") WAITS},
    {NULL,
     {"previous", "main paused 1"},
     "container-unpause id-2 (unpause)\n" PENDING("unpause") WAITS},

    // Made for a configuration that has changed since, or attached to what is gone since.
    {"other-image", {"previous running", "main created"}, REMOVE_NEW},
    {"other-image silent", {"previous", "main running 1"}, REMOVE_NEW},
    {"other-image", {"previous", "main exited"}, REMOVE_NEW},
    {"no-network",
     {"previous {'NetworkSettings': {'Networks': {'kind': null}}}", "main exited"},
     "container-remove id-2 (recreate!) hostk8s-registry: present -> absent\n" PENDING(
         "recreate") "network: NetworkMissing: there is no network kind; kind creates it with the "
                     "first cluster\n"},
    // What has drifted waits until it is alone.
    {"silent",
     {"previous", "main running 1 {'HostConfig': {'PortBindings': {'5000/tcp': []}}}"},
     "container: Converging: is started; " PREVIOUS " is kept until it answers\n"},
    {"silent",
     {"previous", "main {'HostConfig': {'PortBindings': {'5000/tcp': []}}}"},
     REMOVE("id-1", PREVIOUS)},

    {"silent", {"previous dead", "main running 1"}, REMOVE("id-1", PREVIOUS)},
    {"silent",
     {"previous unheard-of", "main running 1"},
     "container: Converging: waits for the engine to end what it does with " PREVIOUS "\n"},
    {"silent",
     {"previous", "main running 1 {'Config': {'Labels': null, 'Image': 'registry:0'}}"},
     "container: NameConflict: a recreate needs the name " PREVIOUS ", which another container "
     "has; rename or remove that container\n"},
    // What has the name may be somebody's backup, or have images.
    {NULL, {"previous " UNLABELLED, "main"}, ""},
    {NULL,
     {"previous " UNLABELLED,
      "main {'Config': {'Labels': {'io.hostk8s.registryd.replaces': 'id-1'}}}"},
     REMOVE("id-1", PREVIOUS)},
    {NULL, {"previous " IMAGES_INSIDE, "main"}, ""},
};

static const struct container_case absent[] = {
    {NULL,
     {"previous"},
     "container-create hostk8s-registry (recreate!?) image: registry:1 -> registry:2\n" CREATED("?")
         PENDING("recreate") ATTACHES},
    {NULL,
     {"previous running {'Config': {'Labels': {'io.hostk8s.registryd.spec': null}}}"},
     "container-create hostk8s-registry (recreate!?) image: registry:1 -> registry:2\n"
     "container-stop id-1 (stop+)\n" CREATED("?") PENDING("recreate") ATTACHES},
    {NULL,
     {"previous " UNLABELLED},
     "container-create hostk8s-registry replaces=id-1 (recreate!?) image: registry:1 -> "
     "registry:2\n" CREATED("?") PENDING("recreate") ATTACHES},
    {NULL,
     {"main exited {'Name': '/" PREVIOUS "', 'HostConfig': {'PortBindings': {'5000/tcp': []}}}"},
     "container-create hostk8s-registry mends=listen (recreate!?) listen: absent -> "
     "127.0.0.1:5002\n" CREATED("?") PENDING("recreate") ATTACHES},
    {NULL,
     {"previous dead"},
     "container-create hostk8s-registry (recreate!?)\n" CREATED("?") PENDING("recreate") ATTACHES},
    {"no-image",
     {"previous"},
     "container-rename id-1 > hostk8s-registry (restore)\n"
     "container-start id-1 (restore+)\n" PENDING("restore") WAITS},
    {"storage-forbidden",
     {"previous running"},
     "container-rename id-1 > hostk8s-registry (restore)\n"
     "container: StorageNotWritable: /srv/a cannot be used (Permission denied); make the directory "
     "writable or change registry.storage\n" WAITS},
    {NULL,
     {"main paused {'Name': '/" PREVIOUS "'}"},
     "container-rename id-1 > hostk8s-registry (restore)\n"
     "container-unpause id-1 (unpause+)\n" PENDING("restore") WAITS},
    {"rejected",
     {"previous running"},
     "container-rename id-1 > hostk8s-registry (restore)\n"
     "container: PortInUse: it was tried\n" WAITS},

    // It was renamed: one that is up comes first.
    {NULL,
     {"main exited {'Name': '/a'}", "main {'Name': '/b'}"},
     "container-rename id-2 > hostk8s-registry (rename)\n" PENDING("rename") WAITS},
    {NULL,
     {"main exited {'Name': '/a', " LOST_NETWORK "}", "main exited {'Name': '/b'}"},
     "container-rename id-1 > hostk8s-registry (rename)\n"
     "network-disconnect id-1 > kind (attach)\n"
     "container-start id-1 (rename+)\n" PENDING("rename") ATTACHES},
    {NULL,
     {"main dead {'Name': '/a'}"},
     "container-create hostk8s-registry (create)\n" CREATED("") PENDING("create") ATTACHES},
    {NULL,
     {"main {'Name': '/a', " ELSEWHERE "}"},
     "container-create hostk8s-registry (create)\n" CREATED("") PENDING("create") ATTACHES},
};

static const struct container_case beside[] = {
    {NULL, {"main {'Name': '/a'}", "main"}, REMOVE("id-1", "a")},
    {"unasked", {"main {'Name': '/a'}", "main running 19"}, ""},
    {NULL, {"main removing {'Name': '/a'}", "main"}, ""},
    {NULL,
     {"main {'Name': '/a'}", "main exited"},
     "container-stop id-1 (stop)\n"
     "container-start id-2 (start+)\n" PENDING("stop") WAITS},
    {NULL, {"main {'Name': '/a', " ELSEWHERE "}", "main"}, ""},
    {NULL,
     {"main {'Name': '/a', 'Config': {'Env': ['REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/data']}}",
      "main"},
     ""},
};

static const struct container_case removal[] = {
    {"removal",
     {"previous", "main", "foreign"},
     "network-disconnect id-2 > kind (detach!)\n"
     "container-stop id-2 (remove!)\n"
     "container-remove id-2 (remove!+) hostk8s-registry: present -> absent\n"
     "network-disconnect id-1 > kind (detach!)\n"
     "container-remove id-1 (remove!) " PREVIOUS
     ": present -> absent\n" PENDING("remove") "network: Converging: detach is pending\n"},
    {"removal", {NULL}, ""},
    {"removal",
     {"main " UNLABELLED},
     "container: Converged: hostk8s-registry is left alone: it was not made by this program\n"},
    {"removal", {"main removing"}, "container: Converging: hostk8s-registry is being removed\n"},
    {"removal", {"main {'Name': '/a', " ELSEWHERE "}"}, ""},
    {"removal", {"previous " IMAGES_INSIDE}, ""},
};

static void recreates_go_on(void **unused)
{
    (void)unused;
    container_cases_check(recreating, ELEMENTS(recreating));
}

static void names_are_given_back(void **unused)
{
    (void)unused;
    container_cases_check(absent, ELEMENTS(absent));
}

static void no_two_run_at_a_time(void **unused)
{
    (void)unused;
    container_cases_check(beside, ELEMENTS(beside));
}

static void own_ones_are_removed(void **unused)
{
    (void)unused;
    container_cases_check(removal, ELEMENTS(removal));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recreates_go_on),
        cmocka_unit_test(names_are_given_back),
        cmocka_unit_test(no_two_run_at_a_time),
        cmocka_unit_test(own_ones_are_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
