// Scope-bound ownership: every local that owns something is declared _cleanup_(fn); TAKE_…
// hands it over. Destructors named `foo_freep` take the address of the local and accept NULL.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_ __attribute__((unused))
#define _must_check_ __attribute__((warn_unused_result))

// Yields the value and leaves `empty` behind.
#define TAKE(owner, empty)                                                                         \
    __extension__({                                                                                \
        __auto_type _taken_from = &(owner);                                                        \
        __auto_type _taken = *_taken_from;                                                         \
        *_taken_from = (empty);                                                                    \
        _taken;                                                                                    \
    })
#define TAKE_PTR(ptr) TAKE(ptr, NULL)
#define TAKE_FD(fd) TAKE(fd, -1)
#define TAKE_STRUCT(object) TAKE(object, (__typeof__(object)){0})

// Defines `static inline void NAMEp(TYPE *)` for _cleanup_ from a destructor that takes a pointer.
#define DEFINE_CLEANUP(type, destructor)                                                           \
    static inline void destructor##p(type *owner)                                                  \
    {                                                                                              \
        destructor(*owner);                                                                        \
    }

static inline void freep(void *owner)
{
    free(*(void **)owner);
}

static inline void closep(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
