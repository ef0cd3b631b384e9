// From errors to reasons and sentences, and the plan of what could not be observed.
#include "lib/plan/outcome.h"
#include "tests/support/plan_text.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config *config;

static int begin(void **state)
{
    (void)state;
    config = sample_config();
    return 0;
}

static int end(void **state)
{
    (void)state;
    config_free(config);
    return 0;
}

static const struct {
    enum action_type type;
    struct error error;
    enum reason reason;
    const char *message;
} actions[] = {
    {ACTION_CONTAINER_START,
     {ERROR_TRANSIENT, EIO, 500, 0, "Bind for 127.0.0.1:5002 failed: port is already allocated"},
     REASON_PORT_IN_USE,
     "127.0.0.1:5002 is taken by another process; change registry.listen or free the port"},
    {ACTION_CONTAINER_CREATE,
     {ERROR_TRANSIENT, EIO, 500, 0, "bind: address already in use"},
     REASON_PORT_IN_USE,
     "127.0.0.1:5002 is taken by another process; change registry.listen or free the port"},
    {ACTION_CONTAINER_STOP,
     {ERROR_TRANSIENT, EIO, 500, 0, "address already in use\n"},
     REASON_ERROR,
     "address already in use "},
    {ACTION_CONTAINER_CREATE,
     {ERROR_CONFLICT, EEXIST, 409, 0, "name is in use"},
     REASON_NAME_CONFLICT,
     "name is in use; rename or remove that container, or change registry.name"},
    {ACTION_CONTAINER_RENAME,
     {ERROR_CONFLICT, EEXIST, 409, 0, "name is in use"},
     REASON_NAME_CONFLICT,
     "name is in use; rename or remove that container, or change registry.name"},
    {ACTION_NETWORK_CONNECT,
     {ERROR_CONFLICT, ENOENT, 404, 0, "network kind not found"},
     REASON_NETWORK_MISSING,
     "there is no network kind; kind creates it with the first cluster"},
    {ACTION_NETWORK_DISCONNECT,
     {ERROR_CONFLICT, ENOENT, 404, 0, "no such container"},
     REASON_ERROR,
     "no such container"},
    {ACTION_HOSTS_WRITE,
     {ERROR_CONFLICT, ENOENT, 404, 0, "no such container"},
     REASON_NODE_NOT_RUNNING,
     "the node is not running; start it with `docker start the-target`"},
    {ACTION_HOSTS_REMOVE,
     {ERROR_CONFLICT, EEXIST, 409, 0, "container is not running"},
     REASON_NODE_NOT_RUNNING,
     "the node is not running; start it with `docker start the-target`"},
    {ACTION_HOSTS_REMOVE, {ERROR_PERMANENT, EIO, 0, 0, "rm: exit 1"}, REASON_ERROR, "rm: exit 1"},
    {ACTION_STORAGE_MAKE,
     {ERROR_PERMANENT, EACCES, 0, 0, "mkdir /srv: Permission denied"},
     REASON_STORAGE_NOT_WRITABLE,
     "mkdir /srv: Permission denied; make the directory writable or change registry.storage"},
    {ACTION_IMAGE_PULL,
     {ERROR_PERMANENT, ENOENT, 0, 0, "manifest unknown"},
     REASON_IMAGE_PULL_FAILED,
     "manifest unknown; correct registry.image, or pull it by hand with `docker pull registry:2`"},
    {ACTION_IMAGE_PULL,
     {ERROR_TRANSIENT, ETIMEDOUT, 0, 0, "no answer within 900 s"},
     REASON_IMAGE_PULL_FAILED,
     "no answer within 900 s; correct registry.image, or pull it by hand with `docker pull "
     "registry:2`"},
    {ACTION_IMAGE_PULL,
     {ERROR_TRANSIENT, ECONNREFUSED, 0, 0, "connection refused"},
     REASON_ENGINE_UNREACHABLE,
     "connection refused; start the Docker Engine or change docker.host"},
    {ACTION_CONTAINER_UNPAUSE,
     {ERROR_PERMANENT, EACCES, 403, 0, "denied by the proxy"},
     REASON_PERMISSION_DENIED,
     "denied by the proxy; let docker.host's engine allow the request"},
    {ACTION_CONTAINER_UPDATE,
     {ERROR_FATAL, ENOMEM, 0, 0, "out of memory"},
     REASON_ERROR,
     "out of memory"},
    {ACTION_CONTAINER_START,
     {ERROR_TRANSIENT, EMFILE, 0, 0, "too many open files"},
     REASON_ERROR,
     "too many open files"},
    {ACTION_OBJECT_APPLY,
     {ERROR_TRANSIENT, ENFILE, 0, 0, "too many open files in system"},
     REASON_ERROR,
     "too many open files in system"},
    {ACTION_CONTAINER_REMOVE, {ERROR_TRANSIENT, EBADMSG, 0, 0, "no JSON"}, REASON_ERROR, "no JSON"},
    {ACTION_OBJECT_APPLY,
     {ERROR_PERMANENT, EACCES, 403, 0, "forbidden"},
     REASON_FORBIDDEN,
     "forbidden; give the kubeconfig's user the rights or leave kubernetes.kubeconfig empty"},
    {ACTION_OBJECT_DELETE,
     {ERROR_PERMANENT, EKEYREJECTED, 0, 0, "certificate refused"},
     REASON_API_UNREACHABLE,
     "certificate refused; it is asked again"},
    {ACTION_OBJECT_APPLY, {ERROR_PERMANENT, EINVAL, 422, 0, "invalid"}, REASON_ERROR, "invalid"},
};

static void actions_have_outcomes(void **state)
{
    (void)state;
    const struct plan_input input = {.config = config};
    for (size_t i = 0; i < ELEMENTS(actions); i++) {
        char target[] = "the-target";
        const struct action action = {.type = actions[i].type, .target = target};
        char message[ERROR_TEXT_MAX];
        assert_int_equal(
            outcome_of_action(&input, &action, &actions[i].error, message, sizeof(message)),
            actions[i].reason);
        assert_string_equal(message, actions[i].message);
    }
}

static const struct {
    const char *key;
    struct error error;
    const char *first; // of the conditions
    size_t conditions; // 0: not counted
} observations[] = {
    {"engine",
     {ERROR_TRANSIENT, EACCES, 0, 0, "permission denied"},
     "container/hostk8s-registry Unknown PermissionDenied: no permission to use "
     "unix:///var/run/docker.sock; add yourself to the group docker and log in again",
     2},
    {"engine",
     {ERROR_TRANSIENT, ENOENT, 0, 0, "no such socket"},
     "container/hostk8s-registry Unknown EngineUnreachable: no such socket; start the Docker "
     "Engine or change docker.host",
     2},
    {"engine",
     {ERROR_TRANSIENT, EIO, 500, 0, "internal"},
     "container/hostk8s-registry Unknown Error: internal",
     2},
    {"node/n1",
     {ERROR_CONFLICT, EEXIST, 409, 0, "not running"},
     "node/n1 False NodeNotRunning: the node is not running; start it with `docker start n1`",
     1},
    {"node/n2",
     {ERROR_TRANSIENT, ECONNREFUSED, 0, 0, "connection refused"},
     "node/n2 Unknown EngineUnreachable: connection refused; start the Docker Engine or change "
     "docker.host",
     1},
    {"cluster/c1",
     {ERROR_PERMANENT, ENOENT, 0, 0, "no kind cluster named c1 on this engine"},
     "kube/c1/Namespace/hostk8s False ClusterNotFound: no kind cluster named c1 on this engine; "
     "create it with `kind create cluster --name c1` or change clusters",
     0},
    {"cluster/c1",
     {ERROR_TRANSIENT, ETIMEDOUT, 0, 0, "no answer"},
     "kube/c1/Namespace/hostk8s Unknown ApiUnreachable: no answer; it is asked again",
     0},
};

static void observations_have_outcomes(void **state)
{
    (void)state;
    struct world_node node = {.name = (char[]){"n1"}, .cluster = (char[]){"c1"}};
    const struct world_engine engine = {.nodes = &node, .node_count = 1};
    const struct plan_input input = {.config = config, .engine = &engine, .wanted = true};
    for (size_t i = 0; i < ELEMENTS(observations); i++) {
        struct plan plan = {0};
        assert_int_equal(
            plan_unobserved(&input, observations[i].key, NULL, &observations[i].error, &plan, NULL),
            0);
        _cleanup_free_ char *text = plan_text(&plan);
        text[strcspn(text, "\n")] = '\0';
        assert_string_equal(text, observations[i].first);
        assert_int_equal(plan.action_count, 0);
        if (observations[i].conditions > 0) {
            assert_int_equal(plan.condition_count, observations[i].conditions);
        } else {
            assert_in_range(plan.condition_count, 5, 20);
            assert_string_equal(plan.conditions[0].cluster, "c1");
        }
        plan_done(&plan);
    }
}

static void some_may_pass(void **state)
{
    (void)state;
    static const struct {
        enum reason reason;
        enum error_kind kind;
        bool may_pass;
    } table[] = {
        {REASON_ENGINE_UNREACHABLE, ERROR_TRANSIENT, true},
        {REASON_API_UNREACHABLE, ERROR_PERMANENT, true},
        {REASON_ERROR, ERROR_TRANSIENT, true},
        {REASON_ERROR, ERROR_CONFLICT, true},
        {REASON_ERROR, ERROR_FATAL, true},
        {REASON_ERROR, ERROR_PERMANENT, false},
        {REASON_FORBIDDEN, ERROR_PERMANENT, false},
        {REASON_CLUSTER_NOT_FOUND, ERROR_PERMANENT, false},
        {REASON_IMAGE_PULL_FAILED, ERROR_TRANSIENT, false},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        const struct error error = {.kind = table[i].kind};
        assert_int_equal(outcome_may_pass(table[i].reason, &error), table[i].may_pass);
    }
}

static void node_has_its_cluster_where_known(void **state)
{
    (void)state;
    const struct error why = {.kind = ERROR_TRANSIENT, .code = ECONNREFUSED, .text = "refused"};
    struct world_node node = {.name = (char[]){"n1"}, .cluster = (char[]){"c1"}};
    const struct world_engine engine = {.nodes = &node, .node_count = 1};
    struct plan_input input = {.config = config, .engine = &engine};
    struct plan plan = {0};
    assert_int_equal(plan_unobserved(&input, "node/n1", NULL, &why, &plan, NULL), 0);
    assert_string_equal(plan.conditions[0].cluster, "c1");
    plan_done(&plan);
    input.engine = NULL;
    assert_int_equal(plan_unobserved(&input, "node/n1", NULL, &why, &plan, NULL), 0);
    assert_null(plan.conditions[0].cluster);
    plan_done(&plan);
}

static void cluster_keeps_its_resources(void **state)
{
    (void)state;
    const struct error why = {.kind = ERROR_TRANSIENT, .code = ETIMEDOUT, .text = "no answer"};
    const struct plan_input input = {.config = config, .wanted = true};
    struct condition conditions[] = {
        {.resource = (char[]){"kube/c1/Endpoints/hostk8s/registry-api"},
         .cluster = (char[]){"c1"},
         .ready = READY_TRUE},
        {.resource = (char[]){"kube/c1/EndpointSlice/hostk8s/registry-api-ipv6"},
         .cluster = (char[]){"c1"}},
    };
    const struct plan before = {.conditions = conditions, .condition_count = ELEMENTS(conditions)};
    struct plan plan = {0};
    assert_int_equal(plan_unobserved(&input, "cluster/c1", &before, &why, &plan, NULL), 0);
    _cleanup_free_ char *text = plan_text(&plan);
    assert_string_equal(text, "kube/c1/Endpoints/hostk8s/registry-api Unknown ApiUnreachable: no "
                              "answer; it is asked again\n"
                              "kube/c1/EndpointSlice/hostk8s/registry-api-ipv6 Unknown "
                              "ApiUnreachable: no answer; it is asked again\n");
    assert_string_equal(plan.conditions[0].cluster, "c1");
    plan_done(&plan);
}

static void names_tell_them_apart(void **state)
{
    (void)state;
    for (enum reason reason = 0; reason < _REASON_COUNT; reason++) {
        for (enum reason other = 0; other < reason; other++) {
            assert_string_not_equal(reason_name(reason), reason_name(other));
        }
    }
    assert_string_equal(reason_name(REASON_ERROR), "Error");
    assert_string_equal(ready_name(READY_UNKNOWN), "Unknown");
    assert_string_equal(ready_name(READY_FALSE), "False");
    assert_string_equal(ready_name(READY_TRUE), "True");
    assert_true(reason_is_settling(REASON_CONVERGING));
    assert_true(reason_is_settling(REASON_NODE_NOT_RUNNING));
    assert_false(reason_is_settling(REASON_CONVERGED));
    assert_false(reason_is_settling(REASON_FOREIGN_FILE));
}

static void resources_have_names(void **state)
{
    (void)state;
    _cleanup_free_ char *network = resource_network(config);
    _cleanup_free_ char *object = resource_object("c1", KUBE_SERVICE, "hostk8s", "registry-api");
    assert_string_equal(network, "network/kind/hostk8s-registry");
    assert_string_equal(object, "kube/c1/Service/hostk8s/registry-api");
    for (enum action_type type = 0; type < _ACTION_TYPE_COUNT; type++) {
        assert_non_null(action_type_name(type));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_have_outcomes),
        cmocka_unit_test(observations_have_outcomes),
        cmocka_unit_test(names_tell_them_apart),
        cmocka_unit_test(resources_have_names),
        cmocka_unit_test(some_may_pass),
        cmocka_unit_test(node_has_its_cluster_where_known),
        cmocka_unit_test(cluster_keeps_its_resources),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
