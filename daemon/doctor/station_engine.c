// Which engine, what it is, and what it has of the registry.
#include "daemon/doctor/stations.h"

#include "lib/base/str.h"

void station_engine(struct doctor *doctor, _unused_ const char *subject)
{
    if (!doctor_observe(doctor, "engine", "")) {
        struct condition condition = doctor->plan.conditions[0];
        condition.resource = "engine"; // whichever of them: it is said of all
        doctor_fault(doctor, fault_of_condition(&doctor->arena, &condition));
        return;
    }
    doctor->engine_plan = TAKE_STRUCT(doctor->plan);
    _cleanup_free_ char *text = engine_about_text(&doctor->engine->about);
    doctor_did(doctor, "%s", text);
}

void station_container(struct doctor *doctor, _unused_ const char *subject)
{
    const struct config *config = doctor->config;
    const char *address = doctor->engine->registry_ipv4 != NULL ? doctor->engine->registry_ipv4
                                                                : doctor->engine->registry_ipv6;
    doctor_add_conditions(doctor, &doctor->engine_plan);
    doctor_did(doctor, "%s is as declared, on the network %s as %s", config->registry.name,
               config->network, address == NULL ? "nothing" : address);
}
