// What answered on this machine, and what that means.
#include "daemon/doctor/http_fault.h"

#include "lib/base/str.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_fault(struct fault fault, const char *cause, const char *cure)
{
    if (cause == NULL) {
        assert_null(fault.cause);
        return;
    }
    assert_non_null(fault.cause);
    if (strstr(fault.cause, cause) == NULL || strstr(fault.cure, cure) == NULL) {
        fail_msg("expected: %s; %s\ngiven: %s\ncure: %s", cause, cure, fault.cause, fault.cure);
    }
}

static const struct answer no_answer = {.error = {ERROR_TRANSIENT, ECONNREFUSED, 0, 0, "refused"}};

static void test_who_answers(_unused_ void **state)
{
    const struct {
        struct answer answer;
        bool own;
        const char *cause; // NULL: a registry
        const char *cure;
    } rows[] = {
        {{.status = 200, .has_api = true}, true, NULL, NULL},
        {{.status = 401, .has_api = true}, true, NULL, NULL},
        {no_answer, true, "nobody listens at h:1", "hostk8s-registryd apply"},
        {{.error = {ERROR_TRANSIENT, ETIMEDOUT, 0, 0, "no answer within 10 s"}},
         true,
         "h:1: no answer within 10 s",
         "docker ps -a"},
        {{.status = 503, .has_api = true}, true, "h:1 answers with HTTP 503", "docker logs"},
        {{.status = 502, .server = "nginx"}, false, "answered by somebody else (HTTP 502", "IPv6"},
        {{.status = 403, .server = "AirTunes/770.8.1"},
         true,
         "h:1 is answered by somebody else (HTTP 403, server \"AirTunes/770.8.1\")",
         "end that process"},
        {{.status = 200}, false, "h:1 is answered by somebody else (HTTP 200)", "IPv6"},
    };
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        assert_fault(registry_fault(&arena, "h:1", rows[i].own, &rows[i].answer), rows[i].cause,
                     rows[i].cure);
    }
}

#define TEXT(said) "registry: begin an upload: " said

static void test_pushes(_unused_ void **state)
{
    static const struct {
        const char *text;
        int status;
        int code;
        const char *variable; // that the configuration has
        const char *cause;
        const char *cure;
    } rows[] = {
        // registry 2.8
        {TEXT("UNKNOWN: unknown error "
              "{\"DriverName\":\"filesystem\",\"Enclosed\":{\"Err\":28,\"Op\":\"mkdir\"}}"),
         500, EREMOTEIO, NULL, "the disk of /registry is full", "hostk8s-registryd gc"},
        {TEXT("UNKNOWN: write /a: no space left on device"), 500, EREMOTEIO, NULL,
         "the disk of /registry is full", "usage"},
        {TEXT("UNKNOWN {\"Err\":13}"), 500, EREMOTEIO, NULL, "may not write into /registry",
         "SELinux"},
        {TEXT("UNKNOWN {\"Err\":30}"), 500, EREMOTEIO, NULL, "read-only file system",
         "registry.storage"},
        {TEXT("UNSUPPORTED: The operation is unsupported."), 405, EREMOTEIO, NULL,
         "takes no pushes: it is read-only", "REGISTRY_STORAGE_MAINTENANCE_READONLY"},
        {TEXT("UNSUPPORTED"), 405, EREMOTEIO, "REGISTRY_PROXY_REMOTEURL", "makes it a cache",
         "caches"},
        {TEXT("UNAUTHORIZED"), 401, EREMOTEIO, NULL, "wants a login", "REGISTRY_AUTH"},
        {TEXT("the answer sends the client to https://x/v2/"), 0, EREMCHG, NULL,
         "sends the client to https://x", "REGISTRY_HTTP_HOST"},
        {TEXT("(HTTP 500)"), 500, EREMOTEIO, NULL, "begin an upload", "docker logs"},
    };
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        _cleanup_(config_freep) struct config *config = sample_config();
        struct error err = {0};
        if (rows[i].variable != NULL) {
            strmap_set(&config->registry.environment, rows[i].variable, "x");
        }
        str_replace(&config->registry.storage, "/registry");
        (void)error_set(&err, ERROR_TRANSIENT, rows[i].code, "%s", rows[i].text);
        err.status = rows[i].status;
        assert_fault(push_fault(&arena, config, &err), rows[i].cause, rows[i].cure);
    }
}

static void test_uploads(_unused_ void **state)
{
    static const struct {
        int status;
        int code;
        const char *cause;
        const char *cure;
    } rows[] = {
        {413, EREMOTEIO, "takes no body of that size (HTTP 413)", "proxy-body-size"},
        {404, EREMOTEIO, "nothing serves /v2/ at http://localhost:8080", "ui.ingressClass"},
        {502, EREMOTEIO, "reaches no registry", "EndpointSlice"},
        {503, EREMOTEIO, "reaches no registry", "EndpointSlice"},
        {504, EREMOTEIO, "reaches no registry", "EndpointSlice"},
        {0, EREMCHG, "does not know by which address it was asked", "X-Forwarded-Host"},
        {0, ETIMEDOUT, "http://localhost:8080/v2/: as said", "EndpointSlice"},
        {0, ECONNRESET, "as said", "log of the ingress controller"},
        {405, EREMOTEIO, "the registry takes no pushes: it is read-only", "registry.environment"},
    };
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        _cleanup_(config_freep) struct config *config = sample_config();
        struct error err = {0};
        (void)error_set(&err, ERROR_TRANSIENT, rows[i].code, "as said");
        err.status = rows[i].status;
        assert_fault(upload_fault(&arena, config, &err), rows[i].cause, rows[i].cure);
        if (rows[i].status == 404) {
            const struct answer answer = {.status = 404, .server = "nginx"};
            assert_fault(route_fault(&arena, config, &answer), rows[i].cause, rows[i].cure);
        }
    }
}

static void test_another_page_at_the_api(_unused_ void **state)
{
    static const int statuses[] = {200, 302, 401, 403, 500};
    for (size_t i = 0; i < ELEMENTS(statuses); i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        _cleanup_(config_freep) struct config *config = sample_config();
        const struct answer page = {.status = statuses[i], .server = "nginx"};
        assert_fault(route_fault(&arena, config, &page),
                     "http://localhost:8080/v2/ is answered by somebody else (HTTP", "a login");
    }
    _cleanup_(arena_done) struct arena arena = {0};
    _cleanup_(config_freep) struct config *config = sample_config();
    const struct answer registry = {.status = 405, .has_api = true};
    assert_fault(route_fault(&arena, config, &registry), "takes no pushes", "registry.environment");
}

static void test_redirects(_unused_ void **state)
{
    static const struct {
        struct answer answer;
        const char *cause; // NULL: as it should be
    } rows[] = {
        {{.status = 302, .location = "/registry/"}, NULL},
        {{.status = 308, .location = "http://localhost:8080/registry/"}, NULL},
        {{.status = 301, .location = "http://localhost/registry/"},
         "/registry redirects to http://localhost/registry/ instead of /registry/"},
        {{.status = 301, .location = "http://localhost:80801/registry/"}, "redirects to"},
        {{.status = 302}, "redirects to  instead"},
        {{.status = 404, .server = "nginx"},
         "gives HTTP 404, server \"nginx\" instead of a redirect"},
        {{.status = 200}, "gives HTTP 200 instead of a redirect"},
    };
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        _cleanup_(config_freep) struct config *config = sample_config();
        assert_fault(redirect_fault(&arena, config, "/registry", &rows[i].answer), rows[i].cause,
                     "slash");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_answers), cmocka_unit_test(test_pushes),
        cmocka_unit_test(test_uploads),     cmocka_unit_test(test_another_page_at_the_api),
        cmocka_unit_test(test_redirects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
