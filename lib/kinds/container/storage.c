#include "lib/kinds/container/storage.h"

#include <inttypes.h>

#define LOW_BYTES (UINT64_C(1) << 30)
#define LOW_PERCENT 5
#define MIB (UINT64_C(1) << 20)

const char *storage_cure(struct arena *arena, const struct engine_about *about,
                         const struct container_spec *spec, const struct storage *storage)
{
    const char *path = spec->storage;
    const char *cure = "make the directory writable";
    if (about->rootless && storage->others) {
        cure = arena_printf(arena,
                            "the engine runs as a user who does not own it: `sudo chown -R $USER "
                            "%s`,",
                            path);
    } else if (about->selinux) {
        cure = arena_printf(arena,
                            "SELinux keeps containers out of what is not labelled for them: `sudo "
                            "chcon -R -t container_file_t %s`,",
                            path);
    } else if (about->user_namespaces && about->root_user != 0) {
        cure = arena_printf(arena,
                            "by user namespaces a container's root is user %u of that machine: "
                            "`setfacl -R -m u:%u:rwX %s`,",
                            about->root_user, about->root_user, path);
    } else if (about->user_namespaces) {
        cure = arena_printf(arena,
                            "by user namespaces a container's root is another user of that "
                            "machine: `chmod -R a+rwX %s`,",
                            path);
    }
    return arena_printf(arena, "%s or change %s.storage", cure, spec->section);
}

const char *storage_left(struct arena *arena, const struct container_spec *spec,
                         const struct storage *storage)
{
    uint64_t total = storage->total_bytes;
    uint64_t left = storage->free_bytes;
    if (total == 0 || (left >= LOW_BYTES && left / LOW_PERCENT >= total / 100)) {
        return NULL;
    }
    return arena_printf(arena,
                        "only %" PRIu64 " MiB (%" PRIu64 " %%) are left on the file system of %s",
                        left / MIB, left / (total / 100 + 1), spec->storage);
}
