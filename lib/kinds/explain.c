#include "lib/kinds/explain.h"

#include "lib/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum reason explain(char *message, size_t size, enum reason reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, size, format, args);
    va_end(args);
    str_make_printable(message);
    return reason;
}

bool explain_is_refusal(const struct error *error)
{
    return error->status == 401 || error->status == 403;
}

bool explain_is_unreachable(const struct error *error)
{
    return error->status == 0 && (error->kind == ERROR_TRANSIENT || error->code == EKEYREJECTED) &&
           error->code != EBADMSG && !error_is_own(error);
}

enum reason explain_engine_error(const struct error *error, char *message, size_t size)
{
    bool no_permission = error->status == 0 && (error->code == EACCES || error->code == EPERM);
    if (no_permission) {
        return explain(message, size, REASON_PERMISSION_DENIED, "%s", error->text);
    }
    if (explain_is_refusal(error)) {
        return explain(message, size, REASON_PERMISSION_DENIED,
                       "%s; let docker.host's engine allow the request", error->text);
    }
    if (explain_is_unreachable(error)) {
        return explain(message, size, REASON_ENGINE_UNREACHABLE,
                       "%s; start the Docker Engine or change docker.host", error->text);
    }
    return explain(message, size, REASON_ERROR, "%s", error->text);
}
