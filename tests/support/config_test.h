// Reading configurations in tests: as the file /etc/app/x.yaml of a user whose HOME is /home/u.
#pragma once

#include "lib/base/buf.h"
#include "lib/base/strmap.h"
#include "lib/config/config.h"

#define TEXT_MAX (1024 * 1024)

#define _cleanup_map_ _cleanup_(strmap_done)
#define _cleanup_problems_ _cleanup_(problems_done)
#define _cleanup_config_ _cleanup_(config_freep)

// strmap_get with the map as ctx.
const char *map_get(void *ctx, const char *name);

#define ENVIRONMENT(map) (&(struct config_environment){.get = map_get, .ctx = (map)})

struct strmap with_home(void);

// Appends the problems as a user sees them.
void describe_problems(const struct problems *problems, const char *file, struct buf *out);

// The text has to be valid; the caller frees what is returned.
struct config *parse_with(const char *text, struct strmap *variables);
struct config *parse(const char *text);

// The text has to be invalid: its problems, as a user sees them; the caller frees them.
char *problems_with(const char *text, struct strmap *variables);

// The effective configuration as text; the caller frees it.
char *print(const struct config *config);

// What is printed of it means the same.
void assert_reads_back(const struct config *config);

void assert_aliases(const struct config *config, const char *expected);
void assert_defaults(const struct config *config);
