#include "lib/doc/json_text.h"

#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- parsing ----
//
// jansson 2.14 does not mind when its lexer's buffer cannot grow (lex_save in src/load.c): the byte
// is left out. A text is then read as another one, and where it is the byte that ends a token, the
// lexer reads and writes beyond its buffers (lex_scan_string) or fails an assertion
// (lex_unget_unsave). Hence its allocator, while it parses: after the first failure all others
// fail, so that every string and number is given up. Only what the assertion needs, the first two
// steps of the buffer, comes from a reserve then, until something was refused. No number that an
// engine or an API server sends is longer than that.

#define FIRST_STEP 32 // bytes; the buffer's size doubles
#define SECOND_STEP 64
#define RESERVE_BLOCKS                                                                             \
    4 // one of each, and one that something else of that size may have had before

static struct {
    bool failed;
    bool refused;      // something was not given from the reserve either
    unsigned reserved; // blocks
    alignas(max_align_t) char reserve[RESERVE_BLOCKS][SECOND_STEP];
} memory;

static void *parser_malloc(size_t size)
{
    void *block = memory.failed ? NULL : malloc(size);
    if (block != NULL) {
        return block;
    }
    memory.failed = true;
    if ((size != FIRST_STEP && size != SECOND_STEP) || memory.reserved == RESERVE_BLOCKS) {
        memory.refused = true;
    }
    return memory.refused ? NULL : memory.reserve[memory.reserved++];
}

static void parser_free(void *block)
{
    uintptr_t at = (uintptr_t)block;
    uintptr_t reserve = (uintptr_t)memory.reserve;
    if (at < reserve || at >= reserve + sizeof(memory.reserve)) {
        free(block);
    }
}

int json_parse(const char *text, size_t length, json_t **ret, int *ret_position)
{
    json_error_t problem = {0};
    memory.failed = false;
    memory.refused = false;
    memory.reserved = 0;
    json_set_alloc_funcs(parser_malloc, parser_free);
    json_t *value = json_loadb(text, length, 0, &problem);
    if (memory.failed) {
        json_decref(value); // what is of the reserve in it must not get out
        value = NULL;
    }
    json_set_alloc_funcs(malloc, free);
    if (memory.failed) {
        return -ENOMEM;
    }
    if (value == NULL) {
        if (ret_position != NULL) {
            *ret_position = problem.position;
        }
        return -EBADMSG;
    }
    *ret = value;
    return 0;
}

// ---- printing ----
//
// jansson 2.14 does not mind when the key of an object cannot be written (do_dump in src/dump.c),
// so the sink remembers.

struct sink {
    struct buf *buf;
    int r; // of the first append that failed
};

static int sink_write(const char *data, size_t length, void *ctx)
{
    struct sink *sink = ctx;
    if (sink->r == 0) {
        sink->r = buf_append(sink->buf, data, length);
    }
    return sink->r;
}

int json_print(struct buf *buf, const json_t *value, size_t flags)
{
    struct sink sink = {.buf = buf};
    int r = json_dump_callback(value, sink_write, &sink, flags);
    return sink.r < 0 ? sink.r : r < 0 ? -ENOMEM : 0;
}
