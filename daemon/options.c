#include "daemon/options.h"

#include "daemon/exit_status.h"
#include "lib/base/str.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS_DEFAULT (120u * 1000u)
#define TIMEOUT_S_MAX (24u * 3600u)

enum {
    OPTION_PRINT = 256,
    OPTION_JSON,
    OPTION_YES,
    OPTION_TIMEOUT,
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"config", required_argument, NULL, 'c'},
    {"log-level", required_argument, NULL, 'l'},
    {"print", no_argument, NULL, OPTION_PRINT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"yes", no_argument, NULL, OPTION_YES},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {NULL, 0, NULL, 0},
};

static void print_help(const struct command *commands)
{
    (void)printf("Usage: hostk8s-registryd [-c FILE] [-l LEVEL] [COMMAND]\n\n"
                 "Keeps a local image registry for kind clusters converged.\n\nCommands:\n");
    for (const struct command *command = commands; command->name != NULL; command++) {
        (void)printf("  %-10s %s\n", command->name, command->summary);
    }
    (void)printf("\nOptions:\n"
                 "  -c, --config FILE      configuration "
                 "(default: $XDG_CONFIG_HOME/hostk8s/registryd.yaml)\n"
                 "  -l, --log-level LEVEL  debug, info, notice, warning or error\n"
                 "  -h, --help             this text\n"
                 "  -V, --version          the version\n"
                 "      --print            check: print the effective configuration, "
                 "with all environment values\n"
                 "      --json             plan, status: print JSON\n"
                 "      --timeout TIME     apply, teardown: give up after TIME, such as 90s "
                 "(default 120s)\n"
                 "      --yes              teardown: do not ask\n");
}

_printf_(2, 3) static int usage(int *ret_status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("hostk8s-registryd: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputs(" (try --help)\n", stderr);
    va_end(args);
    *ret_status = EXIT_USAGE;
    return 1;
}

// "90s", "2m" or plain seconds.
static int parse_timeout(const char *text, uint64_t *ret_ms)
{
    char digits[16];
    size_t length = strspn(text, "0123456789");
    if (length == 0 || length >= sizeof(digits)) {
        return -EINVAL;
    }
    memcpy(digits, text, length);
    digits[length] = '\0';
    uint64_t factor = 0;
    if (str_equal(text + length, "s") || str_equal(text + length, "")) {
        factor = 1;
    } else if (str_equal(text + length, "m")) {
        factor = 60;
    }
    uint64_t value = 0;
    if (factor == 0 || str_to_u64(digits, TIMEOUT_S_MAX / factor, &value) < 0 || value == 0) {
        return -EINVAL;
    }
    *ret_ms = value * factor * 1000;
    return 0;
}

// Sets the command and refuses options that it has no use for.
static int choose_command(struct options *options, const struct command *commands, const char *name,
                          int *ret_status)
{
    for (const struct command *command = commands; command->name != NULL; command++) {
        if (name == NULL || str_equal(command->name, name)) {
            options->command = command;
            break;
        }
    }
    if (options->command == NULL) {
        return usage(ret_status, "unknown command `%s'", name);
    }
    const struct {
        bool given;
        enum option_set option;
        const char *name;
    } special[] = {
        {options->print, TAKES_PRINT, "--print"},
        {options->json, TAKES_JSON, "--json"},
        {options->yes, TAKES_YES, "--yes"},
        {options->timeout_ms != 0, TAKES_TIMEOUT, "--timeout"},
    };
    for (size_t i = 0; i < ELEMENTS(special); i++) {
        if (special[i].given && (options->command->takes & special[i].option) == 0) {
            return usage(ret_status, "%s takes no %s", options->command->name, special[i].name);
        }
    }
    if (options->timeout_ms == 0) {
        options->timeout_ms = TIMEOUT_MS_DEFAULT;
    }
    return 0;
}

int options_parse(int argc, char **argv, const struct command *commands, struct options *ret,
                  int *ret_status)
{
    struct options options = {0};
    int c = 0;
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":hVc:l:", long_options, NULL)) != -1) {
        switch (c) {
        case 'h':
            print_help(commands);
            *ret_status = EXIT_OK;
            return 1;
        case 'V':
            (void)printf("hostk8s-registryd %s\n", PROGRAM_VERSION);
            *ret_status = EXIT_OK;
            return 1;
        case 'c':
            options.config_file = optarg;
            break;
        case 'l':
            if (log_level_from_name(optarg, &options.level) < 0) {
                return usage(ret_status, "unknown log level `%s'", optarg);
            }
            options.has_level = true;
            break;
        case OPTION_PRINT:
            options.print = true;
            break;
        case OPTION_JSON:
            options.json = true;
            break;
        case OPTION_YES:
            options.yes = true;
            break;
        case OPTION_TIMEOUT:
            if (parse_timeout(optarg, &options.timeout_ms) < 0) {
                return usage(ret_status, "--timeout: `%s' is no time such as 90s or 2m", optarg);
            }
            break;
        case ':':
            return usage(ret_status, "option `%s' needs an argument", argv[optind - 1]);
        default:
            return usage(ret_status, "unknown option `%s'", argv[optind - 1]);
        }
    }
    if (argc - optind > 1) {
        return usage(ret_status, "unexpected argument `%s'", argv[optind + 1]);
    }
    int r = choose_command(&options, commands, argv[optind], ret_status);
    if (r == 0) {
        *ret = options;
    }
    return r;
}
