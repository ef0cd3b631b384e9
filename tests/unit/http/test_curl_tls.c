// TLS: which certificates are believed and shown. The other side is `openssl s_server -www`, whose
// answer is a page about the connection.
#include "tests/support/http_fixture.h"

#include "lib/base/file.h"
#include "lib/base/str.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PEM_MAX 65536
#define PAGE_MAX 65536
#define SELF_SIGNED                                                                                \
    "certificate refused: SSL certificate problem: self-signed certificate in certificate chain"
#define NO_NAME                                                                                    \
    "certificate refused: SSL: no alternative certificate subject name matches target host name "

// Keys and certificates: two authorities, a server for the name registry.test and 127.0.0.1 by the
// first one, a client by the same.
#define MAKE_CERTIFICATES                                                                          \
    "set -e; cd %s; exec 2>/dev/null;"                                                             \
    "for ca in ca other; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"  \
    " -subj /CN=$ca -days 2 -keyout $ca.key -out $ca.pem; done;"                                   \
    "sign() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$1"         \
    " -keyout $1.key -out $1.csr; printf subjectAltName=$2 > $1.ext;"                              \
    " openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2"               \
    " -extfile $1.ext -out $1.pem; };"                                                             \
    "sign server DNS:registry.test,IP:127.0.0.1; sign named DNS:registry.test;"                    \
    "sign client DNS:client"

static char directory[] = "/tmp/http-tls-XXXXXX";
static char *ca;
static char *other;

static char *pem(const char *name)
{
    _cleanup_free_ char *path = str_printf("%s/%s", directory, name);
    char *text = NULL;
    size_t length;
    assert_int_equal(file_read(path, PEM_MAX, FILE_REGULAR, &text, &length, NULL), 0);
    return text;
}

static int make_directory(_unused_ void **state)
{
    assert_non_null(mkdtemp(directory));
    _cleanup_free_ char *command = str_printf(MAKE_CERTIFICATES, directory);
    assert_int_equal(system(command), 0);
    ca = pem("ca.pem");
    other = pem("other.pem");
    return 0;
}

static int remove_directory(_unused_ void **state)
{
    _cleanup_free_ char *command = str_printf("rm -r %s", directory);
    free(ca);
    free(other);
    return system(command);
}

struct tls_server {
    FILE *output;
    int pid;
    char base[64];
};

// With certificate NAME.pem, and more options of s_server.
static struct tls_server start(const char *name, const char *options)
{
    _cleanup_free_ char *command =
        str_printf("cd %s; echo $$; exec openssl s_server -accept 127.0.0.1:0 -www -cert %s.pem "
                   "-key %s.key -CAfile ca.pem %s 2>/dev/null",
                   directory, name, name, options);
    struct tls_server server = {.output = popen(command, "re"), .base = "https://"};
    char line[256];
    assert_non_null(server.output);
    assert_int_equal(fscanf(server.output, "%d", &server.pid), 1);
    do {
        assert_non_null(fgets(line, sizeof(line), server.output));
    } while (sscanf(line, "ACCEPT %50s", server.base + strlen("https://")) != 1);
    return server;
}

static void stop(struct tls_server *server)
{
    assert_int_equal(kill(server->pid, SIGKILL), 0);
    (void)pclose(server->output);
}

struct page {
    char text[PAGE_MAX];
    struct error err;
};

static void on_page(void *ctx, struct http_response *response, const struct error *err)
{
    struct page *page = ctx;
    page->err = err == NULL ? (struct error){0} : *err;
    (void)snprintf(page->text, sizeof(page->text), "%s",
                   err == NULL ? buf_str(&response->body) : err->text);
}

// Asserts that the page, or the reason why there is none, has the text in it.
static void page_has(struct http_endpoint endpoint, int code, const char *text)
{
    static struct page page;
    struct http_client *client = fixture_client(endpoint);
    const struct http_request request = {
        .path = "/", .timeout_ms = 30000, .done = on_page, .ctx = &page};
    page.text[0] = '\0';
    assert_int_equal(http_send(client, &request, NULL, NULL), 0);
    fixture_run();
    http_client_free(client);
    if (strstr(page.text, text) == NULL) {
        fail_msg("no '%s' in: %s", text, page.text);
    }
    assert_int_equal(page.err.code, code);
    assert_true(code == 0 || (page.err.kind == ERROR_PERMANENT) == (code == EKEYREJECTED));
}

static void test_authorities(_unused_ void **state)
{
    struct tls_server server = start("server", "");
    page_has((struct http_endpoint){.base = server.base, .ca_pem = ca}, 0, "New, TLSv1.3");
    page_has((struct http_endpoint){.base = server.base, .ca_pem = other}, EKEYREJECTED,
             SELF_SIGNED);
    // The system's roots do not have it.
    page_has((struct http_endpoint){.base = server.base}, EKEYREJECTED, SELF_SIGNED);
    page_has((struct http_endpoint){.base = server.base, .ca_pem = "no PEM text"}, EKEYREJECTED,
             ": CA certificate not usable: ");
    stop(&server);
}

static void test_names(_unused_ void **state)
{
    struct tls_server server = start("named", "");
    struct http_endpoint endpoint = {.base = server.base, .ca_pem = ca};
    _cleanup_free_ char *text = str_printf("cannot connect to %s: " NO_NAME "'127.0.0.1'",
                                           server.base + strlen("https://"));
    page_has(endpoint, EKEYREJECTED, text);
    endpoint.tls_server_name = "registry.test";
    page_has(endpoint, 0, "New, TLSv1.3");
    endpoint.tls_server_name = "another.test";
    page_has(endpoint, EKEYREJECTED, NO_NAME "'another.test'");
    stop(&server);
}

static void test_client_certificate(_unused_ void **state)
{
    _cleanup_free_ char *cert = pem("client.pem");
    _cleanup_free_ char *key = pem("client.key");
    _cleanup_free_ char *wrong_key = pem("server.key");
    struct tls_server server = start("server", "-Verify 1");
    struct http_endpoint endpoint = {
        .base = server.base, .ca_pem = ca, .cert_pem = cert, .key_pem = key};
    page_has(endpoint, 0, "Subject: CN=client");
    endpoint.key_pem = wrong_key;
    page_has(endpoint, EKEYREJECTED, ": client certificate not usable: ");
    // The server says no only after the handshake.
    endpoint.cert_pem = NULL;
    endpoint.key_pem = NULL;
    page_has(endpoint, ECONNRESET, "certificate required");
    stop(&server);
}

static void test_old_protocol(_unused_ void **state)
{
    struct tls_server server = start("server", "-tls1_2");
    page_has((struct http_endpoint){.base = server.base, .ca_pem = ca}, 0, "New, TLSv1.2");
    stop(&server);
    server = start("server", "-tls1_1");
    page_has((struct http_endpoint){.base = server.base, .ca_pem = ca}, EPROTO,
             ": no TLS connection: ");
    stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIX(test_authorities),
        UNIX(test_names),
        UNIX(test_client_certificate),
        UNIX(test_old_protocol),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
