// Which file a path means, however it is spelled.
#pragma once

// An absolute path without links, "." and "..", as far as there is something; what is not there
// yet, also at the end of a link, stays as it is written. The caller frees it.
//
// A file system that hangs is waited for no longer than RESOLVE_S: then the path is as it was
// given.
#define RESOLVE_S 2
char *resolve(const char *path);
