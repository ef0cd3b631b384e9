// The effective configuration: what the YAML file declares, every default filled in.
#pragma once

#include "lib/base/error.h"
#include "lib/base/secret.h"
#include "lib/config/config_values.h"
#include "lib/doc/problem.h"

// Everything outside the file that its meaning depends on; NULL entries are unset.
struct config_environment {
    const char *(*get)(void *ctx, const char *name); // as getenv
    void *ctx;
};

// Reads FILE; with must_exist false a missing file means the defaults. One that must exist was
// named by the user, and may be a pipe, which is waited for. Returns 0 with *ret (the caller frees
// it with config_free), or -EINVAL with every problem in *ret_problems, which is empty before, in
// the order of the file (also when the file cannot be read).
int config_load(const char *file, bool must_exist, const struct config_environment *environment,
                struct config **ret, struct problems *ret_problems);

// As config_load, from memory; file is the name that relative paths are relative to.
int config_parse(const char *text, size_t length, const char *file,
                 const struct config_environment *environment, struct config **ret,
                 struct problems *ret_problems);

// The environment of this process.
extern const struct config_environment config_process_environment;

// $XDG_CONFIG_HOME/hostk8s/registryd.yaml, else ~/.config/…; the caller frees it. NULL with err
// when neither is set, or the one that counts is not absolute.
char *config_default_file(const struct config_environment *environment, struct error *err);

// Whether the cluster name matches one of config->clusters.
bool config_has_cluster(const struct config *config, const char *cluster);

// The cache of the upstream, NULL when none is declared.
const struct config_cache *config_cache_of(const struct config *config, const char *upstream);

// Adds what no message may show: the values of both environments.
void config_add_secrets(const struct config *config, struct secrets *secrets);

// One owner more: config_free frees it with the last. Returns config.
struct config *config_ref(struct config *config);
void config_free(struct config *config);

DEFINE_CLEANUP(struct config *, config_free)
