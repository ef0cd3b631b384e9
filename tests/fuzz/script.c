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

static unsigned take_number(const char **at, const char *end, unsigned max)
{
    unsigned number = 0;
    while (*at < end && **at == ' ') {
        (*at)++;
    }
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        number = (number * 10 + (unsigned)(**at - '0')) % (max + 1);
    }
    return number;
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
        MUST(files[count].content != NULL);
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

// Where the empty line behind the headers is; end without one.
static const char *headers_end(const char *at, const char *end)
{
    while (at < end && line_end(at, end) > at) {
        at = line_end(at, end);
        at += at < end;
    }
    return at;
}

static void add_answer(struct fake_transport *fake, const char *at, size_t length)
{
    const char *end = at + length;
    const char *first_end = line_end(at, end);
    bool tar = str_starts_with(at, "tar");
    at += tar ? strlen("tar") : 0;
    struct fake_answer answer = {
        .status = tar ? 200 : (int)take_number(&at, first_end, STATUS_MAX),
        .chunk = take_number(&at, first_end, UINT16_MAX),
    };
    if (answer.status != 0 && answer.status < STATUS_MIN) { // interim answers are no answers
        answer.status = STATUS_MIN;
    }
    unsigned code = take_number(&at, first_end, ERRNO_MAX);
    if (code != 0 || answer.status == 0) {
        (void)error_set(&answer.error, ERROR_TRANSIENT, code == 0 ? ECONNREFUSED : (int)code,
                        "the exchange broke");
    }
    at = first_end + (first_end < end);
    const char *body = headers_end(at, end);
    _cleanup_free_ char *headers = str_printf("%.*s\n", (int)(body - at), at);
    MUST(headers != NULL);
    body += body < end;
    _cleanup_buf_ struct buf archive = tar ? tar_of_list(body, end) : BUF_INIT(0);
    answer.headers = headers;
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
        MUST(copy != NULL);
        add_answer(fake, copy, part_length);
    }
}
