// hostk8s-registryd: keeps a local image registry for kind clusters as a YAML file declares it.
//
// Where to read on: lib/reconcile/attempt.c (observe, plan, act, again: the story),
// lib/kinds/kind.h (what a kind of things is), lib/kinds/node/ (the smallest kind, whole).
#include "daemon/commands.h"
#include "daemon/options.h"
#include "lib/base/alloc.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <uv.h>

static const struct command commands[] = {
    {"run", "stay and keep everything converged (the default)", OPTION_NONE, command_run},
    {"check", "check the configuration, print every error", OPTION_PRINT | OPTION_SCHEMA,
     command_check},
    {"plan", "print what would change, change nothing", OPTION_JSON, command_plan},
    {"apply", "converge once and say what was done", OPTION_TIMEOUT, command_apply},
    {"status", "print what the running daemon sees", OPTION_JSON | OPTION_WATCH | OPTION_NAMES,
     command_status},
    {"usage", "print what the storage holds", OPTION_JSON, command_usage},
    {"gc", "free what nothing refers to",
     OPTION_YES | OPTION_DRY_RUN | OPTION_KEEP | OPTION_ALL | OPTION_NAMES, command_gc},
    {"teardown", "remove what is owned, never the storage directory", OPTION_YES | OPTION_TIMEOUT,
     command_teardown},
    {"doctor", "use everything once, and say what does not work and why",
     OPTION_JSON | OPTION_TIMEOUT, command_doctor},
    {NULL, NULL, OPTION_NONE, NULL},
};

// A standard stream that whoever started the program has closed is /dev/null: its number would go
// to the next file that is opened, a lock or a connection, and messages would be written there.
static void open_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        // The lowest number that is free is fd, since those below it are open by now.
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd) {
            _exit(EXIT_FAILED);
        }
    }
}

int main(int argc, char **argv)
{
    open_standard_streams();
    // A peer that closes its end, and a file that may not grow, are errors of that request and that
    // file, not the end of the program.
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)uv_replace_allocator(xmalloc, xrealloc, xcalloc, free);

    struct options options;
    int status = options_parse(argc, argv, commands, &options);
    return status == OPTIONS_GOOD ? options.command->run(&options) : status;
}
