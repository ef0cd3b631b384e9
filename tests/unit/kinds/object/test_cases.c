// Observations and plans as cases.txt tells them: in its sections a line is a command, and the
// indented lines behind it are what it says. A section begins with a new rig.
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kinds/object/objects.h"
#include "tests/support/object_rig.h"
#include "tests/support/sample_config.h"

#include <stdio.h>
#include <string.h>

#define FILE_NAME TEST_DATA "/unit/kinds/object/cases.txt"
#define TEXT_MAX (256u * 1024u)
#define INDENT "    "

static char *no_text(void)
{
    return str_dup("");
}

// config YAML: the configuration.
static char *do_config(struct object_rig *rig, char *args)
{
    config_free(rig->config);
    rig->config = sample_config_of(args);
    rig->input.config = rig->config;
    return no_text();
}

// address IPV4 IPV6: of the registry, - for none.
static char *do_address(struct object_rig *rig, char *args)
{
    const char *ipv4 = strsep(&args, " ");
    rig->engine.registry_ipv4 = str_equal(ipv4, "-") ? NULL : ipv4;
    rig->engine.registry_ipv6 = str_equal(args, "-") ? NULL : args;
    return no_text();
}

static char *do_teardown(struct object_rig *rig, _unused_ char *args)
{
    rig->input.desired = false;
    return no_text();
}

// wait MS
static char *do_wait(struct object_rig *rig, char *args)
{
    rig->io.now_ms += (uint64_t)strtoll(args, NULL, 10);
    return no_text();
}

// groups VERSION...: what the server serves beside v1.
static char *do_groups(struct object_rig *rig, char *args)
{
    json_t *versions = json_array();
    for (const char *one = strsep(&args, " "); one != NULL; one = strsep(&args, " ")) {
        json_array_append_new(versions, json_pack("{s:s}", "groupVersion", one));
    }
    json_object_set_new(rig->server, "/apis",
                        json_pack("{s:[{s:o}]}", "groups", "versions", versions));
    return no_text();
}

// empty: the server has no objects.
static char *do_empty(struct object_rig *rig, _unused_ char *args)
{
    json_t *groups = json_incref(json_object_get(rig->server, "/apis"));
    json_object_clear(rig->server);
    json_object_set_new(rig->server, "/apis", groups);
    return no_text();
}

// have RESOURCE JSON, merged RESOURCE JSON, gone RESOURCE: see object_rig.h.
static char *do_have(struct object_rig *rig, char *args)
{
    const char *resource = strsep(&args, " ");
    object_rig_have(rig, resource, args);
    return no_text();
}

static char *do_merged(struct object_rig *rig, char *args)
{
    const char *resource = strsep(&args, " ");
    object_rig_have_merged(rig, resource, args);
    return no_text();
}

// answer STATUS METHOD PATH [BODY]: to requests whose path begins so.
static char *do_answer(struct object_rig *rig, char *args)
{
    const char *status = strsep(&args, " ");
    const char *method = strsep(&args, " ");
    const char *path = strsep(&args, " ");
    _cleanup_free_ char *request = str_printf("%s %s", method, path);
    object_rig_rule(rig, request, (int)strtol(status, NULL, 10), args == NULL ? "{}" : args);
    return no_text();
}

static char *do_clear(struct object_rig *rig, _unused_ char *args)
{
    object_rig_clear_rules(rig);
    return no_text();
}

// connect: by other credentials.
static char *do_connect(struct object_rig *rig, _unused_ char *args)
{
    object_rig_connect(rig);
    return no_text();
}

static char *do_observe(struct object_rig *rig, _unused_ char *args)
{
    if (object_rig_begin_observe(rig) == 0) {
        object_rig_serve(rig);
        assert_int_equal(rig->done, 1);
    }
    return rig->err.kind == ERROR_NONE ? no_text() : str_printf("%s\n", rig->err.text);
}

static char *do_requests(struct object_rig *rig, _unused_ char *args)
{
    return object_rig_requests(rig);
}

static char *do_plan(struct object_rig *rig, _unused_ char *args)
{
    return object_rig_plan(rig);
}

// condition RESOURCE: of the latest plan.
static char *do_condition(struct object_rig *rig, char *args)
{
    const struct condition *condition =
        plan_condition(&rig->plan, object_rig_object(rig, args)->resource);
    assert_non_null(condition);
    return str_printf("%s %s%s%s\n", ready_name(condition->ready), reason_name(condition->reason),
                      condition->message[0] == '\0' ? "" : ": ", condition->message);
}

// manifest RESOURCE PATH: what it has at a path of keys and indexes.
static char *do_manifest(struct object_rig *rig, char *args)
{
    const json_t *at = object_rig_object(rig, strsep(&args, " "))->manifest;
    for (const char *key = strsep(&args, "|"); key != NULL; key = strsep(&args, "|")) {
        at = json_is_array(at) ? json_array_get(at, (size_t)strtol(key, NULL, 10))
                               : json_object_get(at, key);
    }
    _cleanup_free_ char *text = json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    return str_printf("%s\n", text);
}

static const struct {
    const char *name;
    char *(*run)(struct object_rig *rig, char *args);
} commands[] = {
    {"config", do_config},       {"address", do_address},   {"teardown", do_teardown},
    {"wait", do_wait},           {"groups", do_groups},     {"connect", do_connect},
    {"empty", do_empty},         {"have", do_have},         {"gone", do_have},
    {"merged", do_merged},       {"answer", do_answer},     {"clear", do_clear},
    {"observe", do_observe},     {"requests", do_requests}, {"plan", do_plan},
    {"condition", do_condition}, {"manifest", do_manifest},
};

static char *run(struct object_rig *rig, char *line, unsigned number)
{
    const char *name = strsep(&line, " ");
    for (size_t i = 0; i < ELEMENTS(commands); i++) {
        if (str_equal(commands[i].name, name)) {
            return commands[i].run(rig, line);
        }
    }
    fail_msg("cases.txt:%u: no command %s", number, name);
    abort();
}

static void check(const char *section, unsigned number, const char *said, struct buf *expected)
{
    if (said != NULL && !str_equal(said, buf_str(expected))) {
        (void)fprintf(stderr, "cases.txt:%u: %s\nsays:\n%sinstead of:\n%s", number, section, said,
                      buf_str(expected));
        fail();
    }
    buf_truncate(expected, 0);
}

static void test_cases(void **state)
{
    struct object_rig *rig = *state;
    static char text[TEXT_MAX];
    FILE *file = fopen(FILE_NAME, "re");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0 && feof(file) != 0);
    (void)fclose(file);

    _cleanup_buf_ struct buf expected = BUF_INIT(TEXT_MAX);
    _cleanup_free_ char *said = NULL;
    const char *section = "";
    unsigned number = 0;
    unsigned command = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        number++;
        if (str_starts_with(line, INDENT)) {
            (void)buf_printf(&expected, "%s\n", line + strlen(INDENT));
        } else if (line[0] != '\0' && line[0] != '#') {
            check(section, command, said, &expected);
            free(TAKE_PTR(said));
            command = number;
            if (str_starts_with(line, "== ")) {
                section = line;
                object_rig_reset(rig);
            } else {
                said = run(rig, line, number);
            }
        }
    }
    check(section, command, said, &expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {OBJECT_TEST(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
