#include "tests/fuzz/script.h"

#include "lib/base/str.h"
#include "lib/docker/docker_tar.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#define SEPARATOR "%%"
#define FILE_MARK "== "
#define TAR_BYTES_MAX (1024u * 1024u)
#define FILES_MAX 64
#define ANSWERS_MAX 64
#define STATUS_MIN 200
#define STATUS_MAX 599
#define ERRNO_MAX 133

static const char *line_end(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return newline == NULL ? end : newline;
}

static bool is_separator(const char *line, const char *end)
{
    return (size_t)(end - line) == strlen(SEPARATOR) &&
           memcmp(line, SEPARATOR, strlen(SEPARATOR)) == 0;
}

size_t script_cut(const char **rest, size_t *rest_length)
{
    const char *start = *rest;
    const char *end = start + *rest_length;
    const char *line = start;
    while (line < end && !is_separator(line, line_end(line, end))) {
        line = line_end(line, end);
        line += line < end;
    }
    size_t length = (size_t)(line - start);
    const char *next = line < end ? line_end(line, end) : end;
    next += next < end;
    *rest = next;
    *rest_length = (size_t)(end - next);
    return length > 0 && start[length - 1] == '\n' && line < end ? length - 1 : length;
}

static unsigned take_number(char **at, unsigned max)
{
    return (unsigned)(strtoul(*at, at, 10) % (max + 1));
}

static struct buf tar_of_list(const char *at, const char *end)
{
    struct buf tar = BUF_INIT(TAR_BYTES_MAX);
    struct docker_file files[FILES_MAX] = {0};
    size_t count = 0;
    struct error err;
    while (at < end && count < FILES_MAX) {
        const char *path_end = line_end(at, end);
        if ((size_t)(path_end - at) < strlen(FILE_MARK) ||
            memcmp(at, FILE_MARK, strlen(FILE_MARK)) != 0) {
            break;
        }
        const char *content = path_end + (path_end < end);
        const char *next =
            memmem(content, (size_t)(end - content), "\n" FILE_MARK, strlen("\n" FILE_MARK));
        const char *content_end = next == NULL ? end : next + 1;
        at += strlen(FILE_MARK);
        files[count].path = text_of_input((const uint8_t *)at, (size_t)(path_end - at));
        files[count].content = str_dup_n(content, (size_t)(content_end - content));
        files[count].length = (size_t)(content_end - content);
        count++;
        at = content_end;
    }
    if (docker_tar_write(files, count, &tar, &err) < 0) {
        must_explain(&err);
    }
    for (size_t i = 0; i < count; i++) {
        free(files[i].path);
        free(files[i].content);
    }
    return tar;
}

static void add_answer(struct fake_transport *fake, const char *text, size_t length)
{
    bool tar = str_starts_with(text, "tar");
    _cleanup_free_ char *first = str_dup_n(text, strcspn(text, "\n"));
    char *numbers = first + (tar ? strlen("tar") : 0);
    unsigned status = tar ? 200 : take_number(&numbers, STATUS_MAX);
    unsigned chunk = take_number(&numbers, UINT16_MAX);
    struct fake_answer answer = {.status = (int)status, .chunk = chunk};
    if (answer.status != 0 && answer.status < STATUS_MIN) { // interim answers are no answers
        answer.status = STATUS_MIN;
    }
    unsigned code = take_number(&numbers, ERRNO_MAX);
    if (code != 0 || answer.status == 0) {
        (void)error_set(&answer.error, ERROR_TRANSIENT, code == 0 ? ECONNREFUSED : (int)code,
                        "the exchange broke");
    }
    const char *rest = text + strlen(first);
    const char *empty = strstr(rest, "\n\n");
    const char *end = text + length;
    const char *body = empty == NULL ? end : empty + 2;
    size_t head = empty == NULL ? strlen(rest) : (size_t)(empty - rest);
    _cleanup_free_ char *headers = str_printf("%.*s\n", (int)head, rest);
    _cleanup_buf_ struct buf archive = tar ? tar_of_list(body, end) : BUF_INIT(0);
    answer.headers = headers + (head > 0); // without the end of the first line
    answer.body = tar ? buf_str(&archive) : body;
    answer.length = tar ? archive.length : (size_t)(end - body);
    fake_transport_answer(fake, &answer);
}

void script_answers(struct fake_transport *fake, const char *parts, size_t length)
{
    for (unsigned i = 0; i < ANSWERS_MAX && length > 0; i++) {
        const char *part = parts;
        size_t part_length = script_cut(&parts, &length);
        // A copy, for the NUL at its end.
        _cleanup_free_ char *copy = str_dup_n(part, part_length);
        add_answer(fake, copy, part_length);
    }
}
