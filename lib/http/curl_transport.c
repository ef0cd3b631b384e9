#include "lib/http/curl_internal.h"

#include <assert.h>
#include <errno.h>

int curl_transport_new(uv_loop_t *loop, struct http_transport **ret, struct error *err)
{
    _cleanup_free_ struct curl_transport *transport = calloc(1, sizeof(*transport));
    if (transport == NULL) {
        return error_oom(err);
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return error_set(err, ERROR_FATAL, ENOMEM, "libcurl cannot be initialised");
    }
    transport->transport = (struct http_transport){.client_new = curl_client_new};
    transport->loop = loop;
    *ret = &TAKE_PTR(transport)->transport;
    return 0;
}

void curl_transport_close(struct http_transport *transport)
{
    if (transport == NULL) {
        return;
    }
    struct curl_transport *self = (struct curl_transport *)transport;
    assert(self->clients == 0);
    curl_global_cleanup();
    free(self);
}
