#include "tests/support/sim_reply.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static unsigned hex_digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

static void unescape(char *s)
{
    char *out = s;
    for (; *s != '\0'; s++) {
        if (*s == '%') {
            *out++ = (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
            s += 2;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

void sim_exchange_begin(struct sim_exchange *x, const struct sim_request *request,
                        struct sim_reply *reply)
{
    size_t length = strcspn(request->path, "?");
    *x = (struct sim_exchange){
        .request = request,
        .reply = reply,
        .path = str_dup_n(request->path, length),
        .query = str_dup(request->path[length] == '?' ? request->path + length + 1 : ""),
    };
    assert_non_null(x->path);
    assert_non_null(x->query);
    unescape(x->path);
}

void sim_exchange_end(struct sim_exchange *x)
{
    free(x->path);
    free(x->query);
    free(x->name);
}

bool sim_exchange_match(struct sim_exchange *x, const char *path, const char *prefix,
                        const char *suffix, bool wide)
{
    size_t length = strlen(path);
    size_t around = strlen(prefix) + strlen(suffix);
    if (length < around || !str_starts_with(path, prefix) || !str_ends_with(path, suffix)) {
        return false;
    }
    const char *name = path + strlen(prefix);
    if (!wide && memchr(name, '/', length - around) != NULL) {
        return false;
    }
    free(x->name);
    x->name = str_dup_n(name, length - around);
    assert_non_null(x->name);
    return true;
}

char *sim_exchange_query(const struct sim_exchange *x, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = x->query; *at != '\0';) {
        size_t part = strcspn(at, "&");
        if (strncmp(at, key, length) == 0 && at[length] == '=') {
            char *value = str_dup_n(at + length + 1, part - length - 1);
            assert_non_null(value);
            unescape(value);
            return value;
        }
        at += part + (at[part] == '&');
    }
    return NULL;
}

json_t *sim_exchange_json(const struct sim_exchange *x)
{
    json_t *body = json_loadb(x->request->body, x->request->body_length, 0, NULL);
    assert_non_null(body);
    return body;
}

void sim_exchange_answer(struct sim_exchange *x, int status, json_t *body)
{
    x->reply->status = status;
    if (body != NULL) {
        x->reply->body = json_dumps(body, JSON_COMPACT);
        assert_non_null(x->reply->body);
        json_decref(body);
    }
}

void sim_exchange_refuse(struct sim_exchange *x, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    _cleanup_free_ char *message = str_vprintf(format, args);
    va_end(args);
    sim_exchange_answer(x, status, json_pack("{s:s}", "message", message));
}
