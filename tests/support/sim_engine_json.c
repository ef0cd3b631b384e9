// What the simulated engine says of a container: of a real answer (tests/fixtures/engine) only what
// the program reads, for brevity.
#include "lib/base/str.h"
#include "lib/world/engine.h"
#include "tests/support/sim_engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define API_PORT 6443

static json_t *at(const struct sim_container *container, const char *key)
{
    return json_object_get(container->spec, key);
}

static json_t *host_config(const struct sim_container *container, const char *key)
{
    return json_object_get(at(container, "HostConfig"), key);
}

json_t *sim_container_listed(const struct sim_container *container)
{
    json_t *ports = json_array();
    if (container->api_port != 0 && sim_container_is_up(container)) {
        json_array_append_new(ports, json_pack("{s:s, s:i, s:i, s:s}", "IP", "127.0.0.1",
                                               "PrivatePort", API_PORT, "PublicPort",
                                               container->api_port, "Type", "tcp"));
    }
    return json_pack("{s:s, s:[o], s:O?, s:s, s:o}", "Id", container->id, "Names",
                     json_sprintf("/%s", container->name), "Labels", at(container, "Labels"),
                     "State", container->state, "Ports", ports);
}

static json_t *networks(const struct sim_container *container)
{
    if (container->network_id == NULL) {
        return json_object();
    }
    char address[sizeof("172.18.0.") + 10] = "";
    if (container->address != 0) {
        (void)snprintf(address, sizeof(address), "172.18.0.%u", container->address);
    }
    return json_pack("{s:{s:s, s:s, s:[s]}}", SIM_NETWORK, "NetworkID", container->network_id,
                     "IPAddress", address, "Aliases", container->alias);
}

static json_t *mounts(const struct sim_container *container)
{
    json_t *list = json_array();
    size_t i = 0;
    json_t *bind = NULL;
    json_array_foreach (host_config(container, "Binds"), i, bind) {
        const char *text = json_string_value(bind);
        size_t length = strcspn(text, ":");
        json_array_append_new(list, json_pack("{s:s, s:s%, s:s}", "Type", "bind", "Source", text,
                                              length, "Destination", text + length + 1));
    }
    return list;
}

json_t *sim_container_inspected(const struct sim_container *container)
{
    char started[] = "0001-01-01T00:00:00Z";
    if (container->started_s > 0) {
        struct tm tm;
        time_t time = (time_t)container->started_s;
        (void)strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&time, &tm));
    }
    json_t *inspected = json_pack(
        "{s:s, s:o, s:s, s:{s:s, s:i, s:s, s:s}, s:{s:O, s:O?, s:O?}, s:{s:O?, s:O?}, s:o, "
        "s:{s:o}}",
        "Id", container->id, "Name", json_sprintf("/%s", container->name), "Image", "sha256:1",
        "State", "Status", container->state, "ExitCode", container->exit_code, "Error",
        container->error, "StartedAt", started, "Config", "Image", at(container, "Image"), "Env",
        at(container, "Env"), "Labels", at(container, "Labels"), "HostConfig", "PortBindings",
        host_config(container, "PortBindings"), "RestartPolicy",
        host_config(container, "RestartPolicy"), "Mounts", mounts(container), "NetworkSettings",
        "Networks", networks(container));
    assert_non_null(inspected);
    return inspected;
}
