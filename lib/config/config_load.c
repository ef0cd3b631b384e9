// From a file to the effective configuration.

#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/config/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_MAX (YAML_BYTES_MAX + 1)

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

// Reads at most one byte more than the reader accepts, so that it can say so. A file that is
// replaced meanwhile is read as it was; one that is written to would be a mixture, and is -EBUSY.
// Returns 0 with *ret owned by the caller, or -errno.
static int read_file(const char *file, char **ret, size_t *ret_length)
{
    _cleanup_free_ char *text = malloc(TEXT_MAX);
    _cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat before;
    struct stat after;
    size_t length = 0;
    if (text == NULL) {
        return -ENOMEM;
    }
    if (fd < 0 || fstat(fd, &before) < 0) {
        return -errno;
    }
    int r = file_read_some(fd, text, TEXT_MAX, &length);
    if (r < 0) {
        return r;
    }
    if (fstat(fd, &after) < 0) {
        return -errno;
    }
    if (S_ISREG(before.st_mode) && !is_same(&before, &after)) {
        return -EBUSY;
    }
    *ret = TAKE_PTR(text);
    *ret_length = length;
    return 0;
}

// Hands the problems over. Returns -EINVAL or -ENOMEM.
static int give_problems(struct problems *problems, struct config_problems *ret)
{
    problems_sort(problems);
    struct config_problem *items = calloc(problems->count, sizeof(*items));
    if (items == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->items[i];
        items[i] = (struct config_problem){
            .line = problem->line,
            .column = problem->column,
            .path = TAKE_PTR(problem->path),
            .text = TAKE_PTR(problem->text),
        };
    }
    *ret = (struct config_problems){.items = items, .count = problems->count};
    return -EINVAL;
}

// The absolute directory of the file; the caller frees it. NULL when out of memory or without one.
static char *directory_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - file) + 1;
    if (file[0] == '/') {
        return str_dup_n(file, length);
    }
    char current[PATH_MAX];
    if (getcwd(current, sizeof(current)) == NULL) {
        return NULL;
    }
    return str_printf("%s/%.*s", current, (int)length, file);
}

static int decode(const char *text, size_t length, const struct schema_source *source,
                  struct config *config, struct problems *problems)
{
    _cleanup_(yaml_node_freep) struct yaml_node *root = NULL;
    int r = yaml_read_all(text, length, &root, problems);
    if (r < 0) {
        return r == -EINVAL ? 0 : r;
    }
    r = schema_decode(config_schema, root, source, config, problems);
    return r < 0 ? r : config_complete(config, root, source, problems);
}

static int note_secrets(struct config *config)
{
    const struct strmap *const environments[] = {&config->registry.environment,
                                                 &config->ui.environment};
    int r = secrets_new(&config->secrets);
    for (size_t i = 0; i < ELEMENTS(environments); i++) {
        strmap_foreach (environments[i], entry) {
            r = r < 0 ? r : secrets_add(config->secrets, entry->value);
        }
    }
    return r;
}

int config_parse(const char *text, size_t length, const char *file,
                 const struct config_environment *environment, struct config **ret,
                 struct config_problems *ret_problems)
{
    _cleanup_free_ char *directory = directory_of(file);
    _cleanup_(config_freep) struct config *config = calloc(1, sizeof(*config));
    if (directory == NULL || config == NULL) {
        return -ENOMEM;
    }
    const struct schema_source source = {
        .directory = directory,
        .get = environment->get,
        .ctx = environment->ctx,
    };
    _cleanup_(problems_done) struct problems problems = {0};
    int r = decode(text, length, &source, config, &problems);
    if (r < 0) {
        return r;
    }
    if (problems.count > 0) {
        return give_problems(&problems, ret_problems);
    }
    r = note_secrets(config);
    if (r < 0) {
        return r;
    }
    *ret = TAKE_PTR(config);
    return 0;
}

int config_load(const char *file, bool must_exist, const struct config_environment *environment,
                struct config **ret, struct config_problems *ret_problems)
{
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    int r = read_file(file, &text, &length);
    if (r == -ENOMEM) {
        return r;
    }
    if (r < 0 && (r != -ENOENT || must_exist)) {
        _cleanup_(problems_done) struct problems problems = {0};
        r = problems_add(&problems, 1, 1, "", "cannot be read: %s",
                         r == -EBUSY ? "it is being written" : strerror(-r));
        return r < 0 ? r : give_problems(&problems, ret_problems);
    }
    bool from_file = r == 0;
    r = config_parse(from_file ? text : "", length, file, environment, ret, ret_problems);
    if (r == 0) {
        (*ret)->from_file = from_file;
    }
    return r;
}
