// TLS: which certificates are believed and shown. The other side is `openssl s_server -www`, whose
// answer is a page about the connection.
#include "tests/support/http_fixture.h"

#include "lib/base/file.h"
#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define PEM_MAX 65536
#define PAGE_MAX 65536
// Keys and certificates: two authorities, a server for the name registry.test and 127.0.0.1 by the
// first one, a client by the same.
static const char make_certificates[] =
    "set -e; cd \"$1\"; exec 2>/dev/null;"
    "for ca in ca other; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    " -subj /CN=$ca -days 2 -keyout $ca.key -out $ca.pem; done;"
    "sign() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$1"
    " -keyout $1.key -out $1.csr; printf 'subjectAltName=%s' \"$2\" > $1.ext;"
    " openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2"
    " -extfile $1.ext -out $1.pem; };"
    "sign server DNS:registry.test,IP:127.0.0.1; sign named DNS:registry.test;"
    "sign client DNS:client";

static char directory[] = "/tmp/http-tls-XXXXXX";

struct page {
    unsigned done;
    int status;
    char text[PAGE_MAX];
    struct error err;
};

struct tls_server {
    pid_t pid;
    FILE *output;
    char base[64];
};

static char *pem(const char *name)
{
    char path[128];
    char *text = NULL;
    size_t length;
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_int_equal(file_read(path, PEM_MAX, &text, &length), 0);
    return text;
}

static int make_directory(_unused_ void **state)
{
    assert_non_null(mkdtemp(directory));
    const char *const argv[] = {"sh", "-c", make_certificates, "sh", directory, NULL};
    pid_t pid;
    int status;
    assert_int_equal(posix_spawnp(&pid, "sh", NULL, NULL, (char **)argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return 0;
}

static int remove_directory(_unused_ void **state)
{
    const char *const argv[] = {"rm", "-r", directory, NULL};
    pid_t pid;
    int status;
    assert_int_equal(posix_spawnp(&pid, "rm", NULL, NULL, (char **)argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

// With certificate NAME.pem; options are one more word for s_server each.
static struct tls_server server_start(const char *name, const char *option, const char *value)
{
    char cert[128];
    char key[128];
    char ca[128];
    (void)snprintf(cert, sizeof(cert), "%s/%s.pem", directory, name);
    (void)snprintf(key, sizeof(key), "%s/%s.key", directory, name);
    (void)snprintf(ca, sizeof(ca), "%s/ca.pem", directory);
    const char *const argv[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-www",
                                "-cert",   cert,       "-key",    key,           "-CAfile",
                                ca,        option,     value,     NULL};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_addclose(&actions, ends[0]), 0);
    assert_int_equal(posix_spawn_file_actions_addclose(&actions, ends[1]), 0);
    assert_int_equal(
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0), 0);

    struct tls_server server = {0};
    assert_int_equal(posix_spawnp(&server.pid, "openssl", &actions, NULL, (char **)argv, environ),
                     0);
    assert_int_equal(posix_spawn_file_actions_destroy(&actions), 0);
    assert_int_equal(close(ends[1]), 0);
    server.output = fdopen(ends[0], "r");
    assert_non_null(server.output);
    char line[256];
    while (server.base[0] == '\0') {
        assert_non_null(fgets(line, sizeof(line), server.output));
        if (str_starts_with(line, "ACCEPT ")) {
            const char *address = line + strlen("ACCEPT ");
            (void)snprintf(server.base, sizeof(server.base), "https://%.*s",
                           (int)strcspn(address, "\n"), address);
        }
    }
    return server;
}

static void server_stop(struct tls_server *server)
{
    assert_int_equal(kill(server->pid, SIGKILL), 0);
    assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
    assert_int_equal(fclose(server->output), 0);
}

static void on_page(void *ctx, struct http_response *response, const struct error *err)
{
    struct page *page = ctx;
    page->done++;
    if (response == NULL) {
        page->err = *err;
        return;
    }
    page->status = response->status;
    (void)snprintf(page->text, sizeof(page->text), "%s", buf_str(&response->body));
}

static void get_page(const struct http_endpoint *endpoint, struct page *page)
{
    *page = (struct page){0};
    uv_loop_t loop;
    struct http_transport *transport = NULL;
    struct http_client *client = NULL;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(curl_transport_new(&loop, &transport, NULL), 0);
    assert_int_equal(transport->client_new(transport, endpoint, &client, NULL), 0);
    struct http_request request = {.path = "/", .timeout_ms = 30000, .done = on_page, .ctx = page};
    assert_int_equal(http_send(client, &request, NULL, NULL), 0);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    http_client_free(client);
    curl_transport_close(transport);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(page->done, 1);
}

static void page_answered(const struct http_endpoint *endpoint, const char *with)
{
    static struct page page;
    get_page(endpoint, &page);
    assert_string_equal(page.err.text, "");
    assert_int_equal(page.status, 200);
    if (strstr(page.text, with) == NULL) {
        fail_msg("no '%s' in: %s", with, page.text);
    }
}

static void page_refused(const struct http_endpoint *endpoint, enum error_kind kind, int code,
                         const char *reason)
{
    static struct page page;
    get_page(endpoint, &page);
    _cleanup_free_ char *text =
        str_printf("GET /: cannot connect to %s: %s", endpoint->base + strlen("https://"), reason);
    assert_string_equal(page.err.text, text);
    assert_int_equal(page.err.kind, kind);
    assert_int_equal(page.err.code, code);
}

static void test_authorities(_unused_ void **state)
{
    _cleanup_free_ char *ca = pem("ca.pem");
    _cleanup_free_ char *other = pem("other.pem");
    struct tls_server server = server_start("server", NULL, NULL);
    page_answered(&(struct http_endpoint){.base = server.base, .ca_pem = ca}, "New, TLSv1.3");
    page_refused(&(struct http_endpoint){.base = server.base, .ca_pem = other}, ERROR_PERMANENT,
                 EKEYREJECTED,
                 "certificate refused: SSL certificate problem: "
                 "self-signed certificate in certificate chain");
    // The system's roots do not have it.
    page_refused(&(struct http_endpoint){.base = server.base}, ERROR_PERMANENT, EKEYREJECTED,
                 "certificate refused: SSL certificate problem: "
                 "self-signed certificate in certificate chain");
    server_stop(&server);
}

static void test_names(_unused_ void **state)
{
    _cleanup_free_ char *ca = pem("ca.pem");
    struct tls_server server = server_start("named", NULL, NULL);
    struct http_endpoint endpoint = {.base = server.base, .ca_pem = ca};
    page_refused(&endpoint, ERROR_PERMANENT, EKEYREJECTED,
                 "certificate refused: SSL: no alternative certificate subject name matches "
                 "target host name '127.0.0.1'");
    endpoint.tls_server_name = "registry.test";
    page_answered(&endpoint, "New, TLSv1.3");
    endpoint.tls_server_name = "another.test";
    page_refused(&endpoint, ERROR_PERMANENT, EKEYREJECTED,
                 "certificate refused: SSL: no alternative certificate subject name matches "
                 "target host name 'another.test'");
    server_stop(&server);
}

static void test_client_certificate(_unused_ void **state)
{
    _cleanup_free_ char *ca = pem("ca.pem");
    _cleanup_free_ char *cert = pem("client.pem");
    _cleanup_free_ char *key = pem("client.key");
    _cleanup_free_ char *wrong_key = pem("server.key");
    struct tls_server server = server_start("server", "-Verify", "1");
    struct http_endpoint endpoint = {
        .base = server.base, .ca_pem = ca, .cert_pem = cert, .key_pem = key};
    page_answered(&endpoint, "Subject: CN=client");

    endpoint.key_pem = wrong_key;
    static struct page page;
    get_page(&endpoint, &page);
    assert_int_equal(page.err.kind, ERROR_PERMANENT);
    assert_int_equal(page.err.code, EKEYREJECTED);
    assert_non_null(strstr(page.err.text, ": client certificate not usable: "));

    // The server says no only after the handshake.
    endpoint.cert_pem = NULL;
    endpoint.key_pem = NULL;
    get_page(&endpoint, &page);
    assert_int_equal(page.err.kind, ERROR_TRANSIENT);
    assert_non_null(strstr(page.err.text, "certificate required"));
    server_stop(&server);
}

static void test_old_protocol(_unused_ void **state)
{
    _cleanup_free_ char *ca = pem("ca.pem");
    struct tls_server server = server_start("server", "-tls1_2", NULL);
    struct http_endpoint endpoint = {.base = server.base, .ca_pem = ca};
    page_answered(&endpoint, "New, TLSv1.2");
    server_stop(&server);
    server = server_start("server", "-tls1_1", NULL);
    endpoint.base = server.base;
    static struct page page;
    get_page(&endpoint, &page);
    assert_int_equal(page.err.kind, ERROR_TRANSIENT);
    assert_int_equal(page.err.code, EPROTO);
    assert_non_null(strstr(page.err.text, ": no TLS connection: "));
    server_stop(&server);
}

static void test_unusable_authority(_unused_ void **state)
{
    struct tls_server server = server_start("server", NULL, NULL);
    static struct page page;
    get_page(&(struct http_endpoint){.base = server.base, .ca_pem = "no PEM text"}, &page);
    assert_int_equal(page.err.kind, ERROR_PERMANENT);
    assert_int_equal(page.err.code, EKEYREJECTED);
    assert_non_null(strstr(page.err.text, ": CA certificate not usable: "));
    server_stop(&server);
}

int main(void)
{
    // Writing to a closed connection must be an error, as it is in the daemon.
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authorities),        cmocka_unit_test(test_names),
        cmocka_unit_test(test_client_certificate), cmocka_unit_test(test_old_protocol),
        cmocka_unit_test(test_unusable_authority),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
