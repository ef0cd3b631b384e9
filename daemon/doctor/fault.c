#include "daemon/doctor/fault.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <string.h>

#define TEXT_BYTES_MAX 4096

struct fault fault_of_condition(struct arena *arena, const struct condition *condition)
{
    const char *message = condition->message;
    bool converges = condition->reason == REASON_CONVERGING;
    const char *cut = converges ? NULL : strstr(message, "; ");
    size_t length = cut == NULL ? strlen(message) : (size_t)(cut - message);
    return (struct fault){arena_printf(arena, "%s: %s: %.*s", condition->resource,
                                       reason_name(condition->reason), (int)length, message),
                          cut != NULL ? arena_dup(arena, cut + 2)
                          : converges ? "run `hostk8s-registryd apply`, or start the daemon"
                                      : "see `hostk8s-registryd plan`"};
}

const char *fault_text(struct arena *arena, const char *text, const struct fault_word *words,
                       size_t count)
{
    _cleanup_buf_ struct buf out = BUF_INIT(TEXT_BYTES_MAX);
    while (*text != '\0') {
        size_t plain = strcspn(text, "{");
        (void)buf_append(&out, text, plain);
        text += plain;
        size_t length = strcspn(text, "}");
        for (size_t i = 0; i < count && *text == '{'; i++) {
            bool is_it = strlen(words[i].name) == length - 1 &&
                         strncmp(text + 1, words[i].name, length - 1) == 0;
            (void)buf_append_str(&out, is_it && words[i].value != NULL ? words[i].value : "");
        }
        text += *text == '{' ? length + 1 : 0;
    }
    return arena_dup(arena, buf_str(&out));
}
