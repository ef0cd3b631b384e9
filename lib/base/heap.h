// A binary heap of nodes that are embedded in what they stand for: the node of the least key first,
// of equal keys the one that was put in first.
#pragma once

#include <stddef.h>
#include <stdint.h>

// All zero is in no heap. Only the heap writes to it.
struct heap_node {
    uint64_t key;
    uint64_t arrival;
    size_t place; // in the array, from 1; 0: in no heap
};

// All zero is an empty heap.
struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t capacity;
    uint64_t arrivals;
};

// Makes room for count nodes in all, so that heap_put cannot fail. Returns 0 or -ENOMEM.
int heap_reserve(struct heap *heap, size_t count);

// Puts a node in, or moves one that is in it to another key. There must be room.
void heap_put(struct heap *heap, struct heap_node *node, uint64_t key);
// Takes a node out that is in the heap.
void heap_remove(struct heap *heap, struct heap_node *node);
// The first one, NULL when there is none.
struct heap_node *heap_first(const struct heap *heap);

// The nodes are their owners'.
void heap_done(struct heap *heap);
