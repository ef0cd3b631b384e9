// From errors to reasons and sentences: what is spoken to through the engine.
#include "lib/kinds/explain.h"
#include "lib/kinds/kind.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    struct error error;
    enum reason reason;
    const char *message;
} cases[] = {
    {{ERROR_TRANSIENT, EACCES, 0, 0, "no permission; join it"},
     REASON_PERMISSION_DENIED,
     "no permission; join it"},
    {{ERROR_PERMANENT, EREMOTEIO, 403, 0, "denied by the proxy"},
     REASON_PERMISSION_DENIED,
     "denied by the proxy; let docker.host's engine allow the request"},
    {{ERROR_TRANSIENT, ENOENT, 0, 0, "no such socket"},
     REASON_ENGINE_UNREACHABLE,
     "no such socket; start the Docker Engine or change docker.host"},
    {{ERROR_PERMANENT, EKEYREJECTED, 0, 0, "certificate refused"},
     REASON_ENGINE_UNREACHABLE,
     "certificate refused; start the Docker Engine or change docker.host"},
    {{ERROR_TRANSIENT, EBADMSG, 0, 0, "no JSON"}, REASON_ERROR, "no JSON"},
    {{ERROR_TRANSIENT, EMFILE, 0, 0, "too many open files"}, REASON_ERROR, "too many open files"},
    {{ERROR_TRANSIENT, ECANCELED, 0, 0, "cancelled"}, REASON_ERROR, "cancelled"},
    {{ERROR_TRANSIENT, EREMOTEIO, 500, 0, "no\nspace"}, REASON_ERROR, "no space"},
};

static void errors_of_the_engine_have_reasons(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char message[ERROR_TEXT_MAX];
        assert_int_equal(explain_engine_error(&cases[i].error, message, sizeof(message)),
                         cases[i].reason);
        assert_string_equal(message, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_of_the_engine_have_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
