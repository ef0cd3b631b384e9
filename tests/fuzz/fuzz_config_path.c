// A node's config.toml and what its containerd says of its version, with a NUL between the two.
#include "lib/world/node_files.h"

#include "lib/base/str.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_around(const char *toml, const char *version, enum config_path expected)
{
    // A comment before, an empty line behind, the line ends of another system: no difference.
    _cleanup_free_ char *wrapped = str_printf("# [plugins] = {\n%s\n\r\n", toml);
    MUST(wrapped != NULL);
    MUST(world_config_path(wrapped, version) == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *toml = text_of_input(data, size);
    size_t length = strlen(toml);
    _cleanup_free_ char *version =
        length < size ? text_of_input(data + length + 1, size - length - 1) : NULL;

    enum config_path found = world_config_path(toml, version);
    check_around(toml, version, found);
    if (!world_config_path_needs_version(toml)) {
        MUST(found != CONFIG_PATH_UNKNOWN);
        MUST(world_config_path(toml, NULL) == found);
    } else {
        // Only the default is left, which no file of ours decides.
        MUST(world_config_path("", version) == found);
    }
    return 0;
}
