#include "lib/kube/kubeconfig.h"

#include "lib/base/file.h"
#include "lib/base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FIXTURES TEST_DATA "/unit/kube/fixtures/"
#define FIXTURE_BYTES_MAX (1024u * 1024u)

#define _cleanup_credentials_ _cleanup_(kube_credentials_done)

static char *fixture(const char *name, size_t *ret_length)
{
    _cleanup_free_ char *path = str_printf(FIXTURES "%s", name);
    char *text = NULL;
    assert_int_equal(file_read(path, FIXTURE_BYTES_MAX, FILE_REGULAR, &text, ret_length, NULL), 0);
    return text;
}

// The name may be NULL: there must be none.
static void assert_text(const char *text, const char *fixture_name)
{
    size_t length = 0;
    _cleanup_free_ char *expected = fixture_name == NULL ? NULL : fixture(fixture_name, &length);
    assert_true(str_equal(text, expected));
}

struct expected {
    const char *context;
    const char *server;
    const char *ca; // fixture
    const char *cert;
    const char *key;
    const char *token;
    const char *tls_server_name;
};

static void test_contexts(_unused_ void **state)
{
#define CLIENT "pki/client.crt", "pki/client.key"
    static const struct expected table[] = {
        {"kind-a", "https://127.0.0.1:41001", "pki/ca-a.crt", CLIENT, NULL, NULL},
        {"kind-b", "https://127.0.0.1:41002", "pki/ca-b.crt", CLIENT, NULL, "kind-b-control-plane"},
        {NULL, "https://127.0.0.1:41002", "pki/ca-b.crt", CLIENT, NULL, "kind-b-control-plane"},
        {"files", "https://[::1]:6443", "pki/ca-a.crt", CLIENT, "file-token", NULL},
        {"token", "https://127.0.0.1:41001", "pki/ca-a.crt", NULL, NULL, "abc.DEF-123_~+/=", NULL},
        {"nobody", "https://127.0.0.1:41001", "pki/ca-a.crt", NULL, NULL, NULL, NULL},
    };
    size_t length = 0;
    _cleanup_free_ char *text = fixture("multi.conf", &length);
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        const struct expected *expected = &table[i];
        _cleanup_credentials_ struct kube_credentials credentials = {0};
        assert_int_equal(kubeconfig_parse(text, length, FIXTURES "multi.conf", expected->context,
                                          &credentials, NULL),
                         0);
        assert_string_equal(credentials.server, expected->server);
        assert_text(credentials.ca_pem, expected->ca);
        assert_text(credentials.cert_pem, expected->cert);
        assert_text(credentials.key_pem, expected->key);
        assert_true(str_equal(credentials.token, expected->token));
        assert_true(str_equal(credentials.tls_server_name, expected->tls_server_name));
    }
    _cleanup_free_ char *admin = fixture("admin.conf", &length);
    _cleanup_credentials_ struct kube_credentials credentials = {0};
    assert_int_equal(kubeconfig_parse(admin, length, NULL, NULL, &credentials, NULL), 0);
    assert_string_equal(credentials.server, "https://hostk8s-control-plane:6443");
    assert_text(credentials.ca_pem, "admin-ca.crt");
    assert_text(credentials.cert_pem, "admin-client.crt");
    assert_true(str_ends_with(credentials.key_pem, "-----END EC PRIVATE KEY-----\n"));
    assert_true(credentials.token == NULL && credentials.tls_server_name == NULL);
}

static void refuses(const char *text, const char *file, const char *context, const char *expected)
{
    struct kube_credentials credentials = {0};
    struct error err = {0};
    int r = kubeconfig_parse(text, strlen(text), file, context, &credentials, &err);
    bool missing = strstr(expected, "no context") != NULL || strstr(expected, "not set") != NULL;
    assert_string_equal(err.text, expected);
    assert_int_equal(r, missing ? -ENOENT : -EINVAL);
    assert_int_equal(err.kind, ERROR_PERMANENT);
    assert_true(credentials.server == NULL && credentials.key_pem == NULL);
}

static void test_refuses_in_file(_unused_ void **state)
{
    static const struct {
        const char *file;
        const char *context;
        const char *text;
    } table[] = {
        {"/home/dev/.kube/config", "cloud",
         "/home/dev/.kube/config:50:11: users[cloud].user.exec: running a program for credentials "
         "is not supported; use client-certificate-data and client-key-data, or token"},
        {"config", "kind-c", "config: there is no context kind-c"},
        {NULL, "files",
         "kubeconfig:26:28: clusters[files].cluster.certificate-authority: a file cannot be read "
         "from here; use the -data entry itself"},
        {"/nonexistent/config", "files",
         "/nonexistent/config:26:28: clusters[files].cluster.certificate-authority: that file "
         "cannot be read: No such file or directory"},
        // Relative to the working directory when the file's own name has no directory.
        {"config", "files",
         "config:26:28: clusters[files].cluster.certificate-authority: that file cannot be read: "
         "No such file or directory"},
    };
    size_t length = 0;
    _cleanup_free_ char *text = fixture("multi.conf", &length);
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        refuses(text, table[i].file, table[i].context, table[i].text);
    }
}

// A file of one context whose cluster and user are the flow mappings given.
static void refuses_fields(const char *cluster, const char *user, const char *expected)
{
    _cleanup_free_ char *text = str_printf("current-context: c\n"
                                           "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
                                           "clusters: [{name: k, cluster:\n"
                                           "  %s}]\n"
                                           "users: [{name: u, user:\n"
                                           "  %s}]\n",
                                           cluster, user);
    refuses(text, "f", NULL, expected);
}

#define SERVER "{server: 'https://h:1'}"
#define PEM "LS0tLS1CRUdJTiBYLS0tLS0K" // "-----BEGIN X-----\n"

static void test_refuses_cluster(_unused_ void **state)
{
    static const char *const servers[] = {
        "127.0.0.1:6443", "https://",      "https:///",      "https:///path", "ftp://h",
        "https://u:pw@h", "https://h?a=b", "https://h#frag", "https://h h",   "https://h/path",
        "https://h:",     "https://h:x",   "https://h:1:2",  "https://::1",   "https://[::1",
        "https://[]x",    "https://[h]",   "https://[::1]x",
    };
    static const char *const skips[] = {"true", "True", "yes", "'false'", "[true]"};
    static const char *const table[][2] = {
        {"{server: null}", "3: clusters[k].cluster.server: is missing"},
        {"text", "3: clusters[k].cluster.server: is missing"},
        {"{server: [a]}", "12: clusters[k].cluster.server: expected a single value, not a list"},
        {"{server: 'http://127.0.0.1:8080'}",
         "12: clusters[k].cluster.server: an http:// server is refused; use https://"},
        {"{server: 'https://h:1', proxy-url: 'http://u:pw@proxy'}",
         "38: clusters[k].cluster.proxy-url: proxies are not supported; use a server address that "
         "is reached directly"},
        {"{server: 'https://h:1', tls-server-name: 'a b'}",
         "44: clusters[k].cluster.tls-server-name: expected a host name or an address"},
        {"{server: 'https://h:1', certificate-authority-data: 'LS0t!'}",
         "55: clusters[k].cluster.certificate-authority-data: is not valid base64"},
        {"{server: 'https://h:1', certificate-authority-data: AAAA}",
         "55: clusters[k].cluster.certificate-authority-data: has a NUL character"},
        {"{server: 'https://h:1', certificate-authority-data: Zm9v}",
         "55: clusters[k].cluster.certificate-authority-data: is no PEM text: it lacks the line "
         "-----BEGIN ..."},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_free_ char *expected = str_printf("f:4:%s", table[i][1]);
        refuses_fields(table[i][0], "{}", expected);
    }
    for (size_t i = 0; i < ELEMENTS(servers); i++) {
        _cleanup_free_ char *cluster = str_printf("{server: '%s'}", servers[i]);
        refuses_fields(cluster, "{}",
                       "f:4:12: clusters[k].cluster.server: expected https://HOST[:PORT]");
    }
    for (size_t i = 0; i < ELEMENTS(skips); i++) {
        _cleanup_free_ char *cluster =
            str_printf("{server: 'https://h:1', insecure-skip-tls-verify: %s}", skips[i]);
        refuses_fields(cluster, "{}",
                       "f:4:53: clusters[k].cluster.insecure-skip-tls-verify: an unverified server "
                       "is refused; use certificate-authority-data");
    }
}

static void test_refuses_user(_unused_ void **state)
{
#define USE "; use client-certificate-data and client-key-data, or token"
#define NO_BASIC "basic authentication is not supported" USE
#define NO_OTHER "impersonation is not supported; use that user's own credentials"
    static const char *const table[][2] = {
        {"{client-key-data: c2VjcmV0}", "21: users[u].user.client-key-data: is no PEM text: it "
                                        "lacks the line -----BEGIN ..."},
        {"{client-key-data: 'secret!'}", "21: users[u].user.client-key-data: is not valid base64"},
        {"{client-key-data: " PEM "}", "3: users[u].user.client-certificate-data: is missing: a "
                                       "certificate and its key come together"},
        {"{client-certificate-data: " PEM "}", "3: users[u].user.client-key-data: is missing: a "
                                               "certificate and its key come together"},
        {"{token: [secret]}", "11: users[u].user.token: expected a single value, not a list"},
        {"{token: \"secret\\r\\nX: y\"}",
         "11: users[u].user.token: has a character that no token has"},
        {"{token: ' '}", "11: users[u].user.token: is empty or too long"},
        {"{client-key: secret}", "16: users[u].user.client-key: that file cannot be read: No such "
                                 "file or directory"},
        {"{auth-provider: {name: gcp}}",
         "19: users[u].user.auth-provider: auth providers are not supported" USE},
        {"{username: secret}", "14: users[u].user.username: " NO_BASIC},
        {"{password: secret}", "14: users[u].user.password: " NO_BASIC},
        {"{as: root}", "8: users[u].user.as: " NO_OTHER},
        {"{as-uid: root}", "12: users[u].user.as-uid: " NO_OTHER},
        {"{as-groups: [root]}", "15: users[u].user.as-groups: " NO_OTHER},
        {"{as-user-extra: {a: [b]}}", "19: users[u].user.as-user-extra: " NO_OTHER},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_free_ char *expected = str_printf("f:6:%s", table[i][1]);
        refuses_fields(SERVER, table[i][0], expected);
    }
}

static void test_refuses_shape(_unused_ void **state)
{
    static const char *const table[][2] = {
        {"contexts: {}", "f: there is no context c"},
        {"contexts: [a, {name: [c]}, {name: c}]", "f: there is no context c"},
        {"contexts: [{name: c, context: {user: u}}]",
         "f:1:31: contexts[c].context.cluster: is missing"},
        {"contexts: [{name: c, context: {cluster: k}}]",
         "f:1:41: contexts[c].context.cluster: clusters has no entry k"},
        {"contexts: [{name: c, context: {cluster: k, user: u}}]\n"
         "clusters: [{name: k, cluster: " SERVER "}]\n",
         "f:1:50: contexts[c].context.user: users has no entry u"},
        {"contexts: [{name: c, context: {cluster: {a: b}}}]",
         "f:1:41: contexts[c].context.cluster: expected a single value, not a mapping"},
        // What the YAML reader refuses carries the file's name.
        {"users: &a []\n", "f:1:8: users: anchors (&) are not supported here"},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        refuses(table[i][0], "f", "c", table[i][1]);
    }
    refuses("", "f", NULL, "f: current-context is not set");
    refuses("[]", "f", NULL, "f: current-context is not set");
    refuses("current-context: ''", NULL, NULL, "kubeconfig: current-context is not set");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contexts),        cmocka_unit_test(test_refuses_in_file),
        cmocka_unit_test(test_refuses_cluster), cmocka_unit_test(test_refuses_user),
        cmocka_unit_test(test_refuses_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
