// What a registry says to the beginning of a push.
#include "lib/kinds/container/upload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

// Recorded of distribution 2.8.2, but for the paths.
#define FAILURE(op, path, code)                                                                    \
    "{\"errors\":[{\"code\":\"UNKNOWN\",\"message\":\"unknown error\",\"detail\":{\"DriverName\":" \
    "\"filesystem\",\"Enclosed\":{\"Op\":\"" op "\",\"Path\":\"" path "\",\"Err\":" code "}}}]}\n"

static const struct {
    int status;
    const char *body;
    struct upload upload;
} cases[] = {
    {202, "", {UPLOAD_TAKEN, ""}},
    {204, "", {UPLOAD_TAKEN, ""}},
    {401, "{\"errors\":[]}", {UPLOAD_UNKNOWN, ""}},
    {404, "", {UPLOAD_UNKNOWN, ""}},
    {429, "", {UPLOAD_UNKNOWN, ""}},
    {405, "Method not allowed\n", {UPLOAD_REFUSED, ""}},
    {500,
     FAILURE("write", "/r/startedat", "28"),
     {UPLOAD_FULL, "write /r/startedat: No space left on device"}},
    {500, FAILURE("write", "/r/data", "122"), {UPLOAD_FULL, "write /r/data: Disk quota exceeded"}},
    {500,
     FAILURE("mkdir", "/var/lib/registry/docker", "13"),
     {UPLOAD_FAILED, "mkdir /var/lib/registry/docker: Permission denied"}},
    {500, FAILURE("mkdir", "/r", "30"), {UPLOAD_FAILED, "mkdir /r: Read-only file system"}},
    {500, FAILURE("mkdir", "/r", "123456"), {UPLOAD_FAILED, ""}},
    {500,
     "{\"errors\":[{\"detail\":{\"Err\":28}}]}",
     {UPLOAD_FULL, "{\"errors\":[{\"detail\":{\"Err\":28}}]}"}},
    // An error as text alone, and what a proxy says.
    {500,
     "{\"errors\":[{\"detail\":\"filesystem: write /r: no space left on device\"}]}",
     {UPLOAD_FULL,
      "{\"errors\":[{\"detail\":\"filesystem: write /r: no space left on device\"}]}"}},
    {503, "<html>\n  busy</html>", {UPLOAD_FAILED, "<html> busy</html>"}},
    {500, "", {UPLOAD_FAILED, ""}},
};

static void answers_are_told_apart(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct upload upload =
            upload_decode(cases[i].status, cases[i].body, strlen(cases[i].body));
        assert_int_equal(upload.state, cases[i].upload.state);
        if (cases[i].upload.why[0] != '\0' || upload.state < UPLOAD_FAILED) {
            assert_string_equal(upload.why, cases[i].upload.why);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
