// A cluster: its API server, and what stands in it.
#include "daemon/doctor/stations.h"

void station_api_server(struct doctor *doctor, const char *subject)
{
    if (!doctor_observe(doctor, "cluster/", subject) && doctor->plan.condition_count > 0) {
        doctor_fault(doctor, fault_of_condition(&doctor->arena, &doctor->plan.conditions[0]));
    }
    doctor_did(doctor, "it answers");
}

void station_objects(struct doctor *doctor, _unused_ const char *subject)
{
    if (!doctor->observed) {
        doctor_skip(doctor, "needs the API server");
        return;
    }
    size_t ready = doctor_add_conditions(doctor, &doctor->plan);
    doctor_did(doctor, "%zu of %zu objects are ready", ready, doctor->plan.condition_count);
}
