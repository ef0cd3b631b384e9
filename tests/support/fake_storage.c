#include "tests/support/fake_storage.h"

#include "lib/base/str.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define STORAGE "/home/user/.local/share/hostk8s/registry" // see sample_config

static int storage_error = ENOENT;

void fake_storage_set(int error)
{
    storage_error = error;
}

static int give(int error)
{
    errno = error;
    return error == 0 ? 0 : -1;
}

// Names that the linker's --wrap gives.
int __wrap_stat(const char *path, struct stat *ret);
int __real_stat(const char *path, struct stat *ret);
int __wrap_access(const char *path, int mode);
int __real_access(const char *path, int mode);
int __wrap_mkdir(const char *path, mode_t mode);

int __wrap_stat(const char *path, struct stat *ret)
{
    if (!str_equal(path, STORAGE)) {
        return __real_stat(path, ret);
    }
    *ret = (struct stat){.st_mode = S_IFDIR | 0755};
    return give(storage_error);
}

int __wrap_access(const char *path, int mode)
{
    return str_equal(path, STORAGE) ? give(storage_error) : __real_access(path, mode);
}

// The test makes no other directory.
int __wrap_mkdir(const char *path, mode_t mode)
{
    (void)mode;
    if (!str_equal(path, STORAGE)) {
        return give(str_starts_with(STORAGE, path) ? EEXIST : EACCES);
    }
    if (storage_error == ENOENT) {
        storage_error = 0;
        return 0;
    }
    return give(storage_error == 0 ? EEXIST : storage_error);
}
