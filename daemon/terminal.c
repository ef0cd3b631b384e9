#include "daemon/terminal.h"

#include "daemon/commands.h"
#include "lib/base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define COLUMNS_DEFAULT 80
#define ROWS_DEFAULT 24
#define REAL_PRECISION 6

bool terminal_is_open(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

static bool is_live(void)
{
    return str_empty(getenv("NO_COLOR")) && terminal_is_open();
}

static struct winsize terminal_size(void)
{
    struct winsize size = {0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && size.ws_row > 1;
    return known ? size : (struct winsize){.ws_col = COLUMNS_DEFAULT, .ws_row = ROWS_DEFAULT};
}

int terminal_columns(void)
{
    return terminal_size().ws_col;
}

int terminal_width(void)
{
    return terminal_is_open() ? terminal_columns() : INT_MAX;
}

int terminal_columns_of(const char *text, size_t length)
{
    int columns = 0;
    for (size_t i = 0; i < length; i++) {
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return columns;
}

void terminal_wrap(int at, int indent, const char *text, int width, FILE *out)
{
    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        int word = terminal_columns_of(text, length);
        if (at > 0 && at + 1 + word > width) {
            (void)putc('\n', out);
            at = 0;
        }
        int gap = at == 0 ? indent : 1;
        (void)fprintf(out, "%*s%.*s", gap, "", (int)length, text);
        at += gap + word;
        text += length;
    }
    (void)fputs(at > 0 ? "\n" : "", out);
}

void terminal_redraw(const char *text)
{
    (void)printf("\033[H\033[2J");
    for (int rows = terminal_size().ws_row - 1; rows > 0 && *text != '\0'; rows--) {
        size_t length = strcspn(text, "\n") + 1;
        (void)printf("%.*s", (int)length, text);
        text += length;
    }
    (void)fflush(stdout);
}

const char *terminal_style(enum style style)
{
    static const char *const sequences[] = {
        [STYLE_RESET] = "\033[0m",
        [STYLE_RED] = "\033[31m",
        [STYLE_GREEN] = "\033[32m",
    };
    return is_live() ? sequences[style] : "";
}

void terminal_progress(const char *text)
{
    if (is_live()) {
        (void)printf("\r\033[K%.*s", terminal_columns() - 1, text);
        (void)fflush(stdout);
    }
}

void terminal_json(const json_t *value)
{
    (void)json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_PRECISION));
    (void)putchar('\n');
}

bool terminal_confirms(const char *question)
{
    char answer[8] = "";
    (void)printf("%s [y/N] ", question);
    (void)fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

int terminal_end(void)
{
    int code = fflush(stdout) != 0   ? errno
               : ferror(stdout) != 0 ? EIO // an earlier write has failed, and its errno is gone
                                     : 0;
    if (code != 0) {
        terminal_complain("cannot print: %s", strerror(code));
    }
    return code == 0 ? EXIT_OK : EXIT_FAILED;
}

void terminal_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    _cleanup_free_ char *line = str_vprintf(format, args);
    va_end(args);
    str_make_printable(line); // an argument or a path may be any bytes
    (void)fprintf(stderr, "hostk8s-registryd: %s\n", line);
}
