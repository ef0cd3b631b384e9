// A list's version counts every write in the cluster: it makes no other answer of the same objects.
#include "lib/doc/json_memo.h"
#include "lib/kube/kube.h"
#include "tests/support/fake_transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void keep_items(void *ctx, json_t *answer, const struct error *err)
{
    json_t **items = ctx;
    assert_null(err);
    *items = json_incref(json_object_get(answer, "items"));
}

static json_t *items_of(struct fake_transport *fake, struct kube *kube, struct json_memo *memo,
                        const char *answer)
{
    json_t *items = NULL;
    fake_transport_reply(fake, 200, answer);
    assert_int_equal(kube_list(kube, "/api/v1/pods", NULL, memo, keep_items, &items, NULL), 0);
    assert_int_equal(fake_transport_run(fake), 1);
    assert_non_null(items);
    return items;
}

static void test_list_memo(void **state)
{
    (void)state;
    struct fake_transport *fake = fake_transport_new();
    struct kube *kube = NULL;
    const struct kube_credentials credentials = {.server = (char[]){"https://127.0.0.1:6443"}};
    assert_int_equal(kube_new(fake_transport_http(fake), &credentials, 1000, &kube, NULL), 0);
    struct json_memo memo = {0};
    json_auto_t *first =
        items_of(fake, kube, &memo,
                 "{\"metadata\": {\"resourceVersion\":\"101\"}, \"items\": [{\"a\": 1}]}");
    json_auto_t *same =
        items_of(fake, kube, &memo,
                 "{\"metadata\": {\"resourceVersion\":\"102\"}, \"items\": [{\"a\": 1}]}");
    json_auto_t *other =
        items_of(fake, kube, &memo,
                 "{\"metadata\": {\"resourceVersion\":\"102\"}, \"items\": [{\"a\": 2}]}");
    assert_ptr_equal(same, first);
    assert_false(json_equal(other, first));
    json_memo_done(&memo);
    kube_free(kube);
    fake_transport_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_memo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
