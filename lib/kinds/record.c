#include "lib/kinds/record.h"

#include "lib/base/str.h"

const struct record *record_find(const struct records *records, const char *resource)
{
    for (size_t i = 0; records != NULL && i < records->count; i++) {
        if (str_equal(records->items[i]->resource, resource)) {
            return records->items[i];
        }
    }
    return NULL;
}

bool record_rejects(const struct records *records, const char *resource, const char *digest,
                    uint64_t now_ms)
{
    const struct record *record = record_find(records, resource);
    return record != NULL && record->digest != NULL && str_equal(record->digest, digest) &&
           now_ms < record->rejected_until_ms;
}
