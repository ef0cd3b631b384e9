// containerd's own sentences, and the causes behind them. Where nothing else is said they were
// heard from ctr and containerd 1.6.20.
#include "daemon/doctor/pull_fault.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define REF "localhost:5002/hostk8s-registryd/doctor:x"
#define CTR "ctr: failed to resolve reference \"" REF "\": "
#define ASKED(host)                                                                                \
    CTR "failed to do request: Head \"http://" host                                                \
        "/v2/hostk8s-registryd/doctor/manifests/x?ns=localhost%3A5002\": "
#define REGISTRY ASKED("hostk8s-registry:5000")
#define STATUS(what)                                                                               \
    CTR "pulling from host hostk8s-registry:5000 failed with status code [manifests x]: " what
// crictl 1.29 with containerd 1.7, a terminal's line ends.
#define CRI(code, said)                                                                            \
    "E1130 10:00:00.000000     911 remote_image.go:180] \"PullImage from image service failed\" "  \
    "err=\"rpc error: code = " code " desc = failed to pull and unpack image \\\"" REF             \
    "\\\": failed to resolve reference \\\"" REF "\\\": " said "\" image=\"" REF "\"\r\n"          \
    "FATA[0000] pulling image: rpc error: code = " code                                            \
    " desc = failed to pull and unpack image \"" REF "\": failed to resolve reference \"" REF      \
    "\": " said " \r\n"
// crictl 1.34: logrus quotes all of it.
#define QUOTED(said)                                                                               \
    "time=\"2026-11-30T10:00:00Z\" level=fatal msg=\"pulling image: failed to pull and unpack "    \
    "image \\\"" REF "\\\": failed to resolve reference \\\"" REF "\\\": " said "\"\r\n"

static const struct condition off = {
    .resource = "node/n",
    .ready = READY_FALSE,
    .reason = REASON_CONFIG_PATH_DISABLED,
    .message = "the node's containerd reads no hosts.toml; create it otherwise"};
static const struct condition pending = {.resource = "node/n",
                                         .ready = READY_FALSE,
                                         .reason = REASON_CONVERGING,
                                         .message = "write is pending"};

static const struct condition proxied = {
    .resource = "node/n",
    .ready = READY_FALSE,
    .reason = REASON_PROXY_IN_THE_WAY,
    .message = "the node's HTTP_PROXY sends pulls to a proxy; NO_PROXY=$NO_PROXY,hostk8s-registry"};

static const struct {
    const char *said;
    const char *alias; // NULL: localhost:5002
    const struct condition *condition;
    bool timed_out;
    const char *cause; // its beginning
    const char *cure;  // a part
} rows[] = {
    {REGISTRY "dial tcp: lookup hostk8s-registry on 172.18.0.1:53: no such host", NULL, NULL, false,
     "the node knows no host hostk8s-registry: ", "docker network connect --alias"},
    {CRI("Unknown",
         "failed to do request: Head \\\"https://hostk8s-registry:5000/v2/a/manifests/x\\\": "
         "dial tcp: lookup hostk8s-registry: Temporary failure in name resolution"),
     NULL, NULL, false, "the node knows no host hostk8s-registry: ", "kind hostk8s-registry`"},
    {REGISTRY "proxyconnect tcp: dial tcp 127.0.0.1:3999: connect: connection refused", NULL, NULL,
     false, "containerd in the node asks a proxy for hostk8s-registry:5000", "NO_PROXY"},
    // What a proxy says in the registry's place tells nothing by itself.
    {STATUS("503 Service Unavailable"), NULL, &proxied, false,
     "node/n: ProxyInTheWay: the node's HTTP_PROXY sends pulls to a proxy",
     "NO_PROXY=$NO_PROXY,hostk8s-registry"},
    {CTR REF ": not found", NULL, &proxied, false, "node/n: ProxyInTheWay", "NO_PROXY"},
    {STATUS("503 Service Unavailable"), NULL, NULL, false,
     "hostk8s-registry:5000 answers with an error: pulling from host hostk8s-registry:5000 failed",
     "docker logs hostk8s-registry"},
    {"ctr: unexpected status from HEAD request to http://hostk8s-registry:5000/v2/a/manifests/x: "
     "500 "
     "Internal Server Error", // containerd 2.1
     NULL, NULL, false, "hostk8s-registry:5000 answers with an error: ctr: unexpected status",
     "docker logs"},
    {STATUS("401 Unauthorized"), NULL, NULL, false, "the registry wants a login", "REGISTRY_AUTH"},
    {REGISTRY "dial tcp 172.18.0.5:5000: connect: connection refused", NULL, NULL, false,
     "at hostk8s-registry:5000 nobody listens", "REGISTRY_HTTP_ADDR"},
    {REGISTRY "dial tcp 172.18.0.5:5000: i/o timeout", NULL, NULL, false,
     "the node gets no answer from hostk8s-registry:5000", "firewall"},
    {REGISTRY "dial tcp 172.18.0.5:5000: connect: no route to host", NULL, NULL, false,
     "there is no way from the node to hostk8s-registry:5000", "docker network inspect kind"},
    {"elapsed: 14.8s total: 0.0 B (0.0 B/s)", NULL, NULL, true,
     "a pull of an image of localhost:5002 did not end within 15 s in the node: it waits for a "
     "name "
     "server that is not reached, as where this machine is offline",
     "apply`, so that the network kind itself knows hostk8s-registry"},
    {CTR REF ": not found", NULL, NULL, false,
     "what answers as hostk8s-registry in the node's network has not the image", "network inspect"},
    // No hosts.toml was read: its own host is asked, within the node, or by HTTPS.
    {CTR "failed to do request: Head \"http://localhost:5002/v2/a/manifests/x\": dial tcp "
         "127.0.0.1:5002: "
         "connect: connection refused",
     NULL, NULL, false, "containerd asks localhost:5002 within the node", "certs.d"},
    {QUOTED("failed to do request: Head \\\"http://localhost:5002/v2/a/manifests/x\\\": dial tcp "
            "[::1]:5002: connect: connection refused"),
     NULL, &proxied, false, "containerd asks localhost:5002 within the node", "certs.d"},
    {CRI("Unknown",
         "failed to do request: Head \\\"https://hostk8s-registry:5000/v2/a/manifests/x\\\": "
         "http: server gave HTTP response to HTTPS client"),
     "hostk8s-registry:5000", NULL, false,
     "containerd asks hostk8s-registry:5000 by HTTPS, and the registry speaks plain HTTP",
     "certs.d"},
    {CTR
     "failed to do request: Head \"https://h:5/v2/a/manifests/x\": tls: first record does not look "
     "like a TLS handshake",
     "h:5", NULL, false, "containerd asks h:5 by HTTPS", "certs.d"},
    // The node's files tell more exactly why.
    {CTR "failed to do request: Head \"http://localhost:5002/v2/a/manifests/x\": dial tcp "
         "127.0.0.1:5002: "
         "connect: connection refused",
     NULL, &off, false, "node/n: ConfigPathDisabled: the node's containerd reads no hosts.toml",
     "create it otherwise"},
    {CTR
     "failed to do request: Head \"https://hostk8s-registry:5000/v2/a/manifests/x\": http: server "
     "gave HTTP response to HTTPS client",
     "hostk8s-registry:5000", &off, false, "node/n: ConfigPathDisabled", "create it"},
    {ASKED("elsewhere:5000") "dial tcp: lookup elsewhere: no such host", NULL, &off, false,
     "node/n: ConfigPathDisabled", "create it"},
    {CTR "failed to do request: Head \"http://localhost:5002/v2/a/manifests/x\": EOF", NULL,
     &pending, false, "containerd asks localhost:5002 within the node", "hostk8s-registryd apply"},
    // But not why the registry that was asked did not answer, nor another's file.
    {REGISTRY "dial tcp 172.18.0.5:5000: connect: connection refused", NULL, &off, false,
     "at hostk8s-registry:5000 nobody listens", "REGISTRY_HTTP_ADDR"},
    {ASKED("elsewhere:5000") "dial tcp: lookup elsewhere: no such host", NULL, &pending, false,
     "containerd asks elsewhere:5000 for images of localhost:5002: ", "certs.d"},
    {"time=\"…\" level=fatal msg=\"pulling image: rpc error: code = Unimplemented desc = unknown "
     "service "
     "runtime.v1.ImageService\"\n", // crictl 1.29, containerd 2.2.0 with mirrors
     NULL, NULL, false, "containerd in the node serves no CRI", "without `mirrors`"},
    {"ctr: failed to extract layer: write /x: no space left on device", NULL, NULL, false,
     "the node's disk is full", "docker system prune"},
    {"ctr: something\n  new \"under\" the sun\n\n", NULL, NULL, false, "new \"under\" the sun",
     "journalctl -u containerd"},
    {"", NULL, NULL, false, "", "journalctl -u containerd"},
};

static void test_causes(_unused_ void **state)
{
    const struct config config = {.registry.name = (char *)"hostk8s-registry",
                                  .network = (char *)"kind"};
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        const struct pull_evidence evidence = {
            .said = rows[i].said,
            .timed_out = rows[i].timed_out,
            .node = "n",
            .alias = rows[i].alias == NULL ? "localhost:5002" : rows[i].alias,
            .condition = rows[i].condition,
        };
        struct fault fault = pull_fault(&arena, &config, &evidence);
        if (!str_starts_with(fault.cause, rows[i].cause) ||
            strstr(fault.cure, rows[i].cure) == NULL || strchr(fault.cause, '{') != NULL ||
            strchr(fault.cure, '{') != NULL) {
            fail_msg("%s\ngives: %s\ncure: %s", rows[i].said, fault.cause, fault.cure);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_causes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
