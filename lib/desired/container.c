// The registry container as it is declared, and as the engine is asked for it.
#include "lib/desired/desired.h"

#include "lib/base/str.h"
#include "lib/doc/json_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define SPEC_BYTES_MAX (1024u * 1024u)

static const char delete_variable[] = "REGISTRY_STORAGE_DELETE_ENABLED";

static int fill_environment(const struct config *config, struct strmap *ret)
{
    if (strmap_merge(ret, &config->registry.environment) < 0) {
        return -ENOMEM;
    }
    return strmap_set(ret, delete_variable, config->registry.delete_enabled ? "true" : "false");
}

static int fill_labels(const struct config *config, struct desired_container *container)
{
    _cleanup_buf_ struct buf names = BUF_INIT(SPEC_BYTES_MAX);
    strmap_foreach (&container->environment, entry) {
        int r = buf_printf(&names, "%s%s", names.length > 0 ? "," : "", entry->key);
        if (r < 0) {
            return r;
        }
    }
    int r = strmap_set(&container->labels, WORLD_LABEL_OWNER, config->registry.name);
    return r < 0 ? r : strmap_set(&container->labels, WORLD_LABEL_ENVIRONMENT, buf_str(&names));
}

int desired_container(const struct config *config, struct desired_container *ret)
{
    _cleanup_(desired_container_done) struct desired_container container = {
        .restart_policy = restart_policy_name(config->registry.restart),
        .image = config->registry.image,
        .storage = config->registry.storage,
        .host_address = config->registry.listen_address,
    };
    (void)snprintf(container.host_port, sizeof(container.host_port), "%" PRIu16,
                   config->registry.listen_port);
    int r = fill_environment(config, &container.environment);
    if (r == 0) {
        r = fill_labels(config, &container);
    }
    if (r < 0) {
        return r;
    }
    *ret = TAKE_STRUCT(container);
    return 0;
}

void desired_container_done(struct desired_container *container)
{
    strmap_done(&container->environment);
    strmap_done(&container->labels);
    *container = (struct desired_container){0};
}

static json_t *environment_list(const struct strmap *environment)
{
    json_auto_t *list = json_array();
    strmap_foreach (environment, entry) {
        if (json_array_append_new(list, json_sprintf("%s=%s", entry->key, entry->value)) < 0) {
            return NULL;
        }
    }
    return json_incref(list);
}

static json_t *label_object(const struct strmap *labels)
{
    json_auto_t *object = json_object();
    strmap_foreach (labels, entry) {
        if (json_object_set_new(object, entry->key, json_string(entry->value)) < 0) {
            return NULL;
        }
    }
    return json_incref(object);
}

json_t *desired_container_spec(const struct desired_container *container)
{
    json_t *environment = environment_list(&container->environment);
    json_t *labels = label_object(&container->labels);
    json_t *bind = json_sprintf("%s:%s", container->storage, WORLD_REGISTRY_STORAGE);
    // json_pack takes all three over, also when it fails.
    return json_pack("{s:s, s:o, s:o, s:{s:{}}, s:{s:[o], s:{s:[{s:s, s:s}]}, s:{s:s}}}", "Image",
                     container->image, "Env", environment, "Labels", labels, "ExposedPorts",
                     WORLD_REGISTRY_PORT_KEY, "HostConfig", "Binds", bind, "PortBindings",
                     WORLD_REGISTRY_PORT_KEY, "HostIp", container->host_address, "HostPort",
                     container->host_port, "RestartPolicy", "Name", container->restart_policy);
}

int desired_container_digest(const struct desired_container *container, char **ret)
{
    json_auto_t *spec = desired_container_spec(container);
    _cleanup_buf_ struct buf text = BUF_INIT(SPEC_BYTES_MAX);
    int r = json_print(&text, spec, JSON_COMPACT | JSON_SORT_KEYS);
    char *digest = r < 0 ? NULL : str_printf("%016" PRIx64, str_hash(buf_str(&text)));
    if (digest == NULL) {
        return r < 0 ? r : -ENOMEM;
    }
    *ret = digest;
    return 0;
}
