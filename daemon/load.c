#include "daemon/load.h"

#include "daemon/journal.h"
#include "daemon/terminal.h"
#include "lib/base/str.h"

#include <stdio.h>
#include <string.h>

char *load_file_name(const struct options *options)
{
    struct error err;
    _cleanup_free_ char *given = options->config_file != NULL
                                     ? str_dup(options->config_file)
                                     : config_default_file(&config_process_environment, &err);
    if (given == NULL) {
        terminal_complain("%s; name the configuration with --config", err.text);
        return NULL;
    }
    char *slash = strrchr(given, '/');
    const char *name = slash == NULL ? given : slash + 1;
    _cleanup_free_ char *parent =
        slash == NULL ? str_dup(".") : str_dup_n(given, (size_t)(name - given));
    _cleanup_free_ char *directory = realpath(parent, NULL);
    // A directory that is missing is the error to print, with the name as it was given.
    return directory == NULL
               ? TAKE_PTR(given)
               : str_printf("%s/%s", str_equal(directory, "/") ? "" : directory, name);
}

char *load_problem_text(const char *file, const struct problem *problem)
{
    bool whole = str_empty(problem->path); // of the whole document
    char *text = str_printf("%s:%u:%u: %s%s%s", file, problem->line, problem->column,
                            whole ? "" : problem->path, whole ? "" : ": ", problem->text);
    str_make_printable(text); // a path may be any bytes
    return text;
}

void load_override(const struct options *options, struct config *config)
{
    if (options->level != 0) {
        config->log_level = options->level;
    }
}

bool load(const struct options *options, char **ret_file, struct config **ret)
{
    _cleanup_(problems_done) struct problems problems = {0};
    _cleanup_free_ char *file = load_file_name(options);
    if (file == NULL) {
        return false;
    }
    int r = config_load(file, options->config_file != NULL, &config_process_environment, ret,
                        &problems);
    for (size_t i = 0; i < problems.count; i++) {
        _cleanup_free_ char *text = load_problem_text(file, &problems.items[i]);
        (void)fprintf(stderr, "%s\n", text);
    }
    if (r < 0) {
        return false;
    }
    load_override(options, *ret);
    journal_open((*ret)->log_level);
    *ret_file = TAKE_PTR(file);
    return true;
}
