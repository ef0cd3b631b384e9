// hostk8s-registryd: keeps a local image registry for kind clusters as a YAML file declares it.
//
// Where to read on: command_run.c (the daemon), session.c (the loop that every command shares),
// lib/reconcile/reconciler.c (what is done when), lib/plan (what differs), lib/desired (what should
// be).
#include "daemon/commands.h"
#include "daemon/options.h"

#include <signal.h>

static const struct command commands[] = {
    {"run", "stay and keep everything converged (the default)", TAKES_NONE, command_run},
    {"check", "check the configuration, print every error", TAKES_PRINT, command_check},
    {"plan", "print what would change, change nothing", TAKES_JSON, command_plan},
    {"apply", "converge once and say what was done", TAKES_TIMEOUT, command_apply},
    {"status", "print what the running daemon sees", TAKES_JSON, command_status},
    {"teardown", "remove what is owned, never the storage directory", TAKES_YES | TAKES_TIMEOUT,
     command_teardown},
    {NULL, NULL, TAKES_NONE, NULL},
};

int main(int argc, char **argv)
{
    struct options options = {0};
    int status = 0;
    if (options_parse(argc, argv, commands, &options, &status) != 0) {
        return status;
    }
    // A peer that closes its end is an error of that request, not the end of the program.
    (void)signal(SIGPIPE, SIG_IGN);
    return options.command->run(&options);
}
