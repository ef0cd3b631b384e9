#include "tests/support/config_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

const char *map_get(void *ctx, const char *name)
{
    return strmap_get(ctx, name);
}

struct strmap with_home(void)
{
    struct strmap variables = {0};
    assert_int_equal(strmap_set(&variables, "HOME", "/home/u"), 0);
    return variables;
}

void describe_problems(const struct config_problems *problems, const char *file, struct buf *out)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->items[i];
        assert_int_equal(buf_printf(out, "%s:%u:%u: %s: %s\n", file, problem->line, problem->column,
                                    problem->path, problem->text),
                         0);
    }
}

struct config *parse_with(const char *text, struct strmap *variables)
{
    struct config *config = NULL;
    _cleanup_problems_ struct config_problems problems = {0};
    int r = config_parse(text, strlen(text), "/etc/app/x.yaml", ENVIRONMENT(variables), &config,
                         &problems);
    if (r != 0) {
        _cleanup_buf_ struct buf out = BUF_INIT(TEXT_MAX);
        describe_problems(&problems, "x.yaml", &out);
        fail_msg("%d: %s\n%s", r, buf_str(&out), text);
    }
    return config;
}

struct config *parse(const char *text)
{
    _cleanup_map_ struct strmap variables = with_home();
    return parse_with(text, &variables);
}

char *problems_with(const char *text, struct strmap *variables)
{
    _cleanup_config_ struct config *config = NULL;
    _cleanup_problems_ struct config_problems problems = {0};
    _cleanup_buf_ struct buf out = BUF_INIT(TEXT_MAX);
    assert_int_equal(config_parse(text, strlen(text), "/etc/app/x.yaml", ENVIRONMENT(variables),
                                  &config, &problems),
                     -EINVAL);
    assert_null(config);
    describe_problems(&problems, "x.yaml", &out);
    return buf_take(&out);
}

void assert_aliases(const struct config *config, const char *expected)
{
    _cleanup_buf_ struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < config->nodes.aliases.count; i++) {
        assert_int_equal(buf_printf(&out, "%s ", config->nodes.aliases.items[i]), 0);
    }
    assert_string_equal(buf_str(&out), expected);
}

void assert_defaults(const struct config *config)
{
    assert_string_equal(config->registry.name, "hostk8s-registry");
    assert_string_equal(config->registry.image, "registry:2");
    assert_string_equal(config->registry.listen_address, "127.0.0.1");
    assert_int_equal(config->registry.listen_port, 5002);
    assert_false(config->registry.allow_remote);
    assert_string_equal(config->registry.storage, "/home/u/.local/share/hostk8s/registry");
    assert_int_equal(config->registry.restart, RESTART_ALWAYS);
    assert_true(config->registry.delete_enabled);
    assert_int_equal(config->registry.environment.count, 0);
    assert_string_equal(config->network, "kind");
    assert_int_equal(config->clusters.count, 1);
    assert_string_equal(config->clusters.items[0], "hostk8s");
    assert_aliases(config, "localhost:5000 localhost:5002 127.0.0.1:5002 hostk8s-registry:5000 ");
    assert_true(config->nodes.skip_verify);
    assert_true(config->ui.enabled);
    assert_string_equal(config->ui.name_space, "hostk8s");
    assert_string_equal(config->ui.image, "joxit/docker-registry-ui:static");
    assert_int_equal(config->ui.replicas, 1);
    assert_string_equal(config->ui.title, "HostK8s Registry");
    assert_string_equal(config->ui.url, "http://localhost:8080");
    assert_string_equal(config->ui.path, "/registry/");
    assert_string_equal(config->ui.ingress_class, "nginx");
    assert_int_equal(config->ui.environment.count, 0);
    assert_string_equal(config->docker.host, "unix:///var/run/docker.sock");
    assert_false(config->docker.tls);
    assert_null(config->docker.ca);
    assert_null(config->docker.cert);
    assert_null(config->docker.key);
    assert_null(config->kubeconfig);
    assert_int_equal(config->reconcile.poll_ms, 10000);
    assert_int_equal(config->reconcile.timeout_ms, 10000);
    assert_int_equal(config->reconcile.backoff.initial_ms, 500);
    assert_int_equal(config->reconcile.backoff.max_ms, 60000);
    assert_int_equal(config->log_level, LOG_LEVEL_INFO);
}
