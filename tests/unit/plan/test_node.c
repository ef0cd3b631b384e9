// The plan of one node: which files are written, removed, or in the way.
#include "lib/base/str.h"
#include "lib/desired/desired.h"
#include "lib/plan/plan.h"
#include "tests/support/model_engine.h"
#include "tests/support/plan_text.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SCRIPT "[host.\"http://hostk8s-registry:5000\"]\n"
#define TEN "xxxxxxxxxx"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

struct scene {
    struct config *config;
    struct model_engine *model;
    char *content; // as every alias should have it
};

static int begin(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    scene->config = sample_config();
    scene->model = model_engine_new();
    struct buf content = BUF_INIT(4096);
    assert_int_equal(desired_hosts_toml(scene->config, &content), 0);
    scene->content = buf_take(&content);

    struct world_engine *world = scene->model->world;
    world->nodes = calloc(1, sizeof(*world->nodes));
    assert_non_null(world->nodes);
    world->node_count = 1;
    world->nodes[0].running = true;
    sample_set(&world->nodes[0].id, "n1");
    sample_set(&world->nodes[0].name, "hostk8s-worker");
    sample_set(&world->nodes[0].cluster, "hostk8s");
    scene->model->files->config_path = CONFIG_PATH_ENABLED;
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    free(scene->content);
    model_engine_free(scene->model);
    config_free(scene->config);
    free(scene);
    return 0;
}

static void plan_it(struct scene *scene, bool wanted, struct plan *plan)
{
    const struct plan_input input = {
        .config = scene->config, .engine = scene->model->world, .wanted = wanted};
    assert_int_equal(plan_node(&input, "hostk8s-worker", scene->model->files, plan, NULL), 0);
    for (size_t i = 0; i < plan->condition_count; i++) {
        assert_string_equal(plan->conditions[i].cluster, "hostk8s");
    }
}

static void plan_one(struct scene *scene, bool wanted, const char *expected)
{
    struct plan plan = {0};
    plan_it(scene, wanted, &plan);
    assert_plan_text(&plan, expected);
    plan_done(&plan);
}

static void act_all(struct scene *scene, bool wanted)
{
    struct plan plan = {0};
    plan_it(scene, wanted, &plan);
    for (size_t i = 0; i < plan.action_count; i++) {
        assert_int_equal(model_engine_act(scene->model, &plan.actions[i], NULL), 0);
    }
    plan_done(&plan);
}

#define CERTS "/etc/containerd/certs.d/"
#define READY "node/hostk8s-worker True Converged: \n"

static void files_are_written(void **state)
{
    struct scene *scene = *state;
    plan_one(scene, true,
             "hosts-write hostk8s-worker (write) " CERTS "localhost:5000/hosts.toml: absent -> "
             "present, " CERTS "localhost:5002/hosts.toml: absent -> present, " CERTS
             "127.0.0.1:5002/hosts.toml: absent -> present, " CERTS
             "hostk8s-registry:5000/hosts.toml: absent -> present\n"
             "node/hostk8s-worker False Converging: write is pending\n");
    act_all(scene, true);
    plan_one(scene, true, READY);
    assert_string_equal(scene->model->files->dirs[0].content, scene->content);
}

static void own_and_script_files_are_replaced(void **state)
{
    struct scene *scene = *state;
    model_engine_add_dir(scene->model, "localhost:5000", SCRIPT);
    model_engine_add_dir(scene->model, "localhost:5002", DESIRED_HOSTS_MARK "\n" LONG "\x01\n");
    model_engine_add_dir(scene->model, "127.0.0.1:5002", NULL);
    model_engine_add_dir(scene->model, "hostk8s-registry:5000", scene->content);
    plan_one(scene, true,
             "hosts-write hostk8s-worker (write) " CERTS
             "localhost:5000/hosts.toml: [host.\"http://hostk8s-registry:5000\"] -> "
             "" DESIRED_HOSTS_MARK ", " CERTS "localhost:5002/hosts.toml: " LONG
             " -> server = \"http://hostk8s-registry:5000\", " CERTS
             "127.0.0.1:5002/hosts.toml: absent -> present\n"
             "node/hostk8s-worker False Converging: write is pending\n");
    act_all(scene, true);
    plan_one(scene, true, READY);
}

static void missing_last_line_is_a_difference(void **state)
{
    struct scene *scene = *state;
    act_all(scene, true);
    char *text = scene->model->files->dirs[0].content;
    text[strlen(text) - strlen("  skip_verify = true\n")] = '\0';
    plan_one(scene, true,
             "hosts-write hostk8s-worker (write) " CERTS
             "localhost:5000/hosts.toml:  ->   skip_verify = true\n"
             "node/hostk8s-worker False Converging: write is pending\n");
}

static void foreign_file_stays(void **state)
{
    struct scene *scene = *state;
    act_all(scene, true);
    sample_set(&scene->model->files->dirs[0].content, "server = \"https://mirror\"\n");
    sample_set(&scene->model->files->dirs[1].content, "");
    sample_set(&scene->model->files->dirs[2].content, "# mine\n");
    plan_one(scene, true,
             "node/hostk8s-worker False ForeignFile: " CERTS "localhost:5000/hosts.toml was not "
             "made by this program; remove it or drop the alias\n");
}

static void shadowing_directory_is_named(void **state)
{
    struct scene *scene = *state;
    act_all(scene, true);
    model_engine_add_dir(scene->model, "localhost_5000_", NULL);
    sample_set(&scene->config->nodes.aliases.items[1], "localhost");
    plan_one(scene, true,
             "hosts-write hostk8s-worker (write) " CERTS "localhost/hosts.toml: absent -> present\n"
             "hosts-remove hostk8s-worker (remove!) " CERTS
             "localhost:5002/hosts.toml: present -> absent\n"
             "node/hostk8s-worker False ForeignFile: " CERTS "localhost_5000_ was not made by this "
             "program; remove it or drop the alias\n");
}

static void what_is_no_file_stays(void **state)
{
    struct scene *scene = *state;
    act_all(scene, true);
    struct world_hosts_dir *dirs = scene->model->files->dirs;
    sample_set(&dirs[0].content, NULL);
    sample_set(&dirs[0].not_file, "a symbolic link");
    plan_one(scene, true,
             "node/hostk8s-worker False ForeignFile: " CERTS "localhost:5000/hosts.toml is a "
             "symbolic link, which this program never makes; remove it or drop the alias\n");
    sample_set(&dirs[0].not_directory, "a device");
    plan_one(scene, true,
             "node/hostk8s-worker False ForeignFile: " CERTS "localhost:5000 is a device, which "
             "this program never makes; remove it or drop the alias\n");
    plan_one(scene, false,
             "hosts-remove hostk8s-worker (remove!) " CERTS
             "localhost:5002/hosts.toml: present -> absent, " CERTS
             "127.0.0.1:5002/hosts.toml: present -> absent, " CERTS
             "hostk8s-registry:5000/hosts.toml: present -> absent\n"
             "node/hostk8s-worker False Converging: remove is pending\n");
}

static void shadowing_link_is_named(void **state)
{
    struct scene *scene = *state;
    act_all(scene, true);
    model_engine_add_dir(scene->model, "localhost_5000_", NULL);
    sample_set(&scene->model->files->dirs[4].not_directory, "a symbolic link");
    plan_one(scene, true,
             "node/hostk8s-worker False ForeignFile: " CERTS "localhost_5000_ is a symbolic link, "
             "which this program never makes; remove it or drop the alias\n");
}

static void dropped_aliases_are_removed(void **state)
{
    struct scene *scene = *state;
    act_all(scene, true);
    model_engine_add_dir(scene->model, "old:1", scene->content);
    model_engine_add_dir(scene->model, "old:2", scene->content);
    model_engine_add_dir(scene->model, "_default", "server = \"https://mirror\"\n");
    plan_one(scene, true,
             "hosts-remove hostk8s-worker (remove!) " CERTS
             "old:1/hosts.toml: present -> absent, " CERTS "old:2/hosts.toml: present -> absent\n"
             "node/hostk8s-worker False Converging: remove is pending\n");
    act_all(scene, true);
    plan_one(scene, true, READY);
    assert_non_null(world_node_files_dir(scene->model->files, "_default")->content);
}

static void nothing_of_ours_stays_when_unwanted(void **state)
{
    struct scene *scene = *state;
    act_all(scene, true);
    model_engine_add_dir(scene->model, "_default", SCRIPT);
    scene->model->files->config_path = CONFIG_PATH_DISABLED;
    act_all(scene, false);
    plan_one(scene, false, READY);
    for (size_t i = 0; i < scene->model->files->dir_count; i++) {
        const struct world_hosts_dir *dir = &scene->model->files->dirs[i];
        assert_int_equal(dir->content == NULL, !str_equal(dir->name, "_default"));
    }
}

static void disabled_config_path_is_told(void **state)
{
    struct scene *scene = *state;
    act_all(scene, true);
    scene->model->files->config_path = CONFIG_PATH_UNKNOWN;
    plan_one(scene, true, READY);
    scene->model->files->config_path = CONFIG_PATH_DISABLED;
    plan_one(scene, true,
             "node/hostk8s-worker False ConfigPathDisabled: the node's containerd reads no "
             "hosts.toml; create the cluster with containerdConfigPatches that set config_path = "
             "\"/etc/containerd/certs.d\" below [plugins.\"io.containerd.grpc.v1.cri\".registry] "
             "and no mirrors, or with a newer node image\n");
}

#define NOT_RUNNING                                                                                \
    "node/hostk8s-worker False NodeNotRunning: the node is not running; start it with `docker "    \
    "start hostk8s-worker`\n"

static void stopped_node_waits(void **state)
{
    struct scene *scene = *state;
    scene->model->world->nodes[0].running = false;
    plan_one(scene, true, NOT_RUNNING);
    const struct plan_input input = {.config = scene->config, .wanted = true};
    struct plan plan = {0};
    assert_int_equal(plan_node(&input, "hostk8s-worker", NULL, &plan, NULL), 0);
    assert_plan_text(&plan, NOT_RUNNING);
    assert_null(plan.conditions[0].cluster);
    plan_done(&plan);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_written),
        TEST(own_and_script_files_are_replaced),
        TEST(missing_last_line_is_a_difference),
        TEST(foreign_file_stays),
        TEST(shadowing_directory_is_named),
        TEST(what_is_no_file_stays),
        TEST(shadowing_link_is_named),
        TEST(dropped_aliases_are_removed),
        TEST(nothing_of_ours_stays_when_unwanted),
        TEST(disabled_config_path_is_told),
        TEST(stopped_node_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
