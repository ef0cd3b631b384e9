// What others do to a cluster, at random.
#pragma once

#include "tests/support/model_cluster.h"
#include "tests/support/random.h"

// Edits some of the program's objects, each such that a plan has to notice, or has to leave it
// alone.
void meddle_edit(struct random *random, struct model_cluster *model);

// Puts objects of others there, some with a name that the program wants.
void meddle_add(struct random *random, struct model_cluster *model);
