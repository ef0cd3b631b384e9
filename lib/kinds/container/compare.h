// How a container stands to a spec: whose it is, and what it has otherwise. Pure.
#pragma once

#include "lib/kinds/container/current.h"
#include "lib/kinds/plan.h"

// Whether its label says that this program made it, of whatever configuration.
bool compare_is_labelled(const struct container *container);

// Whether the label, or the label and the storage, say that it is this configuration's.
bool compare_is_own(const struct container_spec *spec, const struct container *container);

// Whether one that somebody else made may be taken over: a registry whose images are all in the
// declared directory, and that has nothing which the container in its place would be without.
bool compare_is_adoptable(const struct container_spec *spec, const struct container *container);

// Why the container, which has the declared name, is not touched: a sentence for NameConflict.
const char *compare_conflict(struct arena *arena, const struct container_spec *spec,
                             const struct container *container);

// Whether the declared directory is mounted where the image keeps its images.
bool compare_has_storage(const struct container_spec *spec, const struct container *container);

// Whether its images would go with it: its environment has it keep them somewhere else, or nothing
// is mounted for them. The sentence about that.
bool compare_holds_images(const struct container *container);
const char *compare_images_inside(struct arena *arena, const struct container_spec *spec,
                                  const struct container *container);

// Whether it was made from this very spec.
bool compare_is_made_from(const struct container_spec *spec, const struct container *container);

// Whether it was, and yet is published elsewhere, so that nobody answers for it at the declared
// address.
bool compare_is_elsewhere(const struct container_spec *spec, const struct container *container);

// The fields that only another container will have as declared; nothing is done about the others.
struct fields {
    struct field_diff *items; // of the arena
    size_t count;
    const char *mends; // what CONTAINER_LABEL_MENDS is to be in the other container, NULL: nothing
    const char *unmet; // a sentence about what it was made again for in vain, NULL: nothing
};

// Of a container that was made from this spec only what drifts is compared, not what an engine
// echoes in its own words; and what it was made again for and has otherwise all the same is left
// so, however often it is asked. One with another label differs in something. Without a label the
// values themselves are compared, in their normal form; those of variables stay out.
struct fields compare_fields(struct arena *arena, const struct current *current,
                             const struct container_spec *spec, const struct container *container);

// Whether the container is not up and is attached to the network while there is none: no start can
// succeed, and only one that knows nothing of the network can take its place.
bool compare_lacks_network(const struct current *current, const struct container *container);
