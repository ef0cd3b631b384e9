// A kubeconfig as a node brings it: an admin.conf. Nothing that it says is run or read from a file
// of this machine, TLS is never weakened, and only the published port is connected to.
#include "lib/kube/kubeconfig.h"

#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "tests/fuzz/play.h"

#include <errno.h>
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

// The value of the list's item of this name; NULL when there is none.
static const struct yaml_node *named(const struct yaml_node *root, const char *list,
                                     const char *name, const char *key)
{
    const struct yaml_node *items = yaml_get(root, list);
    for (size_t i = 0; items != NULL && i < items->count; i++) {
        if (str_equal(yaml_get_text(&items->entries[i].value, "name"), name)) {
            return yaml_get(&items->entries[i].value, key);
        }
    }
    return NULL;
}

static void must_be_unset(const struct yaml_node *node)
{
    MUST(node == NULL || yaml_is_null(node) ||
         (node->kind == YAML_KIND_SCALAR ? node->text[0] == '\0' : node->count == 0));
}

// What was accepted has none of what is to be refused.
static void check_refusals(const char *text, size_t size)
{
    static const char *const refused[] = {"exec", "auth-provider",      "username", "password",
                                          "as",   "client-certificate", "tokenFile"};
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    MUST(yaml_read(text, size, &root, NULL) == 0);
    const struct yaml_node *context =
        named(root, "contexts", yaml_get_text(root, "current-context"), "context");
    const char *user_name = yaml_get_text(context, "user");
    const char *cluster_name = yaml_get_text(context, "cluster");
    const struct yaml_node *user =
        str_empty(user_name) ? NULL : named(root, "users", user_name, "user");
    const struct yaml_node *cluster = named(root, "clusters", cluster_name, "cluster");
    for (size_t i = 0; i < ELEMENTS(refused); i++) {
        must_be_unset(yaml_get(user, refused[i]));
    }
    must_be_unset(yaml_get(cluster, "proxy-url"));
    const char *insecure = yaml_get_text(cluster, "insecure-skip-tls-verify");
    MUST(str_empty(insecure) || str_equal(insecure, "false"));
}

// With this admin.conf the API is asked at the published port, as the host that it names.
static void check_endpoint(const char *text, size_t size,
                           const struct kube_credentials *credentials)
{
    struct play play;
    char list[] = "\n%%\n200\n\n{}";
    _cleanup_buf_ struct buf input = BUF_INIT(2 * YAML_BYTES_MAX);
    MUST(buf_append_str(&input, "\n%%\ntar\n\n== admin.conf\n") == 0);
    MUST(buf_append(&input, text, size) == 0);
    MUST(buf_append_str(&input, list) == 0);
    MUST(play_begin(&play, (const uint8_t *)input.data, input.length));
    play_meet_engine(&play);
    play_answers(&play);
    (void)play_observe(&play, "cluster/" PLAY_CLUSTER);
    if (fake_transport_endpoint_count(play.fake) > 1) {
        const struct fake_endpoint *endpoint = fake_transport_endpoint(play.fake, 1);
        MUST(str_equal(endpoint->base, "https://127.0.0.1:41001"));
        MUST(endpoint->unix_socket == NULL);
        MUST(!str_empty(endpoint->tls_server_name));
        MUST(strpbrk(endpoint->tls_server_name, " \t\r\n/@?#\\") == NULL);
        MUST(str_equal(endpoint->ca_pem, credentials->ca_pem));
        MUST(str_equal(endpoint->cert_pem, credentials->cert_pem));
        MUST(str_equal(endpoint->bearer_token, credentials->token));
    }
    play_end(&play);
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
    check_refusals(text, size);
    check_endpoint(text, size, &credentials);
    kube_credentials_done(&credentials);
    return 0;
}
