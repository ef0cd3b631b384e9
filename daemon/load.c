#include "daemon/load.h"

#include "lib/base/str.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

char *load_file_name(const struct options *options)
{
    _cleanup_free_ char *given = options->config_file != NULL
                                     ? str_dup(options->config_file)
                                     : config_default_file(&config_process_environment);
    if (given == NULL) {
        (void)fputs("hostk8s-registryd: neither XDG_CONFIG_HOME nor HOME is set; "
                    "name the configuration with --config\n",
                    stderr);
        return NULL;
    }
    char *slash = strrchr(given, '/');
    const char *name = slash == NULL ? given : slash + 1;
    _cleanup_free_ char *parent =
        slash == NULL ? str_dup(".") : str_dup_n(given, (size_t)(name - given));
    _cleanup_free_ char *directory = parent == NULL ? NULL : realpath(parent, NULL);
    // A directory that is missing is the error to print, with the name as it was given.
    return directory == NULL
               ? TAKE_PTR(given)
               : str_printf("%s/%s", str_equal(directory, "/") ? "" : directory, name);
}

char *load_problem_text(const char *file, const struct config_problem *problem)
{
    bool whole = str_empty(problem->path); // of the whole document
    char *text = str_printf("%s:%u:%u: %s%s%s", file, problem->line, problem->column,
                            whole ? "" : problem->path, whole ? "" : ": ", problem->text);
    if (text != NULL) {
        str_make_printable(text); // a path may be any bytes
    }
    return text;
}

int load_config(const struct options *options, const char *file, struct config **ret)
{
    struct config_problems problems = {0};
    int r = config_load(file, options->config_file != NULL, &config_process_environment, ret,
                        &problems);
    if (r < 0 && problems.count == 0) {
        (void)fprintf(stderr, "hostk8s-registryd: %s: %s\n", file, strerror(-r));
    }
    for (size_t i = 0; i < problems.count; i++) {
        _cleanup_free_ char *text = load_problem_text(file, &problems.items[i]);
        (void)fprintf(stderr, "%s\n", text == NULL ? file : text);
    }
    config_problems_done(&problems);
    if (r >= 0 && options->has_level) {
        (*ret)->log_level = options->level;
    }
    return r;
}
