// Actions as requests: by id, whatever has the name by then; and what their errors mean.
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "tests/support/container_rig.h"
#include "tests/support/sample_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "282f564e9b7ca06ad9ba6a5430b5226b6e3fdcf8d6dbddcf06ed730eeb15f1af"
#define NEW_ID "aaaa564e9b7ca06ad9ba6a5430b5226b6e3fdcf8d6dbddcf06ed730eeb15f1af"
#define CREATED "201 {'Id': '" NEW_ID "', 'Warnings': []}"
#define RECORDED "engine-28.5.2/list.json", "engine-28.5.2/inspect.json"

// With a client that has agreed on a version, and nothing observed.
static int setup(void **state)
{
    (void)container_rig_begin(state);
    ANSWER(*state, "ping", "200 []", "404", "404");
    container_rig_observe(*state);
    return 0;
}

static struct action action_of(enum container_op op, const char *target)
{
    return (struct action){.op = (int)op,
                           .name = "container-create",
                           .resource = op == CONTAINER_OP_CONNECT ? "network/kind/hostk8s-registry"
                                                                  : "container/hostk8s-registry",
                           .target = target};
}

static const struct {
    enum container_op op;
    const char *target;
    const char *argument;
    const char *path;
    const char *body;
} requests[] = {
    {CONTAINER_OP_CREATE, "hostk8s-registry", NULL,
     "/v1.41/containers/create?name=hostk8s-registry", "{}"},
    {CONTAINER_OP_START, ID, "other", "/v1.41/containers/" ID "/start", ""},
    {CONTAINER_OP_START, NULL, NULL, "/v1.41/containers/" NEW_ID "/start", ""},
    {CONTAINER_OP_STOP, ID, NULL, "/v1.41/containers/" ID "/stop?t=10", ""},
    {CONTAINER_OP_UNPAUSE, ID, NULL, "/v1.41/containers/" ID "/unpause", ""},
    {CONTAINER_OP_RENAME, ID, "b", "/v1.41/containers/" ID "/rename?name=b", ""},
    {CONTAINER_OP_UPDATE, ID, NULL, "/v1.41/containers/" ID "/update", "{}"},
    {CONTAINER_OP_REMOVE, ID, NULL, "/v1.41/containers/" ID "?force=1&v=0", ""},
    {CONTAINER_OP_CONNECT, NULL, "kind", "/v1.41/networks/kind/connect",
     "{\"Container\":\"" NEW_ID "\",\"EndpointConfig\":{\"Aliases\":[\"hostk8s-registry\"]}}"},
    {CONTAINER_OP_DISCONNECT, ID, "kind", "/v1.41/networks/kind/disconnect",
     "{\"Container\":\"" ID "\",\"Force\":true}"},
};

static void containers_are_named_by_their_ids(void **state)
{
    struct container_rig *rig = *state;
    json_auto_t *body = json_object();
    for (size_t i = 0; i < ELEMENTS(requests); i++) {
        struct action action = action_of(requests[i].op, requests[i].target);
        action.argument = requests[i].argument;
        action.body = body;
        ANSWER(rig, CREATED);
        assert_true(container_rig_act(rig, &action));
        assert_string_equal(fake_transport_last(rig->fake)->path, requests[i].path);
        assert_string_equal(fake_transport_last(rig->fake)->body, requests[i].body);
    }
}

// Between observation and action somebody puts a container in the place of the one that is to be
// recreated: none of the plan's requests is about what has the name by then.
static void what_has_taken_the_name_is_not_touched(void **state)
{
    struct container_rig *rig = *state;
    sample_set(&rig->config->registry.image, "registry:3");
    sample_set(&rig->config->registry.storage, "/home/dev/.local/share/hostk8s/registry");
    rig->config->registry.listen_port = 5003;
    ANSWER(rig, RECORDED, "404", "200");
    container_rig_observe(rig);
    rig->current->facts[0].storage.state = STORAGE_USABLE; // it is of another machine

    struct plan plan = {0};
    container_kind.plan(&rig->input, rig->current, &plan);
    assert_true(plan.action_count >= 5);
    size_t first = fake_transport_count(rig->fake);
    for (size_t i = 0; i < plan.action_count; i++) {
        ANSWER(rig, CREATED);
        assert_true(container_rig_act(rig, plan.actions[i]));
    }
    for (size_t i = first; i < fake_transport_count(rig->fake); i++) {
        const struct fake_request *request = fake_transport_request(rig->fake, i);
        assert_null(strstr(request->path, "/hostk8s-registry"));
        assert_null(strstr(request->body, "\"Container\":\"hostk8s-registry"));
    }
    plan_done(&plan);
}

static void nothing_is_asked_in_vain(void **state)
{
    struct container_rig *rig = *state;
    size_t before = fake_transport_count(rig->fake);
    // It was not created.
    const struct action start = action_of(CONTAINER_OP_START, NULL);
    assert_false(container_rig_act(rig, &start));
    assert_int_equal(rig->error.kind, ERROR_CONFLICT);
    // What is declared is no text.
    const struct action create = action_of(CONTAINER_OP_CREATE, "hostk8s-registry");
    assert_false(container_rig_act(rig, &create));
    assert_int_equal(rig->error.code, EILSEQ);
    // There is no engine.
    container_kind.invalidate(&rig->io, &rig->memory);
    const struct action stop = action_of(CONTAINER_OP_STOP, ID);
    assert_false(container_rig_act(rig, &stop));
    assert_int_equal(rig->error.kind, ERROR_CONFLICT);
    assert_int_equal(fake_transport_count(rig->fake), before);
}

static void refused_update_is_known_from_then_on(void **state)
{
    struct container_rig *rig = *state;
    static const struct {
        const char *answer;
        bool known;
    } cases[] = {{"500 No", false}, {"404 Not Found", true}}; // podman's plain text
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        json_auto_t *body = json_object();
        struct action action = action_of(CONTAINER_OP_UPDATE, ID);
        action.body = body;
        container_rig_answer(rig, cases[i].answer);
        assert_false(container_rig_act(rig, &action));
        ANSWER(rig, RECORDED, "404", "200 {'Id': 'i'}", "200");
        container_rig_observe(rig);
        assert_int_equal(rig->current->containers[0].keeps_restart_policy, cases[i].known);
    }
}

static void storage_is_made_off_the_loop(void **state)
{
    struct container_rig *rig = *state;
    _cleanup_free_ char *above = str_printf("%s/a", rig->directory);
    _cleanup_free_ char *path = str_printf("%s/b", above);
    struct action action = action_of(CONTAINER_OP_STORAGE_MAKE, path);
    assert_true(container_rig_act(rig, &action));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(above), 0);

    action.target = rig->directory; // it is there
    assert_true(container_rig_act(rig, &action));
    assert_int_equal(symlink("/mnt/not-mounted", above), 0);
    action.target = path;
    _cleanup_free_ char *refused = str_printf("cannot make %s: Not a directory", above);
    assert_false(container_rig_act(rig, &action));
    assert_string_equal(rig->error.text, refused);
    assert_int_equal(rig->error.kind, ERROR_PERMANENT);
    assert_int_equal(unlink(above), 0);

    assert_true(container_rig_begin_action(rig, &action));
    container_kind.cancel(&rig->io, rig->memory, false); // it may be half done
    assert_int_equal(scripted_worker_time_out(rig->worker), 1);
    assert_int_equal(rig->error.code, ETIMEDOUT);

    assert_true(container_rig_begin_action(rig, &action));
    container_kind.invalidate(&rig->io, &rig->memory);
    assert_int_equal(rig->ended, 0);
    assert_int_equal(scripted_worker_run(rig->worker), 1);
    assert_int_equal(rig->ended, 1);
    assert_int_equal(rig->error.code, ECANCELED);
}

// A login is written into the container, where neither its environment nor a mount shows it.
static void login_is_put_into_the_container(void **state)
{
    struct container_rig *rig = *state;
    static const char expected[] =
        "{\"version\":\"0.1\",\"storage\":{\"cache\":{\"blobdescriptor\":\"inmemory\"},"
        "\"filesystem\":{\"rootdirectory\":\"/var/lib/registry\"}},\"http\":{\"addr\":\":5000\"},"
        "\"proxy\":{\"remoteurl\":\"https://ghcr.io\",\"username\":\"me\",\"password\":\"hunter2 "
        "\\\"x\\\"\"}}";
    static const struct {
        const char *password; // NULL: there is no file
        const char *error;    // NULL: none
    } passwords[] = {
        {"hunter2 \"x\"\n", NULL},
        {"hunter2 \"x\"\r\nmore", NULL},
        {"\xff\n", "/password has no password in UTF-8 in its first line; mend that or change"},
        {"\n", "/password has no password in UTF-8 in its first line; mend that or change"},
        {NULL, "cannot be read"},
    };
    _cleanup_free_ char *path = str_printf("%s/password", rig->directory);
    _cleanup_free_ char *text =
        str_printf("caches: [{upstream: ghcr.io, username: me, passwordFile: '%s'}]", path);
    container_rig_configure(rig, text);
    const struct action action = {.op = CONTAINER_OP_LOGIN_WRITE,
                                  .resource = "container/hostk8s-registry-cache-ghcr.io",
                                  .target = ID,
                                  .argument = path};
    for (size_t i = 0; i < ELEMENTS(passwords); i++) {
        const char *password = passwords[i].password;
        size_t before = fake_transport_count(rig->fake);
        (void)unlink(path);
        assert_true(password == NULL || file_replace(path, password, strlen(password)) == 0);
        if (passwords[i].error == NULL) {
            ANSWER(rig, "200");
            assert_true(container_rig_act(rig, &action));
            const struct fake_request *put = fake_transport_last(rig->fake);
            assert_non_null(strstr(put->path, ID "/archive?path=%2Fetc"));
            assert_non_null(memmem(put->body, put->body_length, expected, strlen(expected)));
            assert_non_null(memmem(put->body, put->body_length, "000600 ", 7));
        } else {
            assert_false(container_rig_act(rig, &action));
            assert_non_null(strstr(rig->error.text, passwords[i].error));
            assert_int_equal(fake_transport_count(rig->fake), before);
        }
    }
    _cleanup_free_ char *hidden = secrets_hide(rig->secrets, "a hunter2 b");
    assert_string_equal(hidden, "a ***b");
    // The file system may hang.
    assert_true(container_rig_begin_action(rig, &action));
    assert_int_equal(scripted_worker_time_out(rig->worker), 1);
    assert_non_null(strstr(rig->error.text, "does not answer"));
    assert_int_equal(rig->error.kind, ERROR_PERMANENT);
}

// Where root in a container is another user of this machine.
static void storage_is_made_for_who_writes_there(void **state)
{
    struct container_rig *rig = *state;
    _cleanup_free_ char *path = str_printf("%s/a", rig->directory);
    struct action action = action_of(CONTAINER_OP_STORAGE_MAKE, path);
    action.argument = "231072";
    assert_true(container_rig_act(rig, &action));
    static const uint8_t expected[] = {2,    0, 0, 0,                          // version
                                       1,    0, 7, 0, 0xff, 0xff, 0xff, 0xff,  // user
                                       2,    0, 7, 0, 0xa0, 0x86, 3,    0,     // that user
                                       4,    0, 5, 0, 0xff, 0xff, 0xff, 0xff,  // group
                                       0x10, 0, 7, 0, 0xff, 0xff, 0xff, 0xff,  // mask
                                       0x20, 0, 5, 0, 0xff, 0xff, 0xff, 0xff}; // others
    uint8_t acl[sizeof(expected) + 1];
    ssize_t length = getxattr(path, "system.posix_acl_access", acl, sizeof(acl));
    if (length >= 0 || errno != EOPNOTSUPP) {
        assert_int_equal(length, sizeof(expected));
        assert_memory_equal(acl, expected, sizeof(expected));
    }
    assert_int_equal(rmdir(path), 0);
}

static void only_a_pull_is_cut_short(void **state)
{
    struct container_rig *rig = *state;
    const struct action pull = action_of(CONTAINER_OP_IMAGE_PULL, "registry:2");
    assert_true(container_rig_begin_action(rig, &pull));
    container_kind.cancel(&rig->io, rig->memory, false);
    container_rig_run(rig);
    assert_int_equal(rig->error.code, ECANCELED);

    const struct action stop = action_of(CONTAINER_OP_STOP, ID);
    assert_true(container_rig_begin_action(rig, &stop));
    container_kind.cancel(&rig->io, rig->memory, false);
    container_rig_run(rig);
    assert_int_equal(rig->ended, 0);
    container_kind.cancel(&rig->io, rig->memory, true);
    container_rig_run(rig);
    assert_int_equal(rig->error.code, ECANCELED);
}

static void pull_tells_of_its_progress(void **state)
{
    struct container_rig *rig = *state;
    const struct action action = action_of(CONTAINER_OP_IMAGE_PULL, "registry:2");
    for (int i = 0; i < 2; i++) {
        ANSWER(rig,
               "200 {'status': 'Downloading', 'id': 'a', 'progressDetail': {'current': 1500000, "
               "'total': 2000000}}\n{'status': 'Status: Downloaded'}\n");
        assert_true(container_rig_begin_action(rig, &action));
        rig->io.now_ms = 500;
        container_rig_run(rig);
        assert_string_equal(rig->progress, "registry:2: 0 of 1 layers, 1.5 MB, 3.0 MB/s\n\n");
        rig->io.progress = NULL; // nobody may want to hear it
    }
}

#define NAME "; rename or remove that container, or change registry.name"
#define PULL "; correct registry.image, or pull it by hand with `docker pull registry:2`"
#define FIREWALL                                                                                   \
    "; the firewall was loaded again without the engine's rules: restart the engine (`sudo "       \
    "systemctl restart docker`)"
#define ALLOW "; let docker.host's engine allow the request"

static const struct {
    enum container_op op;
    enum error_kind kind;
    int code;
    int status;
    const char *text;
    enum reason reason;
    const char *message; // behind a ';' that follows the text
} errors[] = {
    {CONTAINER_OP_START, ERROR_TRANSIENT, EIO, 500, "Bind failed: port is already allocated",
     REASON_PORT_IN_USE,
     "127.0.0.1:5002 is taken by container other; change registry.listen or free the port"},
    {CONTAINER_OP_START, ERROR_CONFLICT, EIO, 409, "no", REASON_ERROR, "no"},
    {CONTAINER_OP_CONNECT, ERROR_TRANSIENT, EIO, 500,
     "Chain 'DOCKER-ISOLATION-STAGE-2' does not exist", REASON_ERROR, FIREWALL},
    {CONTAINER_OP_START, ERROR_TRANSIENT, EIO, 500,
     "driver failed: iptables failed: No chain/target/match by that name", REASON_ERROR, FIREWALL},
    {CONTAINER_OP_STOP, ERROR_TRANSIENT, EIO, 500, "address already in use\n", REASON_ERROR,
     "address already in use "},
    {CONTAINER_OP_CREATE, ERROR_CONFLICT, EIO, 409, "in use", REASON_NAME_CONFLICT, NAME},
    {CONTAINER_OP_CREATE, ERROR_CONFLICT, EIO, 404, "no image", REASON_ERROR, "no image"},
    {CONTAINER_OP_RENAME, ERROR_CONFLICT, EIO, 409, "in use", REASON_NAME_CONFLICT, NAME},
    {CONTAINER_OP_CONNECT, ERROR_CONFLICT, EIO, 404, "not found", REASON_NETWORK_MISSING,
     "there is no network kind; kind creates it with the first cluster"},
    {CONTAINER_OP_CONNECT, ERROR_CONFLICT, EIO, 409, "no", REASON_ERROR, "no"},
    {CONTAINER_OP_DISCONNECT, ERROR_CONFLICT, EIO, 404, "gone", REASON_ERROR, "gone"},
    {CONTAINER_OP_STORAGE_MAKE, ERROR_PERMANENT, EACCES, 0, "cannot make /srv",
     REASON_STORAGE_NOT_WRITABLE, "; make the directory writable or change registry.storage"},
    {CONTAINER_OP_STORAGE_MAKE, ERROR_TRANSIENT, ECANCELED, 0, "no", REASON_ERROR, "no"},
    {CONTAINER_OP_IMAGE_PULL, ERROR_PERMANENT, ENOENT, 0, "unknown", REASON_IMAGE_PULL_FAILED,
     PULL},
    {CONTAINER_OP_IMAGE_PULL, ERROR_TRANSIENT, ETIMEDOUT, 0, "slow", REASON_IMAGE_PULL_FAILED,
     PULL},
    {CONTAINER_OP_IMAGE_PULL, ERROR_TRANSIENT, ECONNREFUSED, 0, "refused",
     REASON_ENGINE_UNREACHABLE, "; start the Docker Engine or change docker.host"},
    {CONTAINER_OP_IMAGE_PULL, ERROR_TRANSIENT, EMFILE, 0, "too many", REASON_ERROR, "too many"},
    {CONTAINER_OP_IMAGE_PULL, ERROR_PERMANENT, EACCES, 0, "denied; join", REASON_PERMISSION_DENIED,
     "denied; join"},
    {CONTAINER_OP_IMAGE_PULL, ERROR_PERMANENT, EIO, 401, "denied", REASON_PERMISSION_DENIED, ALLOW},
    {CONTAINER_OP_UNPAUSE, ERROR_PERMANENT, EIO, 403, "denied", REASON_PERMISSION_DENIED, ALLOW},
};

static void errors_have_reasons(void **state)
{
    const struct container_rig *rig = *state;
    char message[ERROR_TEXT_MAX];
    for (size_t i = 0; i < ELEMENTS(errors); i++) {
        struct action action = action_of(errors[i].op, NULL);
        struct error error = {errors[i].kind, errors[i].code, errors[i].status, 0, ""};
        action.argument = "other";
        (void)snprintf(error.text, sizeof(error.text), "%s", errors[i].text);
        assert_int_equal(
            container_kind.explain(&rig->input, &action, &error, message, sizeof(message)),
            errors[i].reason);
        size_t skipped = errors[i].message[0] == ';' ? strlen(errors[i].text) : 0;
        assert_string_equal(message + skipped, errors[i].message);
    }
    const struct error gone = {ERROR_TRANSIENT, ENOENT, 0, 0, "no such socket"};
    assert_int_equal(container_kind.explain(&rig->input, NULL, &gone, message, sizeof(message)),
                     REASON_ENGINE_UNREACHABLE);
}

static const struct {
    enum container_op op;
    enum error_kind kind;
    int status;
    bool rejects;
} failures[] = {
    {CONTAINER_OP_CREATE, ERROR_PERMANENT, 400, true},
    {CONTAINER_OP_CREATE, ERROR_TRANSIENT, 500, false}, // the old one serves meanwhile
    {CONTAINER_OP_CREATE, ERROR_PERMANENT, 0, false},   // nobody answered
    {CONTAINER_OP_START, ERROR_TRANSIENT, 500, true},
    {CONTAINER_OP_START, ERROR_TRANSIENT, 503, false},
    {CONTAINER_OP_START, ERROR_TRANSIENT, 429, false},
    {CONTAINER_OP_START, ERROR_TRANSIENT, 408, false},
    {CONTAINER_OP_START, ERROR_TRANSIENT, 0, false},
    {CONTAINER_OP_START, ERROR_CONFLICT, 404, false},
    {CONTAINER_OP_STOP, ERROR_PERMANENT, 400, false},
};

static void only_what_is_about_the_spec_rejects_it(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ELEMENTS(failures); i++) {
        const struct action action = action_of(failures[i].op, ID);
        const struct error error = {.kind = failures[i].kind, .status = failures[i].status};
        assert_int_equal(container_kind.rejects(&action, &error), failures[i].rejects);
    }
}

static void resources_are_known_before_an_observation(void **state)
{
    const struct container_rig *rig = *state;
    const struct condition condition = {
        .ready = READY_UNKNOWN, .reason = REASON_ENGINE_UNREACHABLE, .message = "no socket"};
    struct plan plan = {0};
    container_kind.resources(&rig->input, &condition, &plan);
    assert_int_equal(plan.condition_count, 2);
    assert_string_equal(plan_condition(&plan, "container/hostk8s-registry")->message, "no socket");
    assert_string_equal(plan_condition(&plan, "network/kind/hostk8s-registry")->message,
                        "no socket");
    plan_done(&plan);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, container_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(containers_are_named_by_their_ids),
        TEST(what_has_taken_the_name_is_not_touched),
        TEST(nothing_is_asked_in_vain),
        TEST(refused_update_is_known_from_then_on),
        TEST(storage_is_made_off_the_loop),
        TEST(login_is_put_into_the_container),
        TEST(storage_is_made_for_who_writes_there),
        TEST(only_a_pull_is_cut_short),
        TEST(pull_tells_of_its_progress),
        TEST(errors_have_reasons),
        TEST(only_what_is_about_the_spec_rejects_it),
        TEST(resources_are_known_before_an_observation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
