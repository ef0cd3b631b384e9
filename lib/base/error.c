#include "lib/base/error.h"

#include "lib/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *err, enum error_kind kind, int code, const char *format, ...)
{
    if (err != NULL) {
        *err = (struct error){.kind = kind, .code = code};
        va_list args;
        va_start(args, format);
        (void)vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
        str_trim_end(err->text);
        str_make_printable(err->text);
    }
    return -code;
}

int error_wrap(struct error *err, const char *format, ...)
{
    if (err == NULL) {
        return -EIO;
    }
    va_list args;
    va_start(args, format);
    _cleanup_free_ char *outer = str_vprintf(format, args);
    va_end(args);
    _cleanup_free_ char *text = str_printf("%s: %s", outer, err->text);
    (void)snprintf(err->text, sizeof(err->text), "%s", text);
    str_make_printable(err->text);
    return -err->code;
}

bool error_is_own(const struct error *err)
{
    return err->code == ECANCELED || err->code == ENOMEM || err->code == EMFILE ||
           err->code == ENFILE;
}
