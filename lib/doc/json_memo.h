// The answer to a question that is asked again and again and mostly gets the same answer: what has
// not changed is not parsed again. The value is shared: whoever gets it must not change it.
#pragma once

#include "lib/base/cleanup.h"

#include <jansson.h>
#include <stddef.h>

struct json_memo {
    char *text;
    size_t length;
    json_t *value;
};

// As json_parse; a text that is the same as the last time has the value of the last time. What is
// longer than JSON_MEMO_MAX is parsed each time, since both are kept. memo NULL: json_parse.
#define JSON_MEMO_MAX (64u * 1024u)
int json_memo_parse(struct json_memo *memo, const char *text, size_t length,
                    json_t **ret) _must_check_;

void json_memo_done(struct json_memo *memo);
