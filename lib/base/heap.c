#include "lib/base/heap.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define CAPACITY_MIN 8

int heap_reserve(struct heap *heap, size_t count)
{
    if (count <= heap->capacity) {
        return 0;
    }
    size_t doubled = heap->capacity == 0 ? CAPACITY_MIN : 2 * heap->capacity;
    size_t capacity = count > doubled ? count : doubled;
    struct heap_node **nodes = reallocarray(heap->nodes, capacity, sizeof(struct heap_node *));
    if (nodes == NULL) {
        return -ENOMEM;
    }
    heap->nodes = nodes;
    heap->capacity = capacity;
    return 0;
}

static bool comes_before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->arrival < b->arrival;
}

static void set(struct heap *heap, size_t place, struct heap_node *node)
{
    heap->nodes[place - 1] = node;
    node->place = place;
}

// Lets the node move from the place towards the first, as far as it comes before others.
static size_t rise(struct heap *heap, const struct heap_node *node, size_t place)
{
    while (place > 1 && comes_before(node, heap->nodes[place / 2 - 1])) {
        set(heap, place, heap->nodes[place / 2 - 1]);
        place /= 2;
    }
    return place;
}

static size_t sink(struct heap *heap, const struct heap_node *node, size_t place)
{
    for (size_t child = 2 * place; child <= heap->count; child = 2 * place) {
        if (child < heap->count && comes_before(heap->nodes[child], heap->nodes[child - 1])) {
            child++;
        }
        if (!comes_before(heap->nodes[child - 1], node)) {
            break;
        }
        set(heap, place, heap->nodes[child - 1]);
        place = child;
    }
    return place;
}

static void settle(struct heap *heap, struct heap_node *node, size_t place)
{
    set(heap, sink(heap, node, rise(heap, node, place)), node);
}

void heap_put(struct heap *heap, struct heap_node *node, uint64_t key)
{
    if (node->place == 0) {
        assert(heap->count < heap->capacity);
        heap->count++;
        node->place = heap->count;
    }
    node->key = key;
    node->arrival = heap->arrivals++;
    settle(heap, node, node->place);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;
    struct heap_node *last = heap->nodes[heap->count - 1];
    node->place = 0;
    heap->count--;
    if (last != node) {
        settle(heap, last, place);
    }
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->nodes[0];
}

void heap_done(struct heap *heap)
{
    free(heap->nodes);
    *heap = (struct heap){0};
}
