// A configuration file, and behind a NUL what DOCKER_HOST is. Refused, it says why with a place in
// the file; accepted, what is printed of it is accepted again as the same.
#include "lib/config/config.h"

#include "lib/base/str.h"
#include "lib/config/config_schema.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#define FILE_NAME "/home/user/registryd.yaml"

static char *docker_host; // of this input, NULL: unset

static const char *get(void *ctx, const char *name)
{
    (void)ctx;
    return str_equal(name, "HOME")          ? "/home/user"
           : str_equal(name, "DATA")        ? "data/.."
           : str_equal(name, "DOCKER_HOST") ? docker_host
                                            : NULL;
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

static void check_problems(const struct problems *problems, size_t lines)
{
    MUST(problems->count > 0);
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
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
    struct problems problems = {0};
    int r = config_parse(text, size, FILE_NAME, &environment, &config, &problems);
    MUST(r == 0 || r == -EINVAL);
    MUST((r == 0) == (config != NULL));
    if (r < 0) {
        check_problems(&problems, count_lines(text, size));
    }
    problems_done(&problems);
    return config;
}

// The caller frees.
static char *print(const struct config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    MUST(out != NULL);
    schema_print(config_schema, config, out);
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

static void check_values(const struct config *config)
{
    MUST(config->registry.storage[0] == '/' && config->registry.storage[1] != '\0');
    for (size_t i = 0; i < config->nodes.aliases.count; i++) {
        for (const char *c = config->nodes.aliases.items[i]; *c != '\0'; c++) {
            MUST(*c < 'A' || *c > 'Z');
        }
        for (size_t j = 0; j < i; j++) {
            MUST(!str_equal(config->nodes.aliases.items[i], config->nodes.aliases.items[j]));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size == 0 ? NULL : memchr(data, '\0', size);
    size_t length = nul == NULL ? size : (size_t)(nul - data);
    docker_host = nul == NULL ? NULL : text_of_input(nul + 1, size - length - 1);
    _cleanup_(config_freep) struct config *config = parse((const char *)data, length);
    free(TAKE_PTR(docker_host)); // what is printed does not need it
    if (config != NULL) {
        check_same(config);
        check_values(config);
    }
    return 0;
}
