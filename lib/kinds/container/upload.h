// Whether a registry takes a push, by what it answered to the beginning of one. Pure.
#pragma once

#include <stddef.h>

enum upload_state {
    UPLOAD_UNKNOWN, // it was not asked, or it lets not everybody push
    UPLOAD_TAKEN,
    UPLOAD_REFUSED, // it takes none at all
    UPLOAD_FAILED,  // it cannot store it
    UPLOAD_FULL,    // likewise, for want of space
    UPLOAD_SILENT,  // had no answer in time: its file system may hang, or is busy
};

#define UPLOAD_WHY_MAX 256

struct upload {
    enum upload_state state;
    // Of the last three, in the registry's words: "mkdir /var/lib/registry/docker: Permission
    // denied". What is to be said of one that takes it, "" for most.
    char why[UPLOAD_WHY_MAX];
};

struct upload upload_decode(int status, const char *body, size_t length);
