#include "tests/support/config_test.h"
#include "tests/support/no_memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct given {
    const char *text;
    struct strmap variables;
    int result; // with memory
};

static int load(void *ctx)
{
    struct given *given = ctx;
    _cleanup_config_ struct config *config = NULL;
    _cleanup_problems_ struct config_problems problems = {0};
    int r = config_parse(given->text, strlen(given->text), "/etc/app/x.yaml",
                         ENVIRONMENT(&given->variables), &config, &problems);
    assert_int_equal(config != NULL, r == 0);
    assert_int_equal(problems.count > 0, r == -EINVAL);
    return r == given->result ? 0 : r;
}

static void every_allocation_one(const char *text, int result)
{
    struct given given = {.text = text, .variables = with_home(), .result = result};
    assert_int_equal(strmap_set(&given.variables, "DOCKER_HOST", "unix:///run/docker.sock"), 0);
    assert_in_range(fail_each_allocation(load, &given), 50, 2000);
    strmap_done(&given.variables);
}

static void every_allocation(void **state)
{
    (void)state;
    every_allocation_one(
        "registry: {image: a:1, environment: {A: b, REGISTRY_HTTP_ADDR: ':5000'}}\n"
        "nodes: {aliases: [z.example:1, z.example:1]}\n"
        "ui: {url: 'https://h.example:8443/', path: /a/b, environment: {B: c}}\n"
        "docker: {host: 'tcp://h:1', tls: {ca: ca.pem, cert: ~/c, key: /k}}\n",
        0);
    every_allocation_one("registry: {listen: '0.0.0.0:1', environment: {REGISTRY_HTTP_ADDR: x}}\n"
                         "docker: {host: 'unix:///s', tls: {cert: a}}\n"
                         "reconcile: {backoff: {initial: 2m, max: 1m}}\n"
                         "unknown: 1\n",
                         -EINVAL);
}

static int print(void *ctx)
{
    FILE *out = fopen("/dev/null", "we");
    assert_non_null(out);
    int r = config_print(ctx, out);
    assert_int_equal(fclose(out), 0);
    return r;
}

static void printing(void **state)
{
    (void)state;
    _cleanup_config_ struct config *config =
        parse("{registry: {environment: {A: b}}, nodes: {aliases: [a:1]}}");
    assert_in_range(fail_each_allocation(print, config), 3, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation),
        cmocka_unit_test(printing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
