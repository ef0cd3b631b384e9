// Why a transfer failed, in our terms. Pure.
#pragma once

#include "lib/base/error.h"

#include <curl/curl.h>
#include <stdint.h>

struct curl_failure {
    CURLcode result;     // not CURLE_OK
    int os_errno;        // of the connection attempt, 0 when unknown
    bool connected;      // the request was begun
    uint64_t timeout_ms; // of the request or, not connected, of the connection
    const char *target;  // whom the connection was to lead to
    const char *detail;  // curl's own words
};

// Fills err; returns -err->code.
int curl_failure_explain(const struct curl_failure *failure, struct error *err);
