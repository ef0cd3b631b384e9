#include "lib/base/heap.h"

#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NODES 200
#define STEPS 20000

static struct heap_node *take(struct heap *heap)
{
    struct heap_node *node = heap_first(heap);
    assert_non_null(node);
    heap_remove(heap, node);
    return node;
}

static void test_order(void **state)
{
    (void)state;
    struct heap heap = {0};
    struct heap_node late = {0};
    struct heap_node early = {0};
    struct heap_node early_too = {0};
    assert_int_equal(heap_reserve(&heap, 3), 0);
    assert_null(heap_first(&heap));
    heap_put(&heap, &late, 9);
    heap_put(&heap, &early, 1);
    heap_put(&heap, &early_too, 1);
    assert_ptr_equal(take(&heap), &early); // it came first
    assert_ptr_equal(take(&heap), &early_too);
    assert_ptr_equal(take(&heap), &late);
    assert_null(heap_first(&heap));
    assert_int_equal(late.place, 0);
    heap_done(&heap);
}

static void test_move(void **state)
{
    (void)state;
    struct heap heap = {0};
    struct heap_node a = {0};
    struct heap_node b = {0};
    assert_int_equal(heap_reserve(&heap, 2), 0);
    heap_put(&heap, &a, 1);
    heap_put(&heap, &b, 2);
    heap_put(&heap, &a, 3);
    assert_ptr_equal(heap_first(&heap), &b);
    heap_put(&heap, &a, 2); // as one that came later
    assert_ptr_equal(heap_first(&heap), &b);
    heap_put(&heap, &a, 0);
    assert_ptr_equal(heap_first(&heap), &a);
    assert_int_equal(heap.count, 2);
    heap_done(&heap);
}

// The least of those that are in, by looking at all of them.
static const struct heap_node *least(const struct heap_node *nodes)
{
    const struct heap_node *found = NULL;
    for (const struct heap_node *node = nodes; node < nodes + NODES; node++) {
        if (node->place != 0 && (found == NULL || node->key < found->key ||
                                 (node->key == found->key && node->arrival < found->arrival))) {
            found = node;
        }
    }
    return found;
}

static void test_random(void **state)
{
    (void)state;
    struct random random = {.state = 1};
    struct heap heap = {0};
    struct heap_node nodes[NODES] = {0};
    size_t in = 0;
    assert_int_equal(heap_reserve(&heap, NODES), 0);
    for (int step = 0; step < STEPS; step++) {
        struct heap_node *node = &RANDOM_PICK(&random, nodes);
        if (node->place != 0 && random_chance(&random, 40)) {
            heap_remove(&heap, node);
            assert_int_equal(node->place, 0);
            in--;
        } else {
            in += node->place == 0;
            heap_put(&heap, node, random_below(&random, NODES / 2));
        }
        assert_int_equal(heap.count, in);
        assert_ptr_equal(heap_first(&heap), least(nodes));
    }
    heap_done(&heap);
}

static void test_reserve(void **state)
{
    (void)state;
    struct heap heap = {0};
    for (size_t count = 0; count < 100; count++) {
        assert_int_equal(heap_reserve(&heap, count), 0);
        assert_true(heap.capacity >= count);
    }
    struct heap_node **nodes = heap.nodes;
    assert_int_equal(heap_reserve(&heap, 1), 0);
    assert_ptr_equal(heap.nodes, nodes);
    heap_done(&heap);
    heap_done(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_reserve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
