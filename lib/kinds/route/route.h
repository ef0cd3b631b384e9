// The kind of the key "route/URL": the page and the registry's API as the browser's machine gets
// them. Nothing is done about it: the other kinds' resources are what makes it right.
#pragma once

#include "lib/kinds/kind.h"

extern const struct kind route_kind;
