// What happens to a simulated machine: faults of its servers, and changes that others make.
#pragma once

#include "tests/support/random.h"
#include "tests/support/sim.h"

// Changes something at random; each is told in an event, or not.
void sim_change(struct sim *sim, struct random *random);

// Makes some of the next requests fail, or takes a server away.
void sim_break(struct sim *sim, struct random *random);

// Ends what sim_break did.
void sim_heal_servers(struct sim *sim);
// And what else keeps the program from its work: nodes that do not run, others' objects and files
// of wanted names.
void sim_heal(struct sim *sim);
// The clusters as they were at the beginning.
void sim_reset_clusters(struct sim *sim);
