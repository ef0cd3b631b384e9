// Every allocation of taking up and of passing on what is known of nodes fails.
#include "tests/support/alloc_cases.h"

#include "lib/backend/node_cache.h"
#include "lib/doc/json_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX 4096

static const char text[] =
    "{\"version\":\"" PROGRAM_VERSION "\",\"nodes\":{"
    "\"a\":{\"container\":\"1\",\"configPath\":1,\"stamps\":[[\"/x\",\"s\"],[\"/y\",null]],"
    "\"dirs\":[[\"localhost:5000\",\"server = 1\\n\",null,null],"
    "[\"localhost:5002\",null,null,\"a pipe\"],[\"_default\",null,\"a file\",null]]},"
    "\"b\":{\"container\":\"2\",\"configPath\":2,\"stamps\":[[\"/x\",\"s\"]],\"dirs\":[]}}}";

static int load(struct sorted *caches)
{
    json_auto_t *json = NULL;
    int r = json_parse(text, strlen(text), &json, NULL);
    return r < 0 ? r : node_caches_from_json(caches, json);
}

static int attempt_load(void *ctx)
{
    (void)ctx;
    struct sorted caches = {.compare = node_cache_compare};
    int r = load(&caches);
    assert_true(r < 0 || caches.count == 2);
    node_caches_done(&caches);
    return r;
}

// One that there is no memory for is left out; none is passed on in part.
static int attempt_print(void *ctx)
{
    _cleanup_buf_ struct buf printed = BUF_INIT(TEXT_MAX);
    json_auto_t *json = node_caches_to_json(ctx);
    int r = json_print(&printed, json, JSON_COMPACT);
    if (r == 0 && alloc_stats().failed == 0) {
        assert_string_equal(buf_str(&printed), text);
    }
    const char *node;
    const json_t *value;
    json_object_foreach (json_object_get(json, "nodes"), node, value) {
        assert_int_equal(json_object_size(value), 4);
        assert_int_equal(json_array_size(json_object_get(value, "stamps")), node[0] == 'a' ? 2 : 1);
        assert_int_equal(json_array_size(json_object_get(value, "dirs")), node[0] == 'a' ? 3 : 0);
    }
    return r;
}

static void test_load(void **state)
{
    (void)state;
    print_message("%ju allocations failed\n", (uintmax_t)alloc_fail_each(attempt_load, NULL, 0));
}

static void test_print(void **state)
{
    (void)state;
    struct sorted caches = {.compare = node_cache_compare};
    assert_int_equal(load(&caches), 0);
    for (size_t i = 0; i < caches.count; i++) {
        ((struct node_cache *)caches.items[i])->recalled = false; // as after a look
    }
    print_message("%ju allocations failed\n",
                  (uintmax_t)alloc_fail_each(attempt_print, &caches, 0));
    node_caches_done(&caches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_load), cmocka_unit_test(test_print)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
