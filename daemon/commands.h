// The commands, one file each (command_NAME.c). Each returns the exit status.
#pragma once

struct options;

int command_run(const struct options *options);
int command_check(const struct options *options);
int command_plan(const struct options *options);
int command_apply(const struct options *options);
int command_status(const struct options *options);
int command_teardown(const struct options *options);
