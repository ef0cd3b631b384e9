#include "daemon/options.h"

#include "daemon/commands.h"
#include "daemon/terminal.h"
#include "lib/base/str.h"
#include "lib/doc/schema_type.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS_DEFAULT (120u * 1000u)
#define TIMEOUT_MS_MAX (24u * 3600u * 1000u)

#define KEEP_MAX 1000000u

#define LETTERS ":hVc:l:"
#define NO_LETTER 0x10000 // beyond all letters; with it, one of enum option_set

static const struct {
    const char *name;
    int letter;
    const char *argument; // NULL: it takes none
    const char *help;
} rows[] = {
    {"config", 'c', "FILE", "instead of ~/.config/hostk8s/registryd.yaml"},
    {"log-level", 'l', "LEVEL", "debug, info, notice, warning or error"},
    {"help", 'h', NULL, "this text"},
    {"version", 'V', NULL, "the version"},
    {"print", NO_LETTER | OPTION_PRINT, NULL, "check: print what is in force, environments too"},
    {"schema", NO_LETTER | OPTION_SCHEMA, NULL, "check: print its JSON Schema, for editors"},
    {"json", NO_LETTER | OPTION_JSON, NULL, "plan, status, doctor, usage: print JSON"},
    {"watch", NO_LETTER | OPTION_WATCH, NULL, "status: stay, and print it whenever it changes"},
    {"timeout", NO_LETTER | OPTION_TIMEOUT, "TIME",
     "apply, teardown, doctor: give up after it (120s)"},
    {"yes", NO_LETTER | OPTION_YES, NULL, "teardown, gc: do not ask"},
    {"dry-run", NO_LETTER | OPTION_DRY_RUN, NULL, "gc: list what goes, remove nothing"},
    {"keep", NO_LETTER | OPTION_KEEP, "N", "gc: keep the N newest tags of each that is named"},
    {"all", NO_LETTER | OPTION_ALL, NULL, "gc: with --keep, of every repository"},
};

static int print_help(const struct command *commands)
{
    (void)printf(
        "Usage: hostk8s-registryd [-c FILE] [-l LEVEL] [COMMAND [OPTION ...] [NAME ...]]\n\n"
        "Keeps a local image registry for kind clusters converged.\n\nCommands:\n");
    for (const struct command *command = commands; command->name != NULL; command++) {
        (void)printf("  %-10s %s\n", command->name, command->summary);
    }
    (void)printf("\nOptions:\n");
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        const char letter[] = {'-', (char)rows[i].letter, ',', '\0'};
        _cleanup_free_ char *name =
            str_printf("%s %s", rows[i].name, rows[i].argument == NULL ? "" : rows[i].argument);
        (void)printf("  %3s --%-16s %s\n", rows[i].letter < NO_LETTER ? letter : "", name,
                     rows[i].help);
    }
    return terminal_end();
}

static int print_version(void)
{
    (void)printf("hostk8s-registryd %s\n", PROGRAM_VERSION);
    return terminal_end();
}

#define usage(format, ...) (terminal_complain(format " (try --help)", ##__VA_ARGS__), EXIT_USAGE)

// After a '?' of getopt_long.
static int refuse_option(char **argv)
{
    // A letter that it knows is that of a long option, which was given an argument.
    if (optopt >= NO_LETTER || (optopt != 0 && strchr(LETTERS, optopt) != NULL)) {
        return usage("option `%s' takes no argument", argv[optind - 1]);
    }
    // One unknown letter may be anywhere in its word.
    return optopt == 0 ? usage("unknown option `%s'", argv[optind - 1])
                       : usage("unknown option `-%c'", optopt);
}

static int set_level(struct options *options, const char *name)
{
    for (options->level = LOG_LEVEL_ERROR; options->level <= LOG_LEVEL_DEBUG; options->level++) {
        if (str_equal(name, log_level_name(options->level))) {
            return OPTIONS_GOOD;
        }
    }
    return usage("unknown log level `%s'", name);
}

// A duration as in the configuration, or plain seconds.
static int set_timeout(struct options *options, const char *text)
{
    static const struct schema_field field = {
        .type = SCHEMA_DURATION, .min = 1000, .max = TIMEOUT_MS_MAX};
    bool seconds = text[strspn(text, "0123456789")] == '\0';
    _cleanup_free_ char *duration = str_printf("%s%s", text, seconds ? "s" : "");
    return schema_parse(&field, duration, NULL, &options->timeout_ms, NULL) == 0
               ? OPTIONS_GOOD
               : usage("--timeout: `%s' is no time such as 90s or 2m", text);
}

static int set_keep(struct options *options, const char *text)
{
    return str_to_u64(text, KEEP_MAX, &options->keep) == 0 && options->keep > 0
               ? OPTIONS_GOOD
               : usage("--keep: `%s' is no number of tags", text);
}

// Takes what getopt_long has found. Returns as options_parse.
static int set_option(struct options *options, int found, char **argv,
                      const struct command *commands)
{
    switch (found) {
    case 'h':
        return print_help(commands);
    case 'V':
        return print_version();
    case 'c':
        options->config_file = optarg;
        return str_empty(optarg) ? usage("--config: no file has an empty name") : OPTIONS_GOOD;
    case 'l':
        return set_level(options, optarg);
    case ':':
        return usage("option `%s' needs an argument", argv[optind - 1]);
    case '?':
        return refuse_option(argv);
    default:
        options->given |= (unsigned)found ^ NO_LETTER;
        return found == (NO_LETTER | OPTION_TIMEOUT) ? set_timeout(options, optarg)
               : found == (NO_LETTER | OPTION_KEEP)  ? set_keep(options, optarg)
                                                     : OPTIONS_GOOD;
    }
}

// Whether gc is told of which repositories it keeps so many tags, and only then.
static int check_keep(const struct options *options)
{
    bool keeps = (options->given & OPTION_KEEP) != 0;
    bool all = (options->given & OPTION_ALL) != 0;
    bool named = options->names[0] != NULL;
    if (keeps && all == named) {
        return usage("--keep wants the names of repositories, or --all");
    }
    return (options->command->takes & OPTION_KEEP) != 0 && !keeps && (all || named)
               ? usage("the names of repositories and --all go with --keep")
               : OPTIONS_GOOD;
}

// Sets the command and what stands behind it; the first one without words. Refuses what it has no
// use for.
static int set_command(struct options *options, const struct command *command, char **words)
{
    const char *name = words[0];
    while (command->name != NULL && name != NULL && !str_equal(command->name, name)) {
        command++;
    }
    if (command->name == NULL) {
        return usage("unknown command `%s'", name);
    }
    options->command = command;
    options->names = words + (name != NULL);
    if (options->names[0] != NULL && (command->takes & OPTION_NAMES) == 0) {
        return usage("unexpected argument `%s'", options->names[0]);
    }
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        if (rows[i].letter >= NO_LETTER &&
            ((unsigned)rows[i].letter & options->given & ~command->takes) != 0) {
            return usage("%s takes no --%s", command->name, rows[i].name);
        }
    }
    return check_keep(options);
}

int options_parse(int argc, char **argv, const struct command *commands, struct options *ret)
{
    struct option names[ELEMENTS(rows) + 1] = {{0}};
    int status = OPTIONS_GOOD;
    *ret = (struct options){.timeout_ms = TIMEOUT_MS_DEFAULT};
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        names[i] = (struct option){
            .name = rows[i].name, .has_arg = rows[i].argument != NULL, .val = rows[i].letter};
    }
    opterr = 0;
    for (int found = 0; status == OPTIONS_GOOD && found != -1;) {
        found = getopt_long(argc, argv, LETTERS, names, NULL);
        status = found == -1 ? status : set_option(ret, found, argv, commands);
    }
    return status == OPTIONS_GOOD ? set_command(ret, commands, argv + optind) : status;
}
