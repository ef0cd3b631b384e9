#include "tests/support/decoding.h"

#include "lib/base/str.h"
#include "tests/support/json_text.h"
#include "tests/support/sample_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

int decoding_setup(void **state)
{
    struct decoding *decoding = calloc(1, sizeof(*decoding));
    assert_non_null(decoding);
    decoding->config = sample_config();
    decoding->secrets = secrets_new();
    decoding->current = current_new(decoding->config);
    *state = decoding;
    return 0;
}

int decoding_teardown(void **state)
{
    struct decoding *decoding = *state;
    current_free(decoding->current);
    secrets_free(decoding->secrets);
    config_free(decoding->config);
    free(decoding);
    return 0;
}

json_t *decoding_json(const char *text)
{
    if (!str_ends_with(text, ".json")) {
        return json_of(text);
    }
    char path[512];
    (void)snprintf(path, sizeof(path), TEST_DATA "/fixtures/%s", text);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    return json;
}
