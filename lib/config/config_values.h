// What can be configured, as values: struct config. Names, defaults and meaning are the contract's;
// see config/registryd.yaml for each key in words.
#pragma once

#include "lib/base/backoff.h"
#include "lib/base/log.h"
#include "lib/base/strmap.h"
#include "lib/base/strv.h"

#include <stdbool.h>
#include <stdint.h>

enum restart_policy {
    RESTART_ALWAYS,
    RESTART_UNLESS_STOPPED,
    RESTART_ON_FAILURE,
    RESTART_NO,
};

// "always", "unless-stopped", … as the engine writes them.
const char *restart_policy_name(enum restart_policy policy);

// What is done where a node's containerd reads no hosts.toml.
enum config_path_cure {
    CURE_REPORT,
    CURE_REPAIR,
};

struct config_registry {
    char *name;
    char *image;
    char *listen;         // ADDRESS:PORT
    char *listen_address; // of it: an IP address without brackets
    uint16_t listen_port;
    bool allow_remote;
    char *storage; // absolute
    enum restart_policy restart;
    bool delete_enabled;
    struct strmap environment;
};

// A pull-through cache of one upstream.
struct config_cache {
    char *upstream;      // HOST[:PORT] that image names begin with; NULL after the last one
    char *url;           // of its API: scheme://host[:port]
    char *username;      // "": none
    char *password_file; // absolute path, NULL: none
    char *container;     // its container's name, which is its DNS name on the network, too
    char *storage;
};
#define CACHES_MAX 8
#define CACHE_CONTAINER "%s-cache-%s" // registry.name, the upstream

struct config_ui {
    bool enabled;
    char *name_space;
    char *image;
    uint32_t replicas;
    char *title;
    char *url;  // the browser's origin: scheme://host[:port], no trailing slash
    char *path; // begins and ends with '/'
    char *ingress_class;
    bool check;    // whether url is asked from this machine
    char *gateway; // NAMESPACE/NAME, or empty: an Ingress is wanted then
    struct strmap environment;
};

// Where the docker client looks for an engine that docker.host does not name. Of the environment;
// NULL: unset.
struct config_docker_search {
    char *host;          // DOCKER_HOST
    char *context;       // DOCKER_CONTEXT
    char *config_dir;    // of config.json and the contexts
    struct strv sockets; // paths, in the order in which they are tried
};

struct config_docker {
    char *host; // unix://PATH or tcp://HOST:PORT; "": as the search finds it
    bool tls;
    char *ca; // absolute paths of PEM files, NULL when unset; likewise the next two
    char *cert;
    char *key;
    struct config_docker_search search;
};

struct config {
    struct config_registry registry;
    struct config_cache caches[CACHES_MAX + 1];
    char *network;
    struct strv clusters; // patterns with * and ?
    struct {
        struct strv aliases; // host:port, effective: the added ones are in it, no duplicates
        bool skip_verify;
        enum config_path_cure config_path;
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
    bool from_file;  // false: there was none, so these are the defaults
    unsigned shares; // owners beside the first; config_ref
};
