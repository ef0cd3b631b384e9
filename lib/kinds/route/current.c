#include "lib/kinds/route/current.h"

#include "lib/base/str.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 200 // bytes of what is repeated from an answer

// The title of every version of the UI's page, whatever it was configured to show.
// https://github.com/Joxit/docker-registry-ui/blob/main/src/index.html
#define PAGE_MARK "<title>Docker Registry UI</title>"

// One line of text from outside, NULL for nothing.
static const char *excerpt(struct arena *arena, const char *text)
{
    char out[TEXT_MAX];
    str_excerpt(text == NULL ? "" : text, out, sizeof(out));
    return out[0] == '\0' ? NULL : arena_dup(arena, out);
}

// What stands in the last element of this tag, NULL where there is none.
static const char *element(struct arena *arena, const char *page, const char *begin,
                           const char *end)
{
    const char *text = NULL;
    for (const char *at = page; (at = strcasestr(at, begin)) != NULL; text = at) {
        at += strlen(begin);
    }
    const char *stop = text == NULL ? NULL : strcasestr(text, end);
    return stop == NULL ? NULL : excerpt(arena, arena_dup_n(arena, text, (size_t)(stop - text)));
}

struct route_answer route_answer_decode(struct arena *arena, int status, const char *server,
                                        const char *location, const char *body)
{
    const char *name = excerpt(arena, server);
    if (name == NULL && status >= 400) {
        // ingress-nginx sends no Server header, but an error page of nginx names it at its end.
        name = element(arena, body, "<center>", "</center>");
    }
    return (struct route_answer){
        .status = status,
        .is_page = status == 200 && strcasestr(body, PAGE_MARK) != NULL,
        .server = name,
        .location = excerpt(arena, location),
        .title = element(arena, body, "<title>", "</title>"),
    };
}

void route_current_free(void *route_current)
{
    struct route_current *current = route_current;
    if (current != NULL) {
        arena_done(&current->arena);
        free(current);
    }
}
