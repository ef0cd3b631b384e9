// containerd tells of the last host alone that it asked, and its `server` is the last. So whom it
// asked tells whether it has read our hosts.toml, and its sentence what came of it.
#include "daemon/doctor/pull_fault.h"

#include "lib/base/str.h"

#include <string.h>

#define SENTENCE_BYTES_MAX 400
#define REGISTRY_PORT "5000"
#define IN_NODE "`docker exec {node} "
#define SEE_NODE                                                                                   \
    "see what counts there: " IN_NODE "ls /etc/containerd/certs.d`, " IN_NODE                      \
    "containerd config dump`; then run `hostk8s-registryd apply`"

#define HTTPS "HTTP response to HTTPS client|does not look like a TLS handshake"

enum asked {
    ASKED_REGISTRY = 1, // as hosts.toml says
    ASKED_ITSELF = 2,   // what the image's name begins with: nothing said otherwise
    ASKED_ANOTHER = 4,
    ASKED_UNKNOWN = 8,
    ASKED_ANYBODY = 15,
};

struct row {
    const char *said; // a pattern, of a part of the sentence
    unsigned asked;
    const char *cause;
    const char *cure;
};

// The first that fits is it.
static const struct row rows[] = {
    {"unknown service runtime.", ASKED_ANYBODY,
     "containerd in the node serves no CRI: it has not loaded that plugin, as it does where "
     "`mirrors` stand beside a config_path",
     "create the cluster without `mirrors` in its containerdConfigPatches; " IN_NODE
     "journalctl -u containerd` has its own words"},
    {"proxyconnect", ASKED_ANYBODY, "containerd in the node asks a proxy for {asked}",
     "have {name} in NO_PROXY (export NO_PROXY=$NO_PROXY,{name}) and create the cluster again"},
    {HTTPS, ASKED_ANYBODY,
     "containerd asks {asked} by HTTPS, and the registry speaks plain HTTP: no hosts.toml for "
     "{alias} was read",
     SEE_NODE},
    {".*", ASKED_ITSELF,
     "containerd asks {asked} within the node, where no registry is: no hosts.toml for {alias} was "
     "read",
     SEE_NODE},
    {".*", ASKED_ANOTHER,
     "containerd asks {asked} for images of {alias}: another hosts.toml counts there, as one of a "
     "directory _default or HOST_PORT_ does",
     SEE_NODE},
    {"lookup ", ASKED_ANYBODY,
     "the node knows no host {name}: the registry is not on the network {network} by that name",
     "run `hostk8s-registryd apply`, or `docker network connect --alias {name} {network} {name}`"},
    {"connection refused", ASKED_REGISTRY,
     "at {asked} nobody listens: the registry's container does not serve port " REGISTRY_PORT,
     "see `docker logs {name}`; registry.environment must leave REGISTRY_HTTP_ADDR as it is"},
    {"no route to host", ASKED_REGISTRY, "there is no way from the node to {asked}",
     "see that both are on one network: `docker network inspect {network}`"},
    {"i/o timeout", ASKED_REGISTRY, "the node gets no answer from {asked}",
     "see that both are on one network (`docker network inspect {network}`) and that no firewall "
     "drops what goes from one container to the other"},
    {"no space left on device", ASKED_ANYBODY, "the node's disk is full",
     "free space on the engine's machine: `docker system df`, `docker system prune`"},
    {"not found", ASKED_REGISTRY | ASKED_UNKNOWN,
     "what answers as {name} in the node's network has not the image that this machine's registry "
     "has just taken: it is another registry",
     "see who has that name: `docker network inspect {network}`"},
    {"uthoriz", ASKED_REGISTRY | ASKED_UNKNOWN,
     "the registry wants a login, and hosts.toml cannot have one",
     "take REGISTRY_AUTH… out of registry.environment"},
    {"status", ASKED_REGISTRY, "{asked} answers with an error: {sentence}",
     "see `docker logs {name}`"},
};

// The host of the last URL of the registry API in the text, or that of a status; NULL when there is
// none.
static const char *asked_host(struct arena *arena, const char *text)
{
    static const char answered[] = "pulling from host ";
    const char *host = NULL;
    const char *last = strstr(text, answered);
    if (last != NULL) {
        last += strlen(answered);
        return arena_dup_n(arena, last, strcspn(last, " \r\n"));
    }
    for (const char *at = text; (at = strstr(at, "://")) != NULL;) {
        at += strlen("://");
        size_t length = strcspn(at, "/\"\\ \r\n");
        host = str_starts_with(at + length, "/v2/") ? arena_dup_n(arena, at, length) : host;
    }
    return host;
}

// containerd's own words, from the last line that has some: what is before and behind them is
// crictl's and logrus's.
static const char *sentence_of(struct arena *arena, const char *said)
{
    static const char *const heads[] = {"failed to pull and unpack image \"",
                                        "failed to resolve reference \""};
    char *text = arena_dup(arena, said);
    char out[SENTENCE_BYTES_MAX];
    for (size_t end = strlen(text); end > 0 && strchr("\r\n\" ", text[end - 1]) != NULL;) {
        text[--end] = '\0';
    }
    char *line = strrchr(text, '\n');
    line = line == NULL ? text : line + 1;
    char *to = line;
    for (const char *from = line; *from != '\0'; from++) {
        if (*from != '\\' || from[1] != '"') {
            *to++ = *from;
        }
    }
    *to = '\0';
    for (size_t i = 0; i < ELEMENTS(heads); i++) {
        char *head = strstr(line, heads[i]);
        char *rest = head == NULL ? NULL : strstr(head + strlen(heads[i]), "\": ");
        line = rest == NULL ? line : rest + strlen("\": ");
    }
    str_excerpt(line, out, sizeof(out));
    return arena_dup(arena, out);
}

static const struct row *row_of(const char *sentence, enum asked asked)
{
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        if ((rows[i].asked & asked) != 0 && str_matches(sentence, rows[i].said)) {
            return &rows[i];
        }
    }
    return NULL;
}

struct fault pull_fault(struct arena *arena, const struct config *config,
                        const struct pull_evidence *evidence)
{
    static const struct row slow = {
        .cause = "a pull of an image of {alias} did not end within 15 s in the node: it waits for "
                 "a name server that is not reached, as where this machine is offline, for a proxy "
                 "or behind a firewall",
        .cure = "run `hostk8s-registryd apply`, so that the network {network} itself knows {name}; "
                "see in the node that no proxy is asked for it: " IN_NODE "env`"};
    static const struct row unknown = {
        .cause = "{sentence}",
        .cure = IN_NODE "journalctl -u containerd` has more, `docker logs {name}` what was asked "
                        "of the registry"};
    const char *registry = arena_printf(arena, "%s:" REGISTRY_PORT, config->registry.name);
    const char *sentence = sentence_of(arena, evidence->said);
    const char *host = asked_host(arena, evidence->said);
    enum asked asked = host == NULL                       ? ASKED_UNKNOWN
                       : str_equal(host, registry)        ? ASKED_REGISTRY
                       : str_equal(host, evidence->alias) ? ASKED_ITSELF
                                                          : ASKED_ANOTHER;
    const struct row *row = row_of(sentence, asked);
    // An alias may be the registry's own name, which is asked by HTTPS where nothing else is said.
    bool read = asked == ASKED_REGISTRY && !str_matches(sentence, HTTPS);
    // What is wrong with the node's files explains whom it asked, and a proxy what came of it: more
    // exactly than containerd does. That files are still to be written is no more than that.
    const struct condition *condition = evidence->condition;
    enum reason reason = condition == NULL ? REASON_CONVERGING : condition->reason;
    bool explains = reason == REASON_PROXY_IN_THE_WAY ? asked != ASKED_ITSELF
                                                      : reason != REASON_CONVERGING && !read;
    if (explains) {
        return fault_of_condition(arena, condition);
    }
    row = row != NULL ? row : evidence->timed_out ? &slow : &unknown;
    const struct fault_word words[] = {
        {"alias", evidence->alias},
        {"name", config->registry.name},
        {"node", evidence->node},
        {"network", config->network},
        {"asked", host},
        {"sentence", sentence},
    };
    return (struct fault){fault_text(arena, row->cause, words, ELEMENTS(words)),
                          fault_text(arena, row->cure, words, ELEMENTS(words))};
}
