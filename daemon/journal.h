// Where log lines go: to journald with fields when stderr is connected to it, else to stderr.
#pragma once

#include "lib/base/log.h"

// Chooses the sink and sets it.
void journal_open(enum log_level level);
