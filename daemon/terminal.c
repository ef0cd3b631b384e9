#include "daemon/terminal.h"

#include "lib/base/str.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80

static bool is_live(FILE *out)
{
    return str_empty(getenv("NO_COLOR")) && isatty(fileno(out)) == 1;
}

const char *terminal_style(FILE *out, enum style style)
{
    static const char *const sequences[] = {
        [STYLE_RESET] = "\033[0m",
        [STYLE_RED] = "\033[31m",
        [STYLE_GREEN] = "\033[32m",
    };
    return is_live(out) ? sequences[style] : "";
}

void terminal_progress(FILE *out, const char *text)
{
    struct winsize size = {0};
    if (!is_live(out)) {
        return;
    }
    int columns = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1
                                                                                : COLUMNS_DEFAULT;
    (void)fprintf(out, "\r\033[K%.*s", columns, text);
    (void)fflush(out);
}
