// The tar bodies of the archive requests.
#pragma once

#include "lib/base/buf.h"
#include "lib/docker/docker.h"

// What is wanted of a body (NULL: all), owned by the caller (docker_files_free). A path with "..",
// an absolute path, more than DOCKER_FILES_MAX wanted entries or a wanted file above
// DOCKER_FILE_BYTES_MAX is an error.
int docker_tar_read(const void *data, size_t length, docker_select_fn select,
                    struct docker_file **ret_files, size_t *ret_count, struct error *err);

// Makes a body of at most ret->max bytes, for an empty ret, with the files and the directories on
// their way. Returns 0 or -errno.
int docker_tar_write(const struct docker_file *files, size_t count, struct buf *ret,
                     struct error *err);
