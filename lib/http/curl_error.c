#include "lib/http/curl_error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// A result that is not here is EIO, may pass, and has curl's text.
static const struct meaning {
    CURLcode result;
    int code;        // permanent when it is EKEYREJECTED
    bool connecting; // say whom to
    bool detail;     // add curl's own words, which hold no header, body or query
    const char *text;
} meanings[] = {
    // The code or the text of the first two is what happened.
    {CURLE_COULDNT_CONNECT, 0, true, false, NULL},
    {CURLE_OPERATION_TIMEDOUT, ETIMEDOUT, false, false, NULL},
    {CURLE_ABORTED_BY_CALLBACK, EIO, false, false, "all connections were given up"},
    {CURLE_COULDNT_RESOLVE_HOST, EHOSTUNREACH, true, false, "no such host name"},
    {CURLE_GOT_NOTHING, ECONNRESET, false, false, "answer ended early"},
    {CURLE_PARTIAL_FILE, ECONNRESET, false, false, "answer ended early"},
    {CURLE_RECV_ERROR, ECONNRESET, false, true, "answer ended early"},
    {CURLE_SEND_ERROR, ECONNRESET, false, true, "connection closed by the other side"},
    {CURLE_UNSUPPORTED_PROTOCOL, EPROTO, false, false, "answer is not HTTP"},
    {CURLE_WEIRD_SERVER_REPLY, EPROTO, false, false, "answer is not HTTP"},
    {CURLE_SSL_CONNECT_ERROR, EPROTO, true, true, "no TLS connection"},
    {CURLE_PEER_FAILED_VERIFICATION, EKEYREJECTED, true, true, "certificate refused"},
    {CURLE_SSL_ISSUER_ERROR, EKEYREJECTED, true, true, "certificate refused"},
    {CURLE_SSL_CACERT_BADFILE, EKEYREJECTED, true, true, "CA certificate not usable"},
    {CURLE_SSL_CERTPROBLEM, EKEYREJECTED, true, true, "client certificate not usable"},
};

static const char *connect_reason(int code)
{
    static const struct {
        int code;
        const char *text;
    } reasons[] = {
        {EACCES, "permission denied"},          {ENOENT, "no such socket"},
        {ECONNREFUSED, "connection refused"},   {EAGAIN, "too many connections are waiting"},
        {EHOSTUNREACH, "no route to the host"}, {ENETUNREACH, "network is unreachable"},
    };
    for (size_t i = 0; i < ELEMENTS(reasons); i++) {
        if (reasons[i].code == code) {
            return reasons[i].text;
        }
    }
    const char *text = strerrordesc_np(code);
    return text == NULL ? "unknown error" : text;
}

int curl_failure_explain(const struct curl_failure *failure, struct error *err)
{
    struct meaning meaning = {.code = EIO, .text = curl_easy_strerror(failure->result)};
    char within[48];
    for (size_t i = 0; i < ELEMENTS(meanings); i++) {
        if (meanings[i].result == failure->result) {
            meaning = meanings[i];
        }
    }
    if (failure->result == CURLE_COULDNT_CONNECT) {
        meaning.code = failure->os_errno > 0 ? failure->os_errno : ECONNREFUSED;
        meaning.text = connect_reason(meaning.code);
    } else if (failure->result == CURLE_OPERATION_TIMEDOUT) {
        bool seconds = failure->timeout_ms % 1000 == 0;
        (void)snprintf(within, sizeof(within), "no answer within %" PRIu64 " %s",
                       failure->timeout_ms / (seconds ? 1000 : 1), seconds ? "s" : "ms");
        meaning.text = within;
        meaning.connecting = !failure->connected;
    }
    const char *detail = meaning.detail ? failure->detail : "";
    return error_set(err, meaning.code == EKEYREJECTED ? ERROR_PERMANENT : ERROR_TRANSIENT,
                     meaning.code, "%s%s%s%s%s%s", meaning.connecting ? "cannot connect to " : "",
                     meaning.connecting ? failure->target : "", meaning.connecting ? ": " : "",
                     meaning.text, *detail == '\0' ? "" : ": ", detail);
}
