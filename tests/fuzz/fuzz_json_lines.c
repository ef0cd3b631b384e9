// A stream of JSON lines: however it is cut, the same values come and the same error ends it.
#include "lib/base/str.h"
#include "lib/doc/json_lines.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#define INPUT_BYTES_MAX 4096
#define LINE_BYTES_MAX 256
#define VALUES_BYTES_MAX (1024u * 1024u)
#define REFUSED_KEY "refuse" // the reader gives up at an object that has it

struct outcome {
    struct buf values;
    int result;
    struct error err;
};

static int on_value(void *ctx, json_t *value, struct error *err)
{
    struct outcome *outcome = ctx;
    if (json_object_get(value, REFUSED_KEY) != NULL) {
        return error_set(err, ERROR_CONFLICT, ECANCELED, "given up");
    }
    _cleanup_free_ char *text = json_dumps(value, JSON_COMPACT);
    MUST(text != NULL);
    MUST(buf_printf(&outcome->values, "%s\n", text) == 0);
    return 0;
}

// 0: all in one piece; 1: bytes; another number is the seed of pieces of random length.
static struct outcome read_cut(const char *data, size_t size, uint32_t cut)
{
    struct outcome outcome = {.values = BUF_INIT(VALUES_BYTES_MAX)};
    struct json_lines lines = JSON_LINES_INIT(LINE_BYTES_MAX, on_value, &outcome);
    uint32_t random = cut;
    for (size_t at = 0; at < size && outcome.result == 0;) {
        random = random * 1664525u + 1013904223u;
        size_t want = cut == 0 ? size : cut == 1 ? 1 : (random >> 24) % 16;
        size_t length = want < size - at ? want : size - at;
        // A copy, so that a sanitizer sees what is read beyond the piece.
        _cleanup_free_ char *piece = str_dup_n(data + at, length);
        MUST(piece != NULL);
        outcome.result = json_lines_feed(&lines, piece, length, &outcome.err);
        at += length;
    }
    if (outcome.result == 0) {
        outcome.result = json_lines_end(&lines, &outcome.err);
    }
    json_lines_done(&lines);
    MUST(outcome.result <= 0);
    if (outcome.result < 0) {
        MUST(outcome.result == -outcome.err.code);
        must_explain(&outcome.err);
    }
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX) {
        return 0;
    }
    struct outcome whole = read_cut((const char *)data, size, 0);
    for (uint32_t cut = 1; cut <= 4; cut++) {
        struct outcome pieces = read_cut((const char *)data, size, cut);
        MUST(pieces.result == whole.result);
        MUST(str_equal(buf_str(&pieces.values), buf_str(&whole.values)));
        MUST(pieces.err.kind == whole.err.kind);
        MUST(str_equal(pieces.err.text, whole.err.text));
        buf_done(&pieces.values);
    }
    buf_done(&whole.values);
    return 0;
}
