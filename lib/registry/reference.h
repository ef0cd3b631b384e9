// Names that can stand in a path and in a line of text: what else a registry tells is left out.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests
#pragma once

#include <stdbool.h>

bool reference_is_repository(const char *name);
bool reference_is_tag(const char *name);
bool reference_is_digest(const char *digest); // REFERENCE_ALGORITHM ":" and its digits

// The one that images have in practice.
#define REFERENCE_ALGORITHM "sha256"
#define REFERENCE_DIGITS 64

// The digits of a digest.
#define REFERENCE_HEX(digest) ((digest) + sizeof(REFERENCE_ALGORITHM))
