#include "daemon/memory.h"

#include "lib/base/cleanup.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>

#define HEAP_KEPT_BYTES (512 * 1024) // at its end; a pass over one cluster needs less than half

void memory_keep(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
}

// Only segments that were never writable: what relocation wrote to (RELRO is a part of a writable
// segment) exists nowhere else and would be lost.
static int drop_segments(struct dl_phdr_info *object, _unused_ size_t size, _unused_ void *ctx)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) {
            continue;
        }
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) & ~(page - 1);
        if (end > start) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as numbers
            (void)madvise((void *)start, end - start, MADV_DONTNEED);
        }
    }
    return 0;
}

void memory_trim(void)
{
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(drop_segments, NULL);
}
