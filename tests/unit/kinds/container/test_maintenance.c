// gc's container: what a plan does while it is there, and what it is made of.
#include "lib/base/str.h"
#include "lib/kinds/container/maintenance.h"
#include "tests/support/container_case.h"
#include "tests/support/json_text.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define GC(state, age)                                                                             \
    "hostk8s-registry-gc " state " " age                                                           \
    " {'Config': {'Labels': {'io.hostk8s.registryd.owner': 'hostk8s-registry', "                   \
    "'io.hostk8s.registryd.maintenance': 'gc'}}}"
#define SENTENCE                                                                                   \
    "Maintenance: gc is at work in container hostk8s-registry-gc; the registry is back when that " \
    "has ended\n"
#define MAINTENANCE "container: " SENTENCE "network: " SENTENCE
#define REMOVE "container-remove id-2 (remove!) hostk8s-registry-gc: present -> absent\n"
#define TAKEN_UP REMOVE "container-start id-1 (start+)\n" PENDING("remove") WAITS

static const struct container_case cases[] = {
    // It is at work, or about to begin, or gc is about to remove it.
    {NULL, {"main exited", GC("running", "3600")}, MAINTENANCE},
    {NULL, {"main exited", GC("paused", "3600")}, MAINTENANCE},
    {NULL, {"main exited", GC("removing", "3600")}, MAINTENANCE},
    {NULL, {"main", GC("created", "59")}, MAINTENANCE},
    {NULL, {"main exited", GC("exited", "59")}, MAINTENANCE},
    {NULL, {"outdated", GC("running", "1")}, MAINTENANCE},
    {"silent storage-missing", {"main", GC("running", "1")}, MAINTENANCE},
    {NULL, {GC("running", "1")}, MAINTENANCE},
    {"removal", {"main exited", GC("running", "1")}, MAINTENANCE},

    // It was left behind.
    {NULL, {"main exited", GC("created", "60")}, TAKEN_UP},
    {NULL, {"main exited", GC("exited", "60")}, TAKEN_UP},
    {NULL, {"main exited", GC("dead", "60")}, TAKEN_UP},
    {NULL, {"main exited", GC("exited", "-60")}, TAKEN_UP},
    {NULL, {"main", GC("exited", "60")}, REMOVE PENDING("remove")},
    {"removal",
     {"main exited", GC("exited", "60")},
     REMOVE "network-disconnect id-1 > kind (detach!)\n"
            "container-remove id-1 (remove!) hostk8s-registry: present -> absent\n" PENDING(
                "remove") "network: Converging: detach is pending\n"},

    // It is another's.
    {NULL,
     {"main", "hostk8s-registry-gc running 1 {'Mounts': [{'Destination': '/var/lib/registry', "
              "'Source': '/srv/b'}], 'HostConfig': {'Binds': ['/srv/b:/var/lib/registry']}, "
              "'Config': {'Labels': {'io.hostk8s.registryd.maintenance': 'gc'}}}"},
     ""},
};

static void plans(void **unused)
{
    (void)unused;
    container_cases_check(cases, ELEMENTS(cases));
}

#define SCRIPT "xargs rm -rf </registryd-removals && exec \"$@\""

static void bodies(void **unused)
{
    (void)unused;
    static const struct {
        const char *registry; // of its inspect
        const char *entrypoint;
        const char *command;
    } table[] = {
        {"'Entrypoint': ['/entrypoint.sh'], 'Cmd': ['/etc/distribution/config.yml']",
         "/entrypoint.sh", "'garbage-collect', '/etc/distribution/config.yml'"},
        {"'Entrypoint': ['/bin/registry'], 'Cmd': ['serve', '/etc/docker/registry/config.yml']",
         "/bin/registry", "'garbage-collect', '/etc/docker/registry/config.yml'"},
        {"'Entrypoint': null, 'Cmd': ['serve']", "registry", "'garbage-collect'"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_(config_freep) struct config *config = sample_config();
        struct container_specs specs;
        container_specs_make(config, &specs);
        _cleanup_free_ char *text =
            str_printf("{'Image': 'sha256:1', 'Config': {%s}}", table[i].registry);
        _cleanup_free_ char *desired = str_printf("['-c', '%s', 'sh', '%s', %s]", "SCRIPT",
                                                  table[i].entrypoint, table[i].command);
        json_auto_t *registry = json_of(text);
        json_auto_t *command = json_of(desired);
        json_array_set_new(command, 1, json_string(SCRIPT));
        json_auto_t *body =
            maintenance_body(&specs.items[0], registry, "/var/lib/registry/docker", "gc");
        json_auto_t *plain = container_spec_body(&specs.items[0]);
        assert_true(json_equal(json_object_get(body, "Cmd"), command));
        json_auto_t *sh = json_pack("[s]", "sh");
        assert_true(json_equal(json_object_get(body, "Entrypoint"), sh));
        assert_string_equal(json_string_value(json_object_get(body, "Image")), "sha256:1");
        assert_string_equal(json_string_value(json_object_get(body, "WorkingDir")),
                            "/var/lib/registry/docker");
        assert_true(json_equal(json_object_get(body, "Env"), json_object_get(plain, "Env")));
        // The storage alone: no port, and it is started once.
        const json_t *host = json_object_get(body, "HostConfig");
        assert_true(json_equal(json_object_get(host, "Binds"),
                               json_object_get(json_object_get(plain, "HostConfig"), "Binds")));
        assert_null(json_object_get(host, "PortBindings"));
        assert_null(json_object_get(host, "RestartPolicy"));
        container_specs_done(&specs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans),
        cmocka_unit_test(bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
