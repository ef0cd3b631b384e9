// The storage directory of the default configuration, without a file system: in the place of
// stat(), access() and mkdir() for that path and what is above it; takes
// -Wl,--wrap=stat,--wrap=access,--wrap=mkdir.
#pragma once

// What using it meets: 0, ENOENT at the beginning (it can be made then), or another errno.
void fake_storage_set(int error);
