#include "lib/kinds/condition.h"

static const struct {
    const char *name;
    bool may_pass;
} reasons[_REASON_COUNT] = {
    [REASON_CONVERGED] = {"Converged", false},
    [REASON_CONVERGING] = {"Converging", true},
    [REASON_ENGINE_UNREACHABLE] = {"EngineUnreachable", true},
    [REASON_PERMISSION_DENIED] = {"PermissionDenied", false},
    [REASON_IMAGE_PULL_FAILED] = {"ImagePullFailed", false},
    [REASON_PORT_IN_USE] = {"PortInUse", false},
    [REASON_NAME_CONFLICT] = {"NameConflict", false},
    [REASON_STORAGE_NOT_WRITABLE] = {"StorageNotWritable", false},
    [REASON_STORAGE_FULL] = {"StorageFull", false},
    [REASON_NETWORK_MISSING] = {"NetworkMissing", false},
    [REASON_NODE_NOT_RUNNING] = {"NodeNotRunning", true},
    [REASON_FOREIGN_FILE] = {"ForeignFile", false},
    [REASON_CONFIG_PATH_DISABLED] = {"ConfigPathDisabled", false},
    [REASON_PROXY_IN_THE_WAY] = {"ProxyInTheWay", false},
    [REASON_API_UNREACHABLE] = {"ApiUnreachable", true},
    [REASON_FORBIDDEN] = {"Forbidden", false},
    [REASON_CLUSTER_NOT_FOUND] = {"ClusterNotFound", false},
    [REASON_INGRESS_CLASS_MISSING] = {"IngressClassMissing", false},
    [REASON_GATEWAY_MISSING] = {"GatewayMissing", false},
    [REASON_ROUTE_NOT_ACCEPTED] = {"RouteNotAccepted", true},
    [REASON_UNAVAILABLE] = {"Unavailable", true},
    [REASON_CONTENDED] = {"Contended", true},
    [REASON_MAINTENANCE] = {"Maintenance", true},
    [REASON_ERROR] = {"Error", false},
};

static const char *const ready_names[] = {
    [READY_UNKNOWN] = "Unknown",
    [READY_FALSE] = "False",
    [READY_TRUE] = "True",
};

const char *ready_name(enum ready ready)
{
    return ready_names[ready];
}

const char *reason_name(enum reason reason)
{
    return reasons[reason].name;
}

bool reason_may_pass(enum reason reason)
{
    return reasons[reason].may_pass;
}

bool reason_is_unknown(enum reason reason)
{
    return reason == REASON_ENGINE_UNREACHABLE || reason == REASON_API_UNREACHABLE;
}
