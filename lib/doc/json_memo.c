#include "lib/doc/json_memo.h"

#include "lib/doc/json_text.h"

#include <string.h>

void json_memo_done(struct json_memo *memo)
{
    free(memo->text);
    json_decref(memo->value);
    *memo = (struct json_memo){0};
}

int json_memo_parse(struct json_memo *memo, const char *text, size_t length, json_t **ret)
{
    if (memo == NULL) {
        return json_parse(text, length, ret, NULL);
    }
    if (memo->text != NULL && memo->length == length && memcmp(memo->text, text, length) == 0) {
        *ret = json_incref(memo->value);
        return 0;
    }
    json_memo_done(memo);
    int r = json_parse(text, length, ret, NULL);
    if (r < 0 || length > JSON_MEMO_MAX) {
        return r;
    }
    // Without memory it is parsed again, no worse.
    memo->text = malloc(length);
    if (memo->text != NULL) {
        memcpy(memo->text, text, length);
        memo->length = length;
        memo->value = json_incref(*ret);
    }
    return 0;
}
