// Proxy variables, read as Go reads them: each row of `exemptions` was also given to Go 1.19's
// net/http.ProxyFromEnvironment.
#include "lib/kinds/node/proxy.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
    const char *no_proxy;
    const char *host; // of http://HOST:5000
    bool exempts;
} exemptions[] = {
    {NULL, "hostk8s-registry", false},
    {"", "hostk8s-registry", false},
    // As kind 0.33 makes it.
    {"172.18.0.0/16,fc00:f853:ccd:e793::/64,10.96.0.0/16,10.244.0.0/16,kind-control-plane,.svc,"
     ".svc.cluster,.svc.cluster.local",
     "hostk8s-registry", false},
    {"hostk8s-registry", "hostk8s-registry", true},
    {"a,hostk8s-registry,b", "hostk8s-registry", true},
    {"a, \tHostK8s-Registry \t,b", "hostk8s-registry", true},
    {"hostk8s-registry", "HOSTK8S-registry", true},
    {"hostk8s-registry,", "hostk8s-registry", true},
    {"hostk8s-registry:5000", "hostk8s-registry", true},
    {"hostk8s-registry:", "hostk8s-registry", true},
    {"hostk8s-registry:80", "hostk8s-registry", false},
    {"hostk8s-registry:50", "hostk8s-registry", false},
    {"hostk8s-registry:5000:1", "hostk8s-registry", false},
    {"a hostk8s-registry", "hostk8s-registry", false},
    {"hostk8s-registry b", "hostk8s-registry", false},
    {"hostk8s-registr", "hostk8s-registry", false},
    {"ostk8s-registry", "hostk8s-registry", false},
    {"http://hostk8s-registry", "hostk8s-registry", false},
    {"hostk8s-registry.", "hostk8s-registry", false},
    {".hostk8s-registry", "hostk8s-registry", false},
    {"*.hostk8s-registry", "hostk8s-registry", false},
    {"hostk8s-*", "hostk8s-registry", false},
    {"*", "hostk8s-registry", true},
    {"a, * ", "hostk8s-registry", true},
    {"*:5000", "hostk8s-registry", false},
    {"**", "hostk8s-registry", false},
    {",, ,:5000,:", "hostk8s-registry", false},
    {"0.0.0.0/0,::/0", "hostk8s-registry", false},
    // Domains.
    {"lan", "registry.lan", true},
    {".lan", "registry.lan", true},
    {"*.lan", "registry.lan", true},
    {".lan:5000", "registry.lan", true},
    {"*.lan:443", "registry.lan", false},
    {"an", "registry.lan", false},
    {"*.", "registry.lan", false},
    {".", "registry.lan", false},
    {"registry.lan", "registry.lan", true},
    {"b.registry.lan", "registry.lan", false},
    {".registry.lan", "registry.lan", false},
    // Go never asks a proxy for it.
    {NULL, "localhost", true},
    {"a", "localhost", true},
};

static void test_exemptions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(exemptions); i++) {
        if (proxy_exempts(exemptions[i].no_proxy, exemptions[i].host, "5000") !=
            exemptions[i].exempts) {
            fail_msg("NO_PROXY=%s: %s", exemptions[i].no_proxy, exemptions[i].host);
        }
    }
}

static const struct {
    const char *variables; // a list in JSON
    struct proxy expected;
} environments[] = {
    {"[]", {0}},
    {"null", {0}},
    {"[\"PATH=/bin\", 7, null, \"HTTP_PROXY\", \"HTTP_PROXY2=x\", \"XHTTP_PROXY=x\"]", {0}},
    {"[\"HTTPS_PROXY=p\", \"ALL_PROXY=p\"]", {0}},
    {"[\"HTTP_PROXY=http://p:3128\", \"NO_PROXY=a,b\"]", {"HTTP_PROXY", "a,b"}},
    {"[\"http_proxy=q\", \"HTTP_PROXY=p\"]", {"HTTP_PROXY", NULL}},
    // What is empty is not set.
    {"[\"HTTP_PROXY=\", \"NO_PROXY=\", \"no_proxy=c\", \"http_proxy=q\"]", {"http_proxy", "c"}},
    {"[\"no_proxy=c\", \"NO_PROXY=d\"]", {NULL, "d"}},
};

static void test_environments(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (size_t i = 0; i < ELEMENTS(environments); i++) {
        json_auto_t *variables = json_loads(environments[i].variables, JSON_DECODE_ANY, NULL);
        const struct proxy *expected = &environments[i].expected;
        struct proxy found = proxy_decode(variables, &arena);
        if (!str_equal(found.variable, expected->variable) ||
            !str_equal(found.no_proxy, expected->no_proxy)) {
            fail_msg("%s", environments[i].variables);
        }
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exemptions),
        cmocka_unit_test(test_environments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
