// The plan of a node: which files are written, removed, or in the way.
#include "lib/kinds/node/plan.h"

#include "lib/base/str.h"
#include "lib/kinds/node/desired.h"
#include "tests/support/node_rig.h"
#include "tests/support/sample_config.h"

#define CERTS "/etc/containerd/certs.d/"
#define HOSTS(dir, current, desired) CERTS dir "/hosts.toml: " current " -> " desired
#define WRITE "hosts-write n1 (write) "
#define REMOVE "hosts-remove n1 (remove!) "
#define READY "node/hostk8s-worker True Converged: \n"
#define PENDING(verb) "\nnode/hostk8s-worker False Converging: " verb " is pending\n"
#define REMOVE_IT "; remove it in the node with `docker exec`, or take the name out of "
#define FOREIGN(what)                                                                              \
    "node/hostk8s-worker False ForeignFile: " CERTS what REMOVE_IT "nodes.aliases\n"
#define NOT_MADE " was not made by this program"
#define NEVER_MADE ", which this program never makes"
#define CURE                                                                                       \
    "; set nodes.configPath to repair, or create the cluster with containerdConfigPatches that "   \
    "set config_path = \"/etc/containerd/certs.d\" below [plugins.\"io.containerd.grpc.v1.cri\""   \
    ".registry] and no mirrors, or with a newer node image\n"
#define DISABLED                                                                                   \
    "node/hostk8s-worker False ConfigPathDisabled: the node's containerd reads no hosts.toml"
#define OWN "# managed by hostk8s-registryd"
#define SCRIPT "[host.\"http://hostk8s-registry:5000\"]"
#define TEN "xxxxxxxxxx"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN // as long as what is shown of a line
#define SERVER "server = \"http://hostk8s-registry:5000\""
#define RIGHT "right" // stands for the content that is desired

struct entry {
    const char *path; // below certs.d; NULL ends the list
    const char *content;
    const char *special;
};

static const struct {
    const char *aliases; // those that are as they should be: "all", or "none"
    bool teardown;
    enum config_path config_path; // UNKNOWN unless it matters
    struct entry entries[6];
    const char *expected;
} cases[] = {
    {"none", .expected = WRITE HOSTS("localhost:5000", "absent", "present") ", " HOSTS(
                 "localhost:5002", "absent",
                 "present") ", " HOSTS("127.0.0.1:5002", "absent",
                                       "present") ", " HOSTS("hostk8s-registry:5000", "absent",
                                                             "present") PENDING("write")},
    {"all", .expected = READY},
    // Ours and the scripts' are replaced; the first line that differs is shown, also where one text
    // is the beginning of the other.
    {"none",
     .entries = {{"localhost:5000/hosts.toml", SCRIPT "\n", NULL},
                 {"localhost:5002/hosts.toml", OWN "\n" LONG "\x01\n", NULL},
                 {"127.0.0.1:5002", NULL, NULL},
                 {"hostk8s-registry:5000/hosts.toml", RIGHT, NULL}},
     .expected = WRITE HOSTS("localhost:5000", SCRIPT, OWN) ", " HOSTS(
         "localhost:5002", LONG, SERVER) ", " HOSTS("127.0.0.1:5002", "absent", "present")
         PENDING("write")},
    {"all",
     .entries = {{"localhost:5000/hosts.toml", OWN "\n" SERVER "\n", NULL},
                 {"localhost:5002/hosts.toml", OWN "\nserver = 7", NULL},
                 {"127.0.0.1:5002/hosts.toml", OWN "\n\nserver = 1\n", NULL}},
     .expected = WRITE HOSTS("localhost:5000", "", "") ", " HOSTS(
         "localhost:5002", "server = 7", SERVER) ", " HOSTS("127.0.0.1:5002", "", SERVER)
         PENDING("write")},
    // What is somebody else's stays, blocks no other, and the first of it is told.
    {"all",
     .entries = {{"localhost:5000/hosts.toml", "server = \"https://mirror\"\n", NULL},
                 {"localhost:5002/hosts.toml", "", NULL},
                 {"127.0.0.1:5002/hosts.toml", OWN "\n", NULL},
                 {"old:1/hosts.toml", OWN "\n", NULL}},
     .expected = WRITE HOSTS("127.0.0.1:5002", "", SERVER) "\n" REMOVE HOSTS(
         "old:1", "present", "absent") "\n" FOREIGN("localhost:5000/hosts.toml" NOT_MADE)},
    {"all", .entries = {{"localhost_5002_", NULL, NULL}},
     .expected = FOREIGN("localhost_5002_" NOT_MADE)},
    {"all", .entries = {{"127.0.0.1_5002_", NULL, "a symbolic link"}, {"plain_5000_", NULL, NULL}},
     .expected = FOREIGN("127.0.0.1_5002_ is a symbolic link" NEVER_MADE)},
    {"all", .entries = {{"localhost:5000/hosts.toml", NULL, "a symbolic link"}},
     .expected = FOREIGN("localhost:5000/hosts.toml is a symbolic link" NEVER_MADE)},
    {"all", .entries = {{"localhost:5000", NULL, "a device"}},
     .expected = FOREIGN("localhost:5000 is a device" NEVER_MADE)},
    {"none", .teardown = true,
     .entries = {{"localhost:5000/hosts.toml", NULL, "a device"},
                 {"localhost:5002/hosts.toml", RIGHT, NULL}},
     .expected = REMOVE HOSTS("localhost:5002", "present", "absent") PENDING("remove")},
    // Of what is no alias any more that which is ours goes; a script's somebody may want.
    {"all",
     .entries = {{"old:1/hosts.toml", OWN "\n", NULL},
                 {"old:2/hosts.toml", RIGHT, NULL},
                 {"old:3", NULL, NULL},
                 {"old:4/hosts.toml", SCRIPT "\n", NULL},
                 {"_default/hosts.toml", "server = \"https://mirror\"\n", NULL}},
     .expected = REMOVE HOSTS("old:1", "present", "absent") ", " HOSTS("old:2", "present", "absent")
         PENDING("remove")},
    {"none", .teardown = true, .config_path = CONFIG_PATH_UNSET,
     .entries = {{"_default/hosts.toml", SCRIPT "\n", NULL}, {"localhost_5000_", NULL, NULL}},
     .expected = READY},
    // Whether containerd reads them.
    {"all", .config_path = CONFIG_PATH_ENABLED, .expected = READY},
    {"all", .config_path = CONFIG_PATH_UNSET, .expected = DISABLED CURE},
    {"all", .config_path = CONFIG_PATH_OTHER, .expected = DISABLED CURE},
    {"all", .config_path = CONFIG_PATH_MIRRORS,
     .expected = DISABLED " beside the mirrors that are set" CURE},
    {"all", .config_path = CONFIG_PATH_REFUSED,
     .expected = DISABLED ", and loads no CRI plugin with both config_path and what excludes it: "
                          "mirrors, or before containerd 2 the tls of configs" CURE},
    {"all", .config_path = CONFIG_PATH_UNSET,
     .entries = {{"localhost:5000/hosts.toml", SCRIPT "\n", NULL}},
     .expected = WRITE HOSTS("localhost:5000", SCRIPT, OWN) PENDING("write")},
};

static void add(struct node_current *current, const char *path, const char *content,
                const char *special, const char *right)
{
    _cleanup_free_ char *full = str_printf("certs.d/%s", path);
    node_current_add_file(current, full,
                          content != NULL && str_equal(content, RIGHT) ? right : content, special);
}

static void test_cases(void **state)
{
    struct node_rig *rig = *state;
    struct arena arena = {0};
    const char *right = hosts_toml_desired(rig->config, NULL, &arena);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct node_current *current = node_current_new("id");
        struct plan plan = {0};
        const struct strv *aliases = &rig->config->nodes.aliases;
        for (size_t j = 0; j < aliases->count && str_equal(cases[i].aliases, "all"); j++) {
            _cleanup_free_ char *path = str_printf("%s/hosts.toml", aliases->items[j]);
            add(current, path, RIGHT, NULL, right);
        }
        for (const struct entry *entry = cases[i].entries; entry->path != NULL; entry++) {
            add(current, entry->path, entry->content, entry->special, right);
        }
        current->config_path = cases[i].config_path;
        rig->input.desired = !cases[i].teardown;
        node_plan(&rig->input, current, &plan);
        assert_node_plan(&plan, cases[i].expected);
        plan_done(&plan);
        node_current_unref(current);
    }
    arena_done(&arena);
}

#define CACHE "hostk8s-registry-cache-docker.io"

// What a script writes for a registry is a user's own mirror in the directory of an upstream.
static void test_caches(void **state)
{
    struct node_rig *rig = *state;
    static const struct {
        bool teardown;
        struct entry entries[2];
        const char *expected;
        struct proxy proxy;
    } cache_cases[] = {
        {false, {{0}}, WRITE HOSTS("docker.io", "absent", "present") PENDING("write"), {0}},
        {false, {{"docker.io/hosts.toml", RIGHT, NULL}}, READY, {0}},
        {false,
         {{"docker.io/hosts.toml", OWN "\n" SERVER "\n", NULL}},
         WRITE HOSTS("docker.io", SERVER, "server = \"https://registry-1.docker.io\"")
             PENDING("write"),
         {0}},
        {false,
         {{"docker.io/hosts.toml", SCRIPT "\n", NULL}},
         "node/hostk8s-worker False ForeignFile: " CERTS "docker.io/hosts.toml" NOT_MADE REMOVE_IT
         "caches\n",
         {0}},
        {false,
         {{"ghcr.io/hosts.toml", OWN "\n", NULL}, {"docker.io/hosts.toml", RIGHT, NULL}},
         REMOVE HOSTS("ghcr.io", "present", "absent") PENDING("remove"),
         {0}},
        {true,
         {{"docker.io/hosts.toml", RIGHT, NULL}},
         REMOVE HOSTS("docker.io", "present", "absent") PENDING("remove"),
         {0}},
        {false,
         {{"docker.io/hosts.toml", RIGHT, NULL}},
         "node/hostk8s-worker False ProxyInTheWay: the node's HTTP_PROXY sends pulls from a cache "
         "to a proxy, since its NO_PROXY has no entry " CACHE "; create the cluster anew with "
         "`NO_PROXY=$NO_PROXY," CACHE " kind create cluster ...`, or with that entry in noProxy of "
         "~/.docker/config.json: a node keeps the variables it was made with\n",
         {"HTTP_PROXY", "hostk8s-registry"}},
        {false,
         {{"docker.io/hosts.toml", RIGHT, NULL}},
         READY,
         {"HTTP_PROXY", "hostk8s-registry," CACHE}},
    };
    struct arena arena = {0};
    config_free(rig->config);
    rig->input.config = rig->config = sample_config_of("caches: [docker.io]");
    const char *right = hosts_toml_desired(rig->config, &rig->config->caches[0], &arena);
    strv_done(&rig->config->nodes.aliases);
    for (size_t i = 0; i < ELEMENTS(cache_cases); i++) {
        struct node_current *current = node_current_new("id");
        struct plan plan = {0};
        for (size_t j = 0; j < ELEMENTS(cache_cases[i].entries); j++) {
            const struct entry *entry = &cache_cases[i].entries[j];
            if (entry->path != NULL) {
                add(current, entry->path, entry->content, NULL, right);
            }
        }
        current->proxy = cache_cases[i].proxy;
        rig->input.desired = !cache_cases[i].teardown;
        node_plan(&rig->input, current, &plan);
        assert_node_plan(&plan, cache_cases[i].expected);
        plan_done(&plan);
        node_current_unref(current);
    }
    arena_done(&arena);
}

static void test_action_carries_files(void **state)
{
    struct node_rig *rig = *state;
    struct node_current *current = node_current_new("id");
    struct plan plan = {0};
    // An alias may have no port, and so no shadow.
    sample_set(&rig->config->nodes.aliases.items[1], "localhost");
    add(current, "localhost_5000_", NULL, NULL, NULL);
    add(current, "old:1/hosts.toml", OWN "\n", NULL, NULL);
    node_plan(&rig->input, current, &plan);
    assert_int_equal(plan.action_count, 2);
    const struct action *write = plan.actions[0];
    assert_int_equal(write->op, NODE_HOSTS_WRITE);
    assert_int_equal(write->file_count, 4);
    assert_string_equal(write->files[1].name, "localhost");
    struct arena arena = {0};
    assert_string_equal(write->files[1].content, hosts_toml_desired(rig->config, NULL, &arena));
    arena_done(&arena);
    const struct action *removal = plan.actions[1];
    assert_int_equal(removal->op, NODE_HOSTS_REMOVE);
    assert_int_equal(removal->file_count, 1);
    assert_string_equal(removal->files[0].name, "old:1");
    assert_null(removal->files[0].content);
    plan_done(&plan);
    node_current_unref(current);
}

// ---- config.toml ----

#define CONFIG "/etc/containerd/config.toml"
#define FORMER CONFIG ".hostk8s-registryd"
#define SETTING "config_path = \"/etc/containerd/certs.d\""
#define MIRROR "[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"a\"]\nendpoint = []\n"
#define V2 "version = 2\n"
#define V2_EDITED                                                                                  \
    V2 "\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  " SETTING                            \
       " # set by hostk8s-registryd\n"
#define REPAIR(is) "config-repair n1 (repair!) " CONFIG ": " is " -> " SETTING PENDING("repair")
#define RESTORE                                                                                    \
    "config-restore n1 (restore!) " CONFIG ": " SETTING " -> as it was" PENDING("restore")
#define AS_BEFORE                                                                                  \
    "; " CONFIG " was edited and is as before again: containerd did not come back with the edit, " \
    "or somebody took it back; remove " FORMER " to have it edited once more\n"

static const struct {
    struct node_current current;
    bool teardown;
    const char *expected;
} repairs[] = {
    {{.config_path = CONFIG_PATH_UNSET, .config_toml = V2, .set_up = true},
     .expected = REPAIR("no config_path")},
    {{.config_path = CONFIG_PATH_OTHER,
      .config_toml = V2 "[plugins.'io.containerd.grpc.v1.cri'.registry]\nconfig_path='/a'\n",
      .set_up = true},
     .expected = REPAIR("config_path of other directories")},
    {{.config_path = CONFIG_PATH_MIRRORS, .config_toml = V2 MIRROR, .set_up = true},
     .expected = REPAIR("mirrors")},
    {{.config_path = CONFIG_PATH_REFUSED, .config_toml = V2_EDITED MIRROR, .set_up = true},
     .expected = REPAIR("config_path and what excludes it")},
    // What is well, or is not known to be otherwise, is left alone; also what was edited before.
    {{.config_path = CONFIG_PATH_ENABLED, .set_up = true}, .expected = READY},
    {{.config_path = CONFIG_PATH_UNKNOWN, .config_toml = V2, .set_up = true}, .expected = READY},
    {{.config_path = CONFIG_PATH_ENABLED, .config_toml = V2_EDITED, .former = V2},
     .expected = READY},
    // An edit that was begun, one that is no more, and one of another file.
    {{.config_path = CONFIG_PATH_UNSET,
      .config_toml = V2,
      .former = V2,
      .staged = true,
      .set_up = true},
     .expected = REPAIR("no config_path")},
    {{.config_path = CONFIG_PATH_UNSET, .config_toml = V2, .former = V2, .set_up = true},
     .expected = DISABLED AS_BEFORE},
    {{.config_path = CONFIG_PATH_UNSET, .config_toml = V2, .former = V2 "a = 1", .set_up = true},
     .expected = REPAIR("no config_path")},
    // What cannot be edited, or not yet.
    {{.config_path = CONFIG_PATH_UNSET, .config_toml = "", .set_up = true},
     .expected = DISABLED "; edit " CONFIG " by hand, of whose version nothing is known\n"},
    {{.config_path = CONFIG_PATH_MIRRORS, .config_toml = V2_EDITED, .former = V2, .set_up = true},
     .expected = DISABLED " beside the mirrors that are set; " CONFIG
                          " itself needs no edit: mend what it imports, or what it says of "
                          "registries in another spelling\n"},
    {{.config_path = CONFIG_PATH_UNSET, .config_toml = V2},
     .expected = "node/hostk8s-worker False Converging: " CONFIG
                 " is edited once kubeadm has set the node up\n"},
    // The way back.
    {{.config_path = CONFIG_PATH_ENABLED, .config_toml = V2_EDITED, .former = V2}, true, RESTORE},
    {{.config_path = CONFIG_PATH_UNSET, .config_toml = V2, .former = V2}, true, RESTORE},
    {{.config_path = CONFIG_PATH_UNSET, .config_toml = V2}, true, READY},
    {{.config_path = CONFIG_PATH_UNSET, .config_toml = "mine", .former = V2},
     true,
     "node/hostk8s-worker False ForeignFile: " CONFIG " was changed after this program edited it; "
     "see to it by hand, then remove " FORMER "\n"},
};

// With every hosts.toml as it should be.
static void assert_plan(struct node_rig *rig, struct node_current *current, const char *right,
                        const char *expected)
{
    struct plan plan = {0};
    for (size_t i = 0; i < rig->config->nodes.aliases.count && rig->input.desired; i++) {
        _cleanup_free_ char *path =
            str_printf("%s/hosts.toml", rig->config->nodes.aliases.items[i]);
        add(current, path, RIGHT, NULL, right);
    }
    node_plan(&rig->input, current, &plan);
    assert_node_plan(&plan, expected);
    plan_done(&plan);
    arena_done(&current->arena);
}

static void test_repairs(void **state)
{
    struct node_rig *rig = *state;
    struct arena arena = {0};
    const char *right = hosts_toml_desired(rig->config, NULL, &arena);
    rig->config->nodes.config_path = CURE_REPAIR;
    for (size_t i = 0; i < ELEMENTS(repairs); i++) {
        struct node_current current = repairs[i].current;
        rig->input.desired = !repairs[i].teardown;
        assert_plan(rig, &current, right, repairs[i].expected);
    }
    arena_done(&arena);
}

static void test_repair_carries_both_files(void **state)
{
    struct node_rig *rig = *state;
    const struct node_current current = {
        .config_path = CONFIG_PATH_UNSET, .config_toml = V2, .set_up = true};
    struct plan plan = {0};
    rig->config->nodes.config_path = CURE_REPAIR;
    node_plan(&rig->input, &current, &plan);
    assert_int_equal(plan.action_count, 2); // hosts.toml files beside
    const struct action *action = plan.actions[1];
    assert_int_equal(action->op, NODE_CONFIG_REPAIR);
    assert_true(action->disruptive);
    assert_int_equal(action->file_count, 2);
    assert_string_equal(action->files[0].name, "config.toml.hostk8s-registryd");
    assert_string_equal(action->files[0].content, V2);
    assert_string_equal(action->files[1].name, "config.toml.hostk8s-registryd.new");
    assert_string_equal(action->files[1].content, V2_EDITED);
    plan_done(&plan);
}

// ---- proxies ----

#define IN_THE_WAY(variable)                                                                       \
    "node/hostk8s-worker False ProxyInTheWay: the node's " variable                                \
    " sends pulls from the registry to a proxy, since its NO_PROXY has no entry "                  \
    "hostk8s-registry; create the cluster anew with `NO_PROXY=$NO_PROXY,hostk8s-registry kind "    \
    "create cluster ...`, or with that entry in noProxy of ~/.docker/config.json: a node keeps "   \
    "the variables it was made with\n"

static const struct {
    struct node_current current;
    bool teardown;
    const char *expected;
} proxies[] = {
    {{.proxy = {"HTTP_PROXY", NULL}}, .expected = IN_THE_WAY("HTTP_PROXY")},
    {{.proxy = {"http_proxy", "10.0.0.0/8"}}, .expected = IN_THE_WAY("http_proxy")},
    {{.proxy = {"HTTP_PROXY", "a,hostk8s-registry"}}, .expected = READY},
    {{.proxy = {"HTTP_PROXY", "hostk8s-registry:5000"}}, .expected = READY},
    {{.proxy = {NULL, "a"}}, .expected = READY},
    {{.proxy = {"HTTP_PROXY", NULL}}, .teardown = true, .expected = READY},
    // The first thing that is to be done is told.
    {{.proxy = {"HTTP_PROXY", NULL}, .config_path = CONFIG_PATH_UNSET}, .expected = DISABLED CURE},
};

static void test_proxies(void **state)
{
    struct node_rig *rig = *state;
    struct arena arena = {0};
    const char *right = hosts_toml_desired(rig->config, NULL, &arena);
    for (size_t i = 0; i < ELEMENTS(proxies); i++) {
        struct node_current current = proxies[i].current;
        rig->input.desired = !proxies[i].teardown;
        assert_plan(rig, &current, right, proxies[i].expected);
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(test_cases),
        NODE_TEST(test_caches),
        NODE_TEST(test_action_carries_files),
        NODE_TEST(test_repairs),
        NODE_TEST(test_repair_carries_both_files),
        NODE_TEST(test_proxies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
