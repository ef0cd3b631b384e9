// A configuration file. Refused, it says why with a place in the file; accepted, what is printed of
// it is accepted again as the same, and everything that it declares can be made.
#include "lib/config/config.h"

#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#define FILE_NAME "/home/user/registryd.yaml"
#define TEXT_BYTES_MAX (1024u * 1024u)

static const char *get(void *ctx, const char *name)
{
    (void)ctx;
    return str_equal(name, "HOME") ? "/home/user" : str_equal(name, "DATA") ? "data/.." : NULL;
}

static const struct config_environment environment = {.get = get};

static size_t count_lines(const char *text, size_t size)
{
    size_t lines = 1;
    for (size_t i = 0; i < size; i++) {
        lines += text[i] == '\n' || text[i] == '\r';
    }
    return lines;
}

static void check_problems(const struct config_problems *problems, size_t lines)
{
    MUST(problems->count > 0);
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->items[i];
        MUST(problem->line >= 1 && problem->column >= 1);
        MUST(problem->line <= lines + 1);
        MUST(problem->text[0] != '\0');
        must_be_line(problem->text);
        must_be_line(problem->path);
        MUST(i == 0 || problems->items[i - 1].line <= problem->line);
    }
}

// NULL when it is refused. The caller frees.
static struct config *parse(const char *text, size_t size)
{
    struct config *config = NULL;
    struct config_problems problems = {0};
    int r = config_parse(text, size, FILE_NAME, &environment, &config, &problems);
    MUST(r == 0 || r == -EINVAL);
    MUST((r == 0) == (config != NULL));
    if (r < 0) {
        check_problems(&problems, count_lines(text, size));
    }
    config_problems_done(&problems);
    return config;
}

// The caller frees.
static char *print(const struct config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    MUST(out != NULL);
    MUST(config_print(config, out) == 0);
    MUST(fclose(out) == 0);
    return text;
}

static void check_same(const struct config *config)
{
    _cleanup_free_ char *printed = print(config);
    _cleanup_(config_freep) struct config *again = parse(printed, strlen(printed));
    MUST(again != NULL);
    _cleanup_free_ char *reprinted = print(again);
    MUST(str_equal(printed, reprinted));
}

static void check_objects(const struct config *config)
{
    for (int served = 0; served < 2; served++) {
        const struct world_apis apis = {.endpoint_slice_v1 = served, .ingress_v1 = served};
        const struct desired_address address = {.text = "fc00::4", .ipv6 = true};
        struct desired_objects objects = {0};
        struct error err = {0};
        MUST(desired_objects_make(&objects, config, &apis, &address, &err) == 0);
        for (size_t i = 0; i < objects.count; i++) {
            const struct desired_object *object = &objects.items[i];
            _cleanup_free_ char *path = NULL;
            MUST(kube_kind_path(object->kind, object->name_space, object->name, &path) == 0);
        }
        desired_objects_done(&objects);
    }
}

static void check_desired(const struct config *config)
{
    struct desired_container container = {0};
    _cleanup_buf_ struct buf hosts = BUF_INIT(TEXT_BYTES_MAX);
    MUST(desired_container(config, &container) == 0);
    json_auto_t *spec = desired_container_spec(&container);
    MUST(spec != NULL);
    MUST(desired_hosts_toml(config, &hosts) == 0);
    MUST(!desired_hosts_is_script(buf_str(&hosts)));
    desired_container_done(&container);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(config_freep) struct config *config = parse((const char *)data, size);
    if (config != NULL) {
        check_same(config);
        check_objects(config);
        check_desired(config);
    }
    return 0;
}
