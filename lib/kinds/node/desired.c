#include "lib/kinds/node/desired.h"

#include "lib/base/str.h"

#include <string.h>

#define OWN_LINE "# managed by hostk8s-registryd\n" // the first one of every file
#define SCRIPT_BYTES_MAX 4096                       // what a script writes is ten times smaller

// `server` is what containerd asks last. Without the registry's that is the image's own host, whose
// refusal would hide the registry's error; for a cache it is the upstream, so that a cache which is
// away costs nothing but time. `referrers` is not among the capabilities: containerd before 2.2
// drops a file with a word that it does not know.
const char *hosts_toml_desired(const struct config *config, const struct config_cache *cache,
                               struct arena *arena)
{
    const char *host = arena_printf(arena, "http://%s:" REGISTRY_PORT,
                                    cache == NULL ? config->registry.name : cache->container);
    bool skip_verify = cache == NULL && config->nodes.skip_verify;
    return arena_printf(arena,
                        OWN_LINE "server = \"%s\"\n"
                                 "\n"
                                 "[host.\"%s\"]\n"
                                 "  capabilities = [\"pull\", \"resolve\"]\n"
                                 "%s",
                        cache == NULL ? host : cache->url, host,
                        skip_verify ? "  skip_verify = true\n" : "");
}

bool hosts_toml_is_own(const char *content)
{
    return str_starts_with(content, OWN_LINE);
}

// Lines before [host."…"], that line, and lines behind it. The ADR's listing begins with a comment
// that names the file.
#define B "[ \t\r]*"
#define HEAD B "(#" B "/etc/containerd/certs\\.d/[^\n]*|server" B "=" B "\"http[^\n]*)?"
#define HOST B "\\[" B "host" B "\\." B "\"http://[^\"\n]*:" REGISTRY_PORT "\"" B "]" B
#define SETTING B "(capabilities" B "=" B "\\[[^\n]*|skip_verify" B "=[^\n]*)?"

bool hosts_toml_is_script(const char *content)
{
    return strlen(content) < SCRIPT_BYTES_MAX &&
           str_matches(content, "^(" HEAD "\n)*" HOST "(\n" SETTING ")*$");
}
