#include "daemon/terminal.h"

#include "lib/base/str.h"

#include <errno.h>
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

int terminal_end(int r)
{
    if (r == 0 && fflush(stdout) != 0) {
        r = -errno;
    }
    if (r == 0 && ferror(stdout) != 0) {
        r = -EIO; // an earlier write has failed, and its errno is gone
    }
    if (r < 0) {
        terminal_complain("cannot print: %s", strerror(-r));
    }
    return r;
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
