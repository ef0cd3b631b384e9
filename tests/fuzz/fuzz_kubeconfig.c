// A kubeconfig as a node brings it: an admin.conf. What is accepted fits a request.
#include "lib/kube/kubeconfig.h"

#include "lib/base/str.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define PEM_MARK "-----BEGIN "

static void check_pem(const char *pem)
{
    MUST(pem == NULL || strstr(pem, PEM_MARK) != NULL);
}

// It becomes a header of a request.
static void check_token(const char *token)
{
    for (; token != NULL && *token != '\0'; token++) {
        MUST(*token > ' ' && *token <= '~');
    }
}

static void check_credentials(const struct kube_credentials *credentials)
{
    MUST(str_starts_with(credentials->server, "https://"));
    MUST(!str_ends_with(credentials->server, "/"));
    MUST(strpbrk(credentials->server, " \t\r\n@?#\\") == NULL);
    check_pem(credentials->ca_pem);
    check_pem(credentials->cert_pem);
    check_pem(credentials->key_pem);
    check_token(credentials->token);
    MUST((credentials->cert_pem == NULL) == (credentials->key_pem == NULL));
    MUST(credentials->tls_server_name == NULL ||
         strpbrk(credentials->tls_server_name, " \t\r\n/@?#\\") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct kube_credentials credentials = {0};
    struct error err = {0};
    int r = kubeconfig_parse(text, size, NULL, NULL, &credentials, &err);
    MUST(r <= 0);
    if (r < 0) {
        MUST(r == -err.code && err.kind == ERROR_PERMANENT);
        must_explain(&err);
        return 0;
    }
    check_credentials(&credentials);
    kube_credentials_done(&credentials);
    return 0;
}
