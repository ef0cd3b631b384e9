// The effective configuration: what the YAML file declares, every default filled in.
// Names, defaults and meaning are the contract's; see config/registryd.yaml for each key in words.
#pragma once

#include "lib/base/backoff.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"
#include "lib/base/strmap.h"
#include "lib/base/strv.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum restart_policy {
    RESTART_ALWAYS,
    RESTART_UNLESS_STOPPED,
    RESTART_ON_FAILURE,
    RESTART_NO,
};

struct config_registry {
    char *name;
    char *image;
    char *listen_address; // an IP address without brackets
    uint16_t listen_port;
    bool allow_remote;
    char *storage; // absolute
    enum restart_policy restart;
    bool delete_enabled;
    struct strmap environment;
};

struct config_ui {
    bool enabled;
    char *name_space;
    char *image;
    uint32_t replicas;
    char *title;
    char *url;  // the browser's origin: scheme://host[:port], no trailing slash
    char *path; // begins and ends with '/'
    char *ingress_class;
    struct strmap environment;
};

struct config_docker {
    char *host; // unix://PATH or tcp://HOST:PORT
    bool tls;
    char *ca; // absolute paths of PEM files, NULL when unset; likewise the next two
    char *cert;
    char *key;
};

struct config {
    struct config_registry registry;
    char *network;
    struct strv clusters; // patterns with * and ?
    struct {
        struct strv aliases; // host:port, effective: the added ones are in it, no duplicates
        bool skip_verify;
    } nodes;
    struct config_ui ui;
    struct config_docker docker;
    char *kubeconfig; // absolute path, NULL: each cluster's own admin.conf
    struct {
        uint64_t poll_ms;
        uint64_t timeout_ms;
        struct backoff backoff;
    } reconcile;
    enum log_level log_level;
    struct secrets *secrets; // the values of both environments
    bool from_file;          // false: there was none, so these are the defaults
};

// One problem of a configuration file, line and column from 1.
struct config_problem {
    unsigned line;
    unsigned column;
    char *path; // "registry.listen", "" for the whole document
    char *text;
};

// All zero is an empty list.
struct config_problems {
    struct config_problem *items;
    size_t count;
};

// Everything outside the file that its meaning depends on; NULL entries are unset.
struct config_environment {
    const char *(*get)(void *ctx, const char *name); // as getenv
    void *ctx;
};

// Reads FILE; with must_exist false a missing file means the defaults. Returns 0 with *ret (the
// caller frees it with config_free), or -EINVAL with every problem listed in *ret_problems, in the
// order of the file (also when the file cannot be read), or -ENOMEM.
int config_load(const char *file, bool must_exist, const struct config_environment *environment,
                struct config **ret, struct config_problems *ret_problems);

// As config_load, from memory; file is the name that relative paths are relative to.
int config_parse(const char *text, size_t length, const char *file,
                 const struct config_environment *environment, struct config **ret,
                 struct config_problems *ret_problems);

// Prints the effective configuration as YAML that config_parse reads back to an equal one.
// Returns 0 or -errno of the stream.
int config_print(const struct config *config, FILE *out);

// The environment of this process.
extern const struct config_environment config_process_environment;

// $XDG_CONFIG_HOME/hostk8s/registryd.yaml, else ~/.config/…; the caller frees it. NULL when out of
// memory or without HOME.
char *config_default_file(const struct config_environment *environment);

// Whether the cluster name matches one of config->clusters.
bool config_wants_cluster(const struct config *config, const char *cluster);

// "always", "unless-stopped", … as the engine writes them.
const char *restart_policy_name(enum restart_policy policy);

void config_free(struct config *config);
void config_problems_done(struct config_problems *problems);

DEFINE_CLEANUP(struct config *, config_free)
