#include "lib/plan/outcome.h"

#include "lib/base/str.h"
#include "lib/plan/plan_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// What was spoken to when the error came.
enum peer {
    PEER_STORAGE,
    PEER_ENGINE,
    PEER_PULL, // the engine, and behind it a registry elsewhere
    PEER_NODE, // a node's file system, through the engine
    PEER_CLUSTER,
};

static enum peer peer_of_action(enum action_type type)
{
    switch (type) {
    case ACTION_STORAGE_MAKE:
        return PEER_STORAGE;
    case ACTION_IMAGE_PULL:
        return PEER_PULL;
    case ACTION_HOSTS_WRITE:
    case ACTION_HOSTS_REMOVE:
        return PEER_NODE;
    case ACTION_OBJECT_APPLY:
    case ACTION_OBJECT_DELETE:
        return PEER_CLUSTER;
    case ACTION_CONTAINER_CREATE:
    case ACTION_CONTAINER_START:
    case ACTION_CONTAINER_STOP:
    case ACTION_CONTAINER_UNPAUSE:
    case ACTION_CONTAINER_RENAME:
    case ACTION_CONTAINER_UPDATE:
    case ACTION_CONTAINER_REMOVE:
    case ACTION_NETWORK_CONNECT:
    case ACTION_NETWORK_DISCONNECT:
    case _ACTION_TYPE_COUNT:
        break;
    }
    return PEER_ENGINE;
}

static bool is_missing_or_conflict(const struct error *error)
{
    return error->status == 404 || error->status == 409;
}

static bool is_refusal(const struct error *error)
{
    return error->status == 401 || error->status == 403;
}

// No answer came: nobody listens, the connection broke, the peer is not who it should be.
static bool is_transport(const struct error *error)
{
    return error->status == 0 && (error->kind == ERROR_TRANSIENT || error->code == EKEYREJECTED) &&
           error->code != EBADMSG;
}

static bool is_socket_permission(const struct error *error)
{
    return error->status == 0 && (error->code == EACCES || error->code == EPERM);
}

static _printf_(4, 5) enum reason
    say(char *message, size_t size, enum reason reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, size, format, args);
    va_end(args);
    str_make_printable(message);
    return reason;
}

// What holds for every request, whatever it was for.
static enum reason of_peer(const struct plan_input *input, enum peer peer,
                           const struct error *error, char *message, size_t size)
{
    if (error_is_own(error)) {
        return say(message, size, REASON_ERROR, "%s", error->text);
    }
    if (peer == PEER_STORAGE) {
        return say(message, size, REASON_STORAGE_NOT_WRITABLE,
                   "%s; make the directory writable or change registry.storage", error->text);
    }
    if (peer == PEER_CLUSTER) {
        if (is_refusal(error)) {
            return say(message, size, REASON_FORBIDDEN,
                       "%s; give the kubeconfig's user the rights or leave kubernetes.kubeconfig "
                       "empty",
                       error->text);
        }
        if (is_transport(error)) {
            return say(message, size, REASON_API_UNREACHABLE, "%s; it is asked again", error->text);
        }
        return say(message, size, REASON_ERROR, "%s", error->text);
    }
    if (is_socket_permission(error)) {
        return say(message, size, REASON_PERMISSION_DENIED,
                   "no permission to use %s; add yourself to the group docker and log in again",
                   input->config->docker.host);
    }
    if (is_refusal(error)) {
        return say(message, size, REASON_PERMISSION_DENIED,
                   "%s; let docker.host's engine allow the request", error->text);
    }
    // A pull that takes too long says nothing about the engine.
    if (is_transport(error) && !(peer == PEER_PULL && error->code == ETIMEDOUT)) {
        return say(message, size, REASON_ENGINE_UNREACHABLE,
                   "%s; start the Docker Engine or change docker.host", error->text);
    }
    if (peer == PEER_PULL) {
        return say(message, size, REASON_IMAGE_PULL_FAILED,
                   "%s; correct registry.image, or pull it by hand with `docker pull %s`",
                   error->text, input->config->registry.image);
    }
    return say(message, size, REASON_ERROR, "%s", error->text);
}

enum reason outcome_of_action(const struct plan_input *input, const struct action *action,
                              const struct error *error, char *message, size_t size)
{
    bool creates = action->type == ACTION_CONTAINER_CREATE;
    bool starts = action->type == ACTION_CONTAINER_START;
    if ((creates || starts) && plan_port_is_taken(error->text)) {
        char taken[PLAN_PORT_TEXT_SIZE];
        plan_port_text(input, taken, sizeof(taken));
        return say(message, size, REASON_PORT_IN_USE, "%s", taken);
    }
    if ((creates || action->type == ACTION_CONTAINER_RENAME) && error->status == 409) {
        return say(message, size, REASON_NAME_CONFLICT,
                   "%s; rename or remove that container, or change registry.name", error->text);
    }
    if (action->type == ACTION_NETWORK_CONNECT && error->status == 404) {
        return say(message, size, REASON_NETWORK_MISSING, PLAN_NETWORK_MISSING,
                   input->config->network);
    }
    enum peer peer = peer_of_action(action->type);
    if (peer == PEER_NODE && is_missing_or_conflict(error)) {
        return say(message, size, REASON_NODE_NOT_RUNNING, PLAN_NODE_NOT_RUNNING, action->target);
    }
    return of_peer(input, peer, error, message, size);
}

enum reason outcome_of_observation(const struct plan_input *input, const char *key,
                                   const struct error *error, char *message, size_t size)
{
    if (str_starts_with(key, "cluster/")) {
        if (error->kind == ERROR_PERMANENT && error->code == ENOENT) {
            return say(message, size, REASON_CLUSTER_NOT_FOUND,
                       "%s; create it with `kind create cluster --name %s` or change clusters",
                       error->text, key + strlen("cluster/"));
        }
        return of_peer(input, PEER_CLUSTER, error, message, size);
    }
    if (str_starts_with(key, "node/")) {
        if (is_missing_or_conflict(error)) {
            return say(message, size, REASON_NODE_NOT_RUNNING, PLAN_NODE_NOT_RUNNING,
                       key + strlen("node/"));
        }
        return of_peer(input, PEER_NODE, error, message, size);
    }
    return of_peer(input, PEER_ENGINE, error, message, size);
}

bool outcome_may_pass(enum reason reason, const struct error *error)
{
    return reason_is_settling(reason) || (reason == REASON_ERROR && error->kind != ERROR_PERMANENT);
}
