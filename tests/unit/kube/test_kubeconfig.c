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
    assert_int_equal(file_read(path, FIXTURE_BYTES_MAX, &text, ret_length), 0);
    return text;
}

static void assert_text(const char *text, const char *fixture_name)
{
    size_t length = 0;
    _cleanup_free_ char *expected = fixture(fixture_name, &length);
    assert_non_null(text);
    assert_string_equal(text, expected);
}

static void test_admin_conf(void **state)
{
    (void)state;
    size_t length = 0;
    _cleanup_free_ char *text = fixture("admin.conf", &length);
    _cleanup_credentials_ struct kube_credentials credentials = {0};
    struct error err = {0};
    assert_int_equal(kubeconfig_parse(text, length, NULL, NULL, &credentials, &err), 0);
    assert_string_equal(credentials.server, "https://hostk8s-control-plane:6443");
    assert_text(credentials.ca_pem, "admin-ca.crt");
    assert_text(credentials.cert_pem, "admin-client.crt");
    assert_true(str_starts_with(credentials.key_pem, "-----BEGIN EC PRIVATE KEY-----\n"));
    assert_true(str_ends_with(credentials.key_pem, "-----END EC PRIVATE KEY-----\n"));
    assert_null(credentials.token);
    assert_null(credentials.tls_server_name);
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

static void multi_one(const char *text, size_t length, const struct expected *expected)
{
    _cleanup_credentials_ struct kube_credentials credentials = {0};
    struct error err = {0};
    if (kubeconfig_parse(text, length, FIXTURES "multi.conf", expected->context, &credentials,
                         &err) < 0) {
        fail_msg("%s", err.text);
    }
    const struct {
        const char *text;
        const char *fixture;
    } pems[] = {
        {credentials.ca_pem, expected->ca},
        {credentials.cert_pem, expected->cert},
        {credentials.key_pem, expected->key},
    };
    assert_string_equal(credentials.server, expected->server);
    for (size_t i = 0; i < ELEMENTS(pems); i++) {
        if (pems[i].fixture == NULL) {
            assert_null(pems[i].text);
        } else {
            assert_text(pems[i].text, pems[i].fixture);
        }
    }
    assert_true(str_equal(credentials.token, expected->token));
    assert_true(str_equal(credentials.tls_server_name, expected->tls_server_name));
}

static void test_contexts(void **state)
{
    (void)state;
    const struct expected kind_b = {
        "kind-b", "https://127.0.0.1:41002", "pki/ca-b.crt", "pki/client.crt", "pki/client.key",
        NULL,     "kind-b-control-plane"};
    const struct expected table[] = {
        {"kind-a", "https://127.0.0.1:41001", "pki/ca-a.crt", "pki/client.crt", "pki/client.key",
         NULL, NULL},
        kind_b,
        {"files", "https://[::1]:6443", "pki/ca-a.crt", "pki/client.crt", "pki/client.key",
         "file-token", NULL},
        {"token", "https://127.0.0.1:41001", "pki/ca-a.crt", NULL, NULL, "abc.DEF-123_~+/=", NULL},
        {"nobody", "https://127.0.0.1:41001", "pki/ca-a.crt", NULL, NULL, NULL, NULL},
    };
    size_t length = 0;
    _cleanup_free_ char *text = fixture("multi.conf", &length);
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        multi_one(text, length, &table[i]);
    }
    struct expected current = kind_b;
    current.context = NULL;
    multi_one(text, length, &current);
}

static void refuses_text(const char *text, const char *file, const char *context, int code,
                         const char *expected)
{
    struct kube_credentials credentials = {0};
    struct error err = {0};
    assert_int_equal(kubeconfig_parse(text, strlen(text), file, context, &credentials, &err),
                     -code);
    assert_string_equal(err.text, expected);
    assert_int_equal(err.kind, ERROR_PERMANENT);
    assert_int_equal(err.code, code);
    assert_null(credentials.server);
    assert_null(credentials.key_pem);
    assert_int_equal(kubeconfig_parse(text, strlen(text), file, context, &credentials, NULL),
                     -code);
}

static void test_refuses_in_file(void **state)
{
    (void)state;
    size_t length = 0;
    _cleanup_free_ char *text = fixture("multi.conf", &length);
    refuses_text(text, "/home/dev/.kube/config", "cloud", EOPNOTSUPP,
                 "/home/dev/.kube/config:50:11: users[cloud].user.exec: running a program for "
                 "credentials is not supported; use client-certificate-data and client-key-data, "
                 "or token");
    refuses_text(text, "config", "kind-c", ENOENT, "config: there is no context kind-c");
    refuses_text(
        text, NULL, "files", EOPNOTSUPP,
        "kubeconfig:26:28: clusters[files].cluster.certificate-authority: a file cannot be "
        "read from here; use the -data entry itself");
    refuses_text(text, "/nonexistent/config", "files", EIO,
                 "/nonexistent/config:26:28: clusters[files].cluster.certificate-authority: cannot "
                 "read that file: No such file or directory");
    // Relative to the working directory when the file's own name has no directory.
    refuses_text(text, "config", "files", EIO,
                 "config:26:28: clusters[files].cluster.certificate-authority: cannot read that "
                 "file: No such file or directory");
}

// A file of one context whose cluster and user are the flow mappings given.
static void refuses_one(const char *cluster, const char *user, int code, const char *expected)
{
    _cleanup_free_ char *text = str_printf("current-context: c\n"
                                           "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
                                           "clusters: [{name: k, cluster:\n"
                                           "  %s}]\n"
                                           "users: [{name: u, user:\n"
                                           "  %s}]\n",
                                           cluster, user);
    refuses_text(text, "f", NULL, code, expected);
}

#define SERVER "{server: 'https://h:1'}"
#define PEM "LS0tLS1CRUdJTiBYLS0tLS0K" // "-----BEGIN X-----\n"

static void test_refuses_cluster(void **state)
{
    (void)state;
    refuses_one("{}", "{}", EINVAL, "f:4:3: clusters[k].cluster.server: is missing");
    refuses_one("{server: null}", "{}", EINVAL, "f:4:3: clusters[k].cluster.server: is missing");
    refuses_one("text", "{}", EINVAL, "f:4:3: clusters[k].cluster.server: is missing");
    refuses_one("{server: [a]}", "{}", EINVAL,
                "f:4:12: clusters[k].cluster.server: expected a single value, not a list");
    refuses_one("{server: 'http://127.0.0.1:8080'}", "{}", EOPNOTSUPP,
                "f:4:12: clusters[k].cluster.server: an http:// server is refused; use https://");
    static const char *const servers[] = {
        "127.0.0.1:6443", "https://",      "https:///",      "https:///path", "ftp://h",
        "https://u:pw@h", "https://h?a=b", "https://h#frag", "https://h h",   "https://h/path",
        "https://h:",     "https://h:x",   "https://h:1:2",  "https://::1",   "https://[::1",
        "https://[]x",    "https://[h]",   "https://[::1]x",
    };
    for (size_t i = 0; i < ELEMENTS(servers); i++) {
        _cleanup_free_ char *cluster = str_printf("{server: '%s'}", servers[i]);
        refuses_one(cluster, "{}", EINVAL,
                    "f:4:12: clusters[k].cluster.server: expected https://HOST[:PORT]");
    }
    static const char *const skips[] = {"true", "True", "yes", "'false'", "[true]"};
    for (size_t i = 0; i < ELEMENTS(skips); i++) {
        _cleanup_free_ char *cluster =
            str_printf("{server: 'https://h:1', insecure-skip-tls-verify: %s}", skips[i]);
        refuses_one(cluster, "{}", EOPNOTSUPP,
                    "f:4:53: clusters[k].cluster.insecure-skip-tls-verify: an unverified server is "
                    "refused; use certificate-authority-data");
    }
    refuses_one("{server: 'https://h:1', proxy-url: 'http://u:pw@proxy'}", "{}", EOPNOTSUPP,
                "f:4:38: clusters[k].cluster.proxy-url: proxies are not supported; use a server "
                "address that is reached directly");
    refuses_one("{server: 'https://h:1', tls-server-name: 'a b'}", "{}", EINVAL,
                "f:4:44: clusters[k].cluster.tls-server-name: expected a host name or an address");
    refuses_one("{server: 'https://h:1', certificate-authority-data: 'LS0t!'}", "{}", EINVAL,
                "f:4:55: clusters[k].cluster.certificate-authority-data: is not valid base64");
    refuses_one("{server: 'https://h:1', certificate-authority-data: AAAA}", "{}", EINVAL,
                "f:4:55: clusters[k].cluster.certificate-authority-data: has a NUL character");
    refuses_one("{server: 'https://h:1', certificate-authority-data: Zm9v}", "{}", EINVAL,
                "f:4:55: clusters[k].cluster.certificate-authority-data: is no PEM text: it lacks "
                "the line -----BEGIN ...");
}

static void test_refuses_user(void **state)
{
    (void)state;
    refuses_one(SERVER, "{client-key-data: c2VjcmV0}", EINVAL,
                "f:6:21: users[u].user.client-key-data: is no PEM text: it lacks the line "
                "-----BEGIN ...");
    refuses_one(SERVER, "{client-key-data: 'secret!'}", EINVAL,
                "f:6:21: users[u].user.client-key-data: is not valid base64");
    refuses_one(SERVER, "{client-key-data: " PEM "}", EINVAL,
                "f:6:3: users[u].user.client-certificate-data: is missing: a certificate and its "
                "key come together");
    refuses_one(SERVER, "{client-certificate-data: " PEM "}", EINVAL,
                "f:6:3: users[u].user.client-key-data: is missing: a certificate and its key come "
                "together");
    refuses_one(SERVER, "{token: [secret]}", EINVAL,
                "f:6:11: users[u].user.token: expected a single value, not a list");
    refuses_one(SERVER, "{token: \"secret\\r\\nX: y\"}", EINVAL,
                "f:6:11: users[u].user.token: has a character that no token has");
    refuses_one(SERVER, "{token: ' '}", EINVAL,
                "f:6:11: users[u].user.token: is empty or too long");
    refuses_one(SERVER, "{client-key: secret}", EIO,
                "f:6:16: users[u].user.client-key: cannot read that file: No such file or "
                "directory");
    refuses_one(SERVER, "{auth-provider: {name: gcp}}", EOPNOTSUPP,
                "f:6:19: users[u].user.auth-provider: auth providers are not supported; use "
                "client-certificate-data and client-key-data, or token");
    static const char *const basic[] = {"username", "password"};
    for (size_t i = 0; i < ELEMENTS(basic); i++) {
        _cleanup_free_ char *user = str_printf("{%s: secret}", basic[i]);
        _cleanup_free_ char *expected =
            str_printf("f:6:14: users[u].user.%s: basic authentication is not supported; use "
                       "client-certificate-data and client-key-data, or token",
                       basic[i]);
        refuses_one(SERVER, user, EOPNOTSUPP, expected);
    }
    static const char *const impersonation[] = {"as: root", "as-uid: root", "as-groups: [root]",
                                                "as-user-extra: {a: [b]}"};
    for (size_t i = 0; i < ELEMENTS(impersonation); i++) {
        int key_length = (int)strcspn(impersonation[i], ":");
        _cleanup_free_ char *user = str_printf("{%s}", impersonation[i]);
        _cleanup_free_ char *expected =
            str_printf("f:6:%d: users[u].user.%.*s: impersonation is not supported; use that "
                       "user's own credentials",
                       3 + 1 + key_length + 2, key_length, impersonation[i]);
        refuses_one(SERVER, user, EOPNOTSUPP, expected);
    }
}

static void test_refuses_shape(void **state)
{
    (void)state;
    refuses_text("", "f", NULL, ENOENT, "f: current-context is not set");
    refuses_text("[]", "f", NULL, ENOENT, "f: current-context is not set");
    refuses_text("current-context: ''", NULL, NULL, ENOENT,
                 "kubeconfig: current-context is not set");
    refuses_text("contexts: {}", "f", "c", ENOENT, "f: there is no context c");
    refuses_text("contexts: [a, {name: [c]}, {name: c}]", "f", "c", ENOENT,
                 "f: there is no context c");
    refuses_text("contexts: [{name: c, context: {user: u}}]", "f", "c", EINVAL,
                 "f:1:31: contexts[c].context.cluster: is missing");
    refuses_text("contexts: [{name: c, context: {cluster: k}}]", "f", "c", EINVAL,
                 "f:1:41: contexts[c].context.cluster: clusters has no entry k");
    refuses_text("contexts: [{name: c, context: {cluster: k, user: u}}]\n"
                 "clusters: [{name: k, cluster: " SERVER "}]\n",
                 "f", "c", EINVAL, "f:1:50: contexts[c].context.user: users has no entry u");
    refuses_text("contexts: [{name: c, context: {cluster: {a: b}}}]", "f", "c", EINVAL,
                 "f:1:41: contexts[c].context.cluster: expected a single value, not a mapping");
}

// What the YAML reader refuses carries the file's name.
static void test_refuses_yaml(void **state)
{
    (void)state;
    const char *text = "users: &a []\ncontexts: *a\n";
    struct kube_credentials credentials = {0};
    struct error err = {0};
    assert_int_equal(kubeconfig_parse(text, strlen(text), "f", "c", &credentials, &err), -EINVAL);
    assert_true(str_starts_with(err.text, "f:1:8: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admin_conf),      cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_refuses_in_file), cmocka_unit_test(test_refuses_cluster),
        cmocka_unit_test(test_refuses_user),    cmocka_unit_test(test_refuses_shape),
        cmocka_unit_test(test_refuses_yaml),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
