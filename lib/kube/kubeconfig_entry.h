// One entry of a kubeconfig file (a cluster, a user, a context) and how its fields become
// credentials; private to kubeconfig*.c.
#pragma once

#include "lib/doc/yaml.h"
#include "lib/kube/kubeconfig.h"

// A named entry's mapping: `users[kind-a].user` is {"users", "kind-a", "user", …}.
struct kubeconfig_entry {
    const char *file; // for error texts; NULL when the text is from no file
    const char *list;
    const char *name;
    const char *key;
    const struct yaml_node *node; // NULL for a user that the context does not name
};

// What a field must not say, with the way out. The value is never named: it may be a password.
struct kubeconfig_refusal {
    const char *key;
    const char *allowed; // the plain value that is fine, NULL: none
    const char *reason;
};

enum kubeconfig_form {
    SOURCE_BASE64,
    SOURCE_TEXT,
    SOURCE_FILE,
};

enum kubeconfig_content {
    CONTENT_PEM,
    CONTENT_TOKEN,
};

// Where a credential comes from. Of two sources for one credential the first in the table wins, as
// in kubectl.
struct kubeconfig_source {
    const char *key;
    enum kubeconfig_form form;
    enum kubeconfig_content content;
    size_t target; // offset in struct kube_credentials
};

// Fails at a field with "FILE:LINE:COLUMN: users[NAME].user.KEY: reason". Returns -code.
int kubeconfig_refuse(const struct kubeconfig_entry *entry, const char *key,
                      const struct yaml_node *at, int code, struct error *err, const char *format,
                      ...) _printf_(6, 7);

// Gives the value of key, NULL for what is missing, null or empty, and its node; both borrowed from
// the tree. Returns 0, or -EINVAL for a mapping or list.
int kubeconfig_get_text(const struct kubeconfig_entry *entry, const char *key,
                        const char **ret_text, const struct yaml_node **ret_node,
                        struct error *err);

// Returns 0, or -EOPNOTSUPP for the first of the fields that is there.
int kubeconfig_check_refusals(const struct kubeconfig_entry *entry,
                              const struct kubeconfig_refusal *refusals, size_t count,
                              struct error *err);

// Sets the credentials that the sources give. After an error some may be set.
int kubeconfig_load_sources(const struct kubeconfig_entry *entry,
                            const struct kubeconfig_source *sources, size_t count,
                            struct kube_credentials *credentials, struct error *err);

// Wipes and frees. NULL is fine.
void kubeconfig_wipe(char *s);
DEFINE_CLEANUP(char *, kubeconfig_wipe)
