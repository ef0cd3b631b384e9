// Credentials from a kubeconfig file.
// https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
#pragma once

#include "lib/base/error.h"

#include <stddef.h>

// PEM texts in memory. All zero is empty.
struct kube_credentials {
    char *server; // https://HOST[:PORT], IPv6 in brackets, no trailing slash
    char *ca_pem;
    char *cert_pem;
    char *key_pem;
    char *token;
    char *tls_server_name;
};

// Reads the context of this name, current-context for NULL. What would run a program (exec,
// auth-provider) or weaken TLS (insecure-skip-tls-verify, http://) is refused, with an error that
// names the entry and what to use instead. Relative paths of *-file entries are relative to `file`
// and only read when file is not NULL (an admin.conf from a node has none). Returns 0 with *ret
// owned by the caller, -ENOENT when there is no such context, or -EINVAL.
int kubeconfig_parse(const char *text, size_t length, const char *file, const char *context,
                     struct kube_credentials *ret, struct error *err);

// Wipes and frees.
void kube_credentials_done(struct kube_credentials *credentials);
