// The UI's pods.
#include "lib/base/str.h"
#include "lib/config/address.h"
#include "lib/desired/desired.h"
#include "lib/desired/objects_internal.h"

#include <errno.h>
#include <string.h>

#define UI_CONTAINER "ui"
// A started UI answers, or its process ends: it is asked each second until it does, and then no
// more.
#define PROBE_PERIOD_S 1
#define PROBE_FAILURES_MAX 60
// More are refused by the registry from 2.8.2 on, and 1.x of the UI asks for 100,000 by default.
// https://github.com/Joxit/docker-registry-ui/issues/306
#define CATALOG_ELEMENTS_MAX "1000"

json_t *desired_labels(const char *app)
{
    return json_pack("{s:s, s:s, s:s}", WORLD_LABEL_MANAGED_BY, WORLD_MANAGED_BY,
                     DESIRED_LABEL_NAME, app, "app.kubernetes.io/part-of", DESIRED_PART_OF);
}

char *desired_public_host(const struct config_registry *registry)
{
    static const char *const local[] = {"0.0.0.0", "::", "::1"};
    const char *address = registry->listen_address;
    bool is_local = str_starts_with(address, "127.");
    for (size_t i = 0; i < ELEMENTS(local); i++) {
        is_local = is_local || str_equal(address, local[i]);
    }
    if (is_local) {
        return str_printf("localhost:%u", registry->listen_port);
    }
    return str_printf("%s:%u", address_bracketed(address).text, registry->listen_port);
}

// Joxit's UI: 1.x reads URL in the browser and REGISTRY_URL as the target of its own proxy, which
// no request meets here; 2.x reads REGISTRY_URL in the browser. Neither may end in /v2.
// https://github.com/Joxit/docker-registry-ui#available-options
static int ui_environment(const struct config *config, json_t **ret)
{
    _cleanup_free_ char *pull = desired_public_host(&config->registry);
    if (pull == NULL) {
        return -ENOMEM;
    }
    const struct config_ui *ui = &config->ui;
    const struct {
        const char *name;
        const char *value;
    } declared[] = {
        {"CATALOG_ELEMENTS_LIMIT", CATALOG_ELEMENTS_MAX},
        {"DELETE_IMAGES", config->registry.delete_enabled ? "true" : "false"},
        {"ENABLE_VERSION_NOTIFICATION", "false"},
        {"PULL_URL", pull},
        {"REGISTRY_TITLE", ui->title},
        {"REGISTRY_URL", ui->url},
        {"SINGLE_REGISTRY", "true"},
        {"URL", ui->url},
    };
    _cleanup_(strmap_done) struct strmap environment = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ELEMENTS(declared); i++) {
        r = strmap_set(&environment, declared[i].name, declared[i].value);
    }
    if (r == 0) {
        r = strmap_merge(&environment, &ui->environment);
    }
    if (r < 0) {
        return r;
    }
    json_auto_t *list = json_array();
    strmap_foreach (&environment, entry) {
        if (json_array_append_new(
                list, json_pack("{s:s, s:s}", "name", entry->key, "value", entry->value)) < 0) {
            return -ENOMEM;
        }
    }
    *ret = TAKE_PTR(list);
    return 0;
}

int desired_deployment_body(const struct config *config, json_t **ret)
{
    json_auto_t *environment = NULL;
    int r = ui_environment(config, &environment);
    if (r < 0) {
        return r;
    }
    json_auto_t *container = json_pack(
        "{s:s, s:s, s:s, s:[], s:[], s:O, s:[{s:s, s:i, s:s}], s:{s:{s:s, s:i, s:s}, s:i, s:i}, "
        "s:{s:{s:s, s:s}}}",
        "name", UI_CONTAINER, "image", config->ui.image, "imagePullPolicy", "IfNotPresent",
        "command", "args", "env", environment, "ports", "name", DESIRED_PORT_NAME, "containerPort",
        DESIRED_UI_PORT, "protocol", "TCP", "startupProbe", "httpGet", "path", "/", "port",
        DESIRED_UI_PORT, "scheme", "HTTP", "periodSeconds", PROBE_PERIOD_S, "failureThreshold",
        PROBE_FAILURES_MAX, "resources", "requests", "cpu", "10m", "memory", "32Mi");
    json_auto_t *labels = desired_labels(DESIRED_UI_NAME);
    if (container == NULL || labels == NULL) {
        return -ENOMEM;
    }
    *ret = json_pack("{s:{s:I, s:b, s:{s:{s:s}}, s:{s:{s:O}, s:{s:b, s:b, s:[O]}}}}", "spec",
                     "replicas", (json_int_t)config->ui.replicas, "paused", 0, "selector",
                     "matchLabels", DESIRED_LABEL_NAME, DESIRED_UI_NAME, "template", "metadata",
                     "labels", labels, "spec", "automountServiceAccountToken", 0,
                     "enableServiceLinks", 0, "containers", container);
    return *ret == NULL ? -ENOMEM : 0;
}
