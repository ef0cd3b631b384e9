// The page and the registry's API at ui.url, as the browser's machine gets them.
#include "daemon/doctor/http_fault.h"
#include "daemon/doctor/image.h"
#include "daemon/doctor/stations.h"

#include "lib/base/str.h"

#include <string.h>

// More than nginx takes by default, 1 MiB.
// https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size
#define UPLOAD_BYTES (3u * 512u * 1024u)

void station_page(struct doctor *doctor, const char *subject)
{
    if (doctor->engine == NULL) {
        doctor_get(doctor, subject, doctor->config->ui.path, NULL);
        if (doctor_is_deaf(doctor, &doctor->answer.error, subject)) {
            return;
        }
    }
    (void)doctor_observe(doctor, "route/", subject);
    doctor_add_conditions(doctor, &doctor->plan);
    doctor_did(doctor, "the UI's page is at %s", doctor->config->ui.path);
}

void station_redirect(struct doctor *doctor, _unused_ const char *subject)
{
    const struct config *config = doctor->config;
    struct arena *arena = &doctor->arena;
    const char *path = arena_dup_n(arena, config->ui.path, strlen(config->ui.path) - 1);
    if (*path == '\0') {
        doctor_skip(doctor, "ui.path is /");
        return;
    }
    doctor_get(doctor, config->ui.url, path, NULL);
    if (doctor_is_deaf(doctor, &doctor->answer.error, config->ui.url)) {
        return;
    }
    doctor_fault(doctor, redirect_fault(arena, config, path, &doctor->answer));
    doctor_did(doctor, "%s leads to %s", path, config->ui.path);
}

void station_api(struct doctor *doctor, _unused_ const char *subject)
{
    const char *url = doctor->config->ui.url;
    struct arena *arena = &doctor->arena;
    int has_image = image_is_at(doctor, url);
    if (doctor_is_deaf(doctor, &doctor->answer.error, url)) {
        return;
    }
    if (has_image == 0) {
        doctor_fault(doctor, other_registry_fault(arena, url));
    } else if (has_image < 0) {
        doctor_fault(doctor, route_fault(arena, doctor->config, &doctor->answer));
    }
    doctor_did(doctor, "the image that was pushed is at %s/v2/", url);
}

void station_upload(struct doctor *doctor, _unused_ const char *subject)
{
    static const char data[UPLOAD_BYTES];
    const char *url = doctor->config->ui.url;
    struct error err = {0};
    int r = image_push_blob(doctor, url, NULL, data, sizeof(data), &err);
    if (doctor_is_deaf(doctor, &err, url)) {
        return;
    }
    if (r < 0) {
        doctor_fault(doctor, upload_fault(&doctor->arena, doctor->config, &err));
    }
    doctor_did(doctor, "%u KiB went up through %s", UPLOAD_BYTES / 1024, url);
}
