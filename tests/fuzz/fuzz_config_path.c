// A node's config.toml, and what its containerd says, with a NUL between the two.
#include "lib/kinds/node/config_path.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/kinds/node/config_edit.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define TEXT_MAX (1024u * 1024u)

// A comment before and the line ends of another system make no difference.
static char *wrap(const char *text)
{
    struct buf buf = BUF_INIT(TEXT_MAX);
    MUST(buf_append_str(&buf, "# [plugins] = {\r\n") == 0);
    for (; *text != '\0'; text++) {
        MUST(buf_append(&buf, *text == '\n' ? "\r\n" : text, *text == '\n' ? 2 : 1) == 0);
    }
    return buf_take(&buf);
}

static void check_file(const char *config_toml)
{
    _cleanup_free_ char *wrapped = wrap(config_toml);
    bool plain = config_path_is_plain(config_toml);
    MUST(config_path_is_plain(wrapped) == plain);
    if (plain) {
        // As a dump it says the same, whatever the containerd.
        _cleanup_free_ char *dump = str_printf("%s\ncontainerd x 1.0.0\n", config_toml);
        MUST(config_path_decode(dump) == CONFIG_PATH_ENABLED);
    }
    _cleanup_(strv_done) struct strv imports = {0};
    config_path_imports(config_toml, &imports);
    MUST(imports.count <= CONFIG_IMPORTS_MAX);
    MUST(imports.count == 0 || !plain);
    for (size_t i = 0; i < imports.count; i++) {
        MUST(imports.items[i][0] == '/');
    }
}

static void check_edit(const char *config_toml)
{
    _cleanup_free_ char *edited = config_edit(config_toml);
    if (edited != NULL) {
        _cleanup_free_ char *again = config_edit(edited);
        MUST(str_equal(edited, again));
        MUST(strstr(edited, NODE_CERTS_DIR) != NULL);
    }
}

static void check_output(const char *output)
{
    _cleanup_free_ char *wrapped = wrap(output);
    enum config_path found = config_path_decode(output);
    MUST(config_path_decode(wrapped) == found);
    MUST(found == CONFIG_PATH_UNKNOWN || strstr(output, "containerd ") != NULL);
    MUST(found != CONFIG_PATH_MIRRORS || strstr(output, ".registry.mirrors.") != NULL);
    MUST(found != CONFIG_PATH_REFUSED || strstr(output, "config_path") != NULL);
    MUST(found != CONFIG_PATH_OTHER || strstr(output, "config_path") != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *config_toml = text_of_input(data, size);
    size_t length = strlen(config_toml);
    _cleanup_free_ char *output =
        length < size ? text_of_input(data + length + 1, size - length - 1) : str_dup("");
    check_file(config_toml);
    check_edit(config_toml);
    check_output(output);
    return 0;
}
