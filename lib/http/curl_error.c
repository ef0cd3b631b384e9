// Why a transfer failed, in our terms. Pure.
#include "lib/http/curl_internal.h"

#include "lib/base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct meaning {
    CURLcode result;
    enum error_kind kind;
    int code;
    bool connecting; // say whom to
    bool detail;     // add curl's own words, which hold no header, body or query
    const char *text;
};

static const struct meaning meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERROR_TRANSIENT, EHOSTUNREACH, true, false, "no such host name"},
    {CURLE_GOT_NOTHING, ERROR_TRANSIENT, ECONNRESET, false, false, "answer ended early"},
    {CURLE_PARTIAL_FILE, ERROR_TRANSIENT, ECONNRESET, false, false, "answer ended early"},
    {CURLE_RECV_ERROR, ERROR_TRANSIENT, ECONNRESET, false, true, "answer ended early"},
    {CURLE_SEND_ERROR, ERROR_TRANSIENT, ECONNRESET, false, true,
     "connection closed by the other side"},
    {CURLE_UNSUPPORTED_PROTOCOL, ERROR_TRANSIENT, EPROTO, false, false, "answer is not HTTP"},
    {CURLE_WEIRD_SERVER_REPLY, ERROR_TRANSIENT, EPROTO, false, false, "answer is not HTTP"},
    {CURLE_SSL_CONNECT_ERROR, ERROR_TRANSIENT, EPROTO, true, true, "no TLS connection"},
    {CURLE_PEER_FAILED_VERIFICATION, ERROR_PERMANENT, EKEYREJECTED, true, true,
     "certificate refused"},
    {CURLE_SSL_ISSUER_ERROR, ERROR_PERMANENT, EKEYREJECTED, true, true, "certificate refused"},
    {CURLE_SSL_CACERT_BADFILE, ERROR_PERMANENT, EKEYREJECTED, true, true,
     "CA certificate not usable"},
    {CURLE_SSL_CERTPROBLEM, ERROR_PERMANENT, EKEYREJECTED, true, true,
     "client certificate not usable"},
};

static const struct {
    int code;
    const char *text;
} connect_reasons[] = {
    {EACCES, "permission denied"},          {ENOENT, "no such socket"},
    {ECONNREFUSED, "connection refused"},   {EAGAIN, "too many connections are waiting"},
    {EHOSTUNREACH, "no route to the host"}, {ENETUNREACH, "network is unreachable"},
};

static const char *connect_reason(int code)
{
    for (size_t i = 0; i < ELEMENTS(connect_reasons); i++) {
        if (connect_reasons[i].code == code) {
            return connect_reasons[i].text;
        }
    }
    const char *text = strerrordesc_np(code);
    return text == NULL ? "unknown error" : text;
}

static int explain_timeout(const struct curl_failure *failure, struct error *err)
{
    uint64_t ms = failure->connected ? failure->timeout_ms : failure->connect_ms;
    char within[32];
    if (ms % 1000 == 0) {
        (void)snprintf(within, sizeof(within), "%" PRIu64 " s", ms / 1000);
    } else {
        (void)snprintf(within, sizeof(within), "%" PRIu64 " ms", ms);
    }
    if (failure->connected) {
        return error_set(err, ERROR_TRANSIENT, ETIMEDOUT, "%s: no answer within %s", failure->label,
                         within);
    }
    return error_set(err, ERROR_TRANSIENT, ETIMEDOUT,
                     "%s: cannot connect to %s: no answer within %s", failure->label,
                     failure->target, within);
}

static int explain_meaning(const struct curl_failure *failure, const struct meaning *meaning,
                           struct error *err)
{
    bool detail = meaning->detail && !str_empty(failure->detail);
    return error_set(err, meaning->kind, meaning->code, "%s: %s%s%s%s%s%s", failure->label,
                     meaning->connecting ? "cannot connect to " : "",
                     meaning->connecting ? failure->target : "", meaning->connecting ? ": " : "",
                     meaning->text, detail ? ": " : "", detail ? failure->detail : "");
}

int curl_failure_explain(const struct curl_failure *failure, struct error *err)
{
    if (failure->result == CURLE_OUT_OF_MEMORY) {
        return error_oom(err);
    }
    if (failure->result == CURLE_OPERATION_TIMEDOUT) {
        return explain_timeout(failure, err);
    }
    if (failure->result == CURLE_COULDNT_CONNECT) {
        int code = failure->os_errno > 0 ? failure->os_errno : ECONNREFUSED;
        return error_set(err, ERROR_TRANSIENT, code, "%s: cannot connect to %s: %s", failure->label,
                         failure->target, connect_reason(code));
    }
    for (size_t i = 0; i < ELEMENTS(meanings); i++) {
        if (meanings[i].result == failure->result) {
            return explain_meaning(failure, &meanings[i], err);
        }
    }
    return error_set(err, ERROR_TRANSIENT, EIO, "%s: %s", failure->label,
                     curl_easy_strerror(failure->result));
}
