// The registry as this machine gets it: who answers, and whether it takes an image.
#include "daemon/doctor/http_fault.h"
#include "daemon/doctor/image.h"
#include "daemon/doctor/stations.h"

#include "lib/base/str.h"
#include "lib/config/address.h"

#include <string.h>

#define API_PATH "/v2/"

void station_registry(struct doctor *doctor, _unused_ const char *subject)
{
    const char *base = doctor_registry_base(doctor);
    const char *address = base + strlen("http://");
    doctor_get(doctor, base, API_PATH, NULL);
    if (doctor->engine == NULL && doctor_is_deaf(doctor, &doctor->answer.error, address)) {
        return;
    }
    struct fault fault = registry_fault(&doctor->arena, address, true, &doctor->answer);
    doctor->registry_answers = fault.cause == NULL;
    doctor_fault(doctor, fault);
    doctor_did(doctor, "a registry answers at %s", address);
}

void station_push(struct doctor *doctor, _unused_ const char *subject)
{
    struct error err = {0};
    if (image_push(doctor, doctor_registry_base(doctor), &err) < 0) {
        doctor_fault(doctor, push_fault(&doctor->arena, doctor->config, &err));
    }
    doctor_did(doctor, "it took an image, " IMAGE_REPOSITORY ":%s", doctor->tag);
}

// The other addresses that the name localhost has: who pushes to localhost:PORT may get there.
void station_localhost(struct doctor *doctor, _unused_ const char *subject)
{
    static const char *const loopbacks[] = {"127.0.0.1", "::1"};
    const char *own = doctor_registry_base(doctor);
    const char *did = "";
    struct arena *arena = &doctor->arena;
    if (doctor->engine != NULL && str_starts_with(doctor->engine->about.host, "tcp://")) {
        doctor_skip(doctor, "the registry is on the engine's machine, not on this one");
        return;
    }
    for (size_t i = 0; i < ELEMENTS(loopbacks); i++) {
        const char *base = arena_printf(arena, "http://%s:%u", address_bracketed(loopbacks[i]).text,
                                        doctor->config->registry.listen_port);
        const char *address = base + strlen("http://");
        if (str_equal(base, own)) {
            continue;
        }
        int has_image = image_is_at(doctor, base);
        bool nobody = doctor->answer.error.kind != ERROR_NONE;
        if (has_image < 0 && !nobody) {
            doctor_fault(doctor, registry_fault(arena, address, false, &doctor->answer));
        } else if (has_image == 0 && doctor->digest != NULL) {
            doctor_fault(doctor, other_registry_fault(arena, address));
        }
        did = arena_printf(arena, "%s%s%s %s", did, *did == '\0' ? "" : ", ",
                           nobody ? "nobody else answers at" : "the registry answers at", address);
    }
    doctor_did(doctor, "%s", did);
}
