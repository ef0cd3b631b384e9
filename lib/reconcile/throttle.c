#include "lib/reconcile/throttle.h"

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <stdlib.h>
#include <sys/param.h>

#define DISRUPTIVE_MS (60u * 1000u)
#define DISRUPTIVE_MAX_MS (60u * 60u * 1000u)
#define REJECTED_MS (5u * 60u * 1000u)

#define REPAIRS_MAX 10           // in a row; people who try things out stay below
#define REPAIR_EMPTY_MS 5000     // one is taken out of the bucket
#define REPAIRS_OF_DESTRUCTION 3 // so many does one count that destroys

#define CHANGE_BYTES_MAX (1024u * 1024u)
#define FIELDS_SHOWN 3 // in a message

struct record *throttle_record(struct records *records, const char *resource)
{
    struct record *record = (struct record *)record_find(records, resource);
    if (record == NULL) {
        record = xcalloc(1, sizeof(*record));
        record->resource = str_dup(resource);
        *ARRAY_GROW(records->items, records->count) = record;
    }
    return record;
}

void throttle_done(struct records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        struct record *record = records->items[i];
        free(record->resource);
        free(record->message);
        free(record->digest);
        free(record);
    }
    free(records->items);
    *records = (struct records){0};
}

// ---- what a plan changes ----

static bool is_of(const struct record *record, const struct action *action)
{
    return str_equal(action->resource, record->resource);
}

// Tells one change of a resource from another: what is done, to which fields.
static uint64_t change_of(const struct record *record, const struct plan *plan)
{
    _cleanup_buf_ struct buf text = BUF_INIT(CHANGE_BYTES_MAX);
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct action *action = plan->actions[i];
        if (!is_of(record, action)) {
            continue;
        }
        (void)buf_printf(&text, "%s %s\n", action->name, action->verb);
        for (size_t j = 0; j < action->field_count; j++) {
            const char *desired = action->fields[j].desired;
            (void)buf_printf(&text, "%s=%s\n", action->fields[j].path,
                             desired == NULL ? "" : desired);
        }
    }
    return str_hash(buf_str(&text));
}

// "image, environment.A and 3 more": the fields of all its actions, the verbs where they name none.
static void print_fields(const struct record *record, const struct plan *plan, struct buf *text)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct action *action = plan->actions[i];
        size_t names = action->field_count == 0 ? 1 : action->field_count;
        for (size_t j = 0; j < names && is_of(record, action); j++) {
            const char *name = action->field_count == 0 ? action->verb : action->fields[j].path;
            if (count++ < FIELDS_SHOWN) {
                (void)buf_printf(text, "%s%s", count == 1 ? "" : ", ", name);
            }
        }
    }
    if (count > FIELDS_SHOWN) {
        (void)buf_printf(text, " and %zu more", count - FIELDS_SHOWN);
    }
}

// ---- holding back ----

static void hold_back(struct record *record, enum reason reason, const char *message, bool may_pass,
                      uint64_t until_ms)
{
    record->reason = reason;
    record->may_pass = may_pass;
    record->not_before_ms = until_ms;
    str_replace(&record->message, message);
    str_make_printable(record->message);
}

// After the failures so far.
static uint64_t delay_ms(const struct record *record, bool disruptive,
                         const struct backoff *backoff, uint32_t random)
{
    const struct backoff minutes = {DISRUPTIVE_MS, DISRUPTIVE_MAX_MS};
    uint64_t plain_ms = backoff_delay_ms(backoff, record->failures, random);
    // Not below its first step: jitter goes both ways.
    uint64_t rare_ms =
        disruptive ? DISRUPTIVE_MS + backoff_delay_ms(&minutes, record->failures - 1, random) : 0;
    return MAX(plain_ms, rare_ms);
}

static bool was_made(const struct record *record, uint64_t change)
{
    for (size_t i = 0; i < record->change_count && i < RECORD_CHANGES_MAX; i++) {
        if (record->changes[i] == change) {
            return true;
        }
    }
    return false;
}

static void empty_bucket(struct record *record, uint64_t now_ms)
{
    uint64_t empty_ms = record->empty_ms == 0 ? REPAIR_EMPTY_MS : record->empty_ms;
    uint64_t out = (now_ms - record->repairs_ms) / empty_ms;
    if (out >= record->repairs) {
        record->repairs = 0;
        record->repairs_ms = now_ms;
        record->empty_ms = REPAIR_EMPTY_MS;
    } else {
        record->repairs -= (unsigned)out;
        record->repairs_ms += out * empty_ms;
    }
}

// How often the resource was repaired beyond what is normal, 0 when it was not.
static unsigned count_repair(struct record *record, bool destructive, uint64_t now_ms)
{
    unsigned counts = destructive ? REPAIRS_OF_DESTRUCTION : 1;
    empty_bucket(record, now_ms);
    record->repairs += counts;
    return record->repairs <= REPAIRS_MAX ? 0
                                          : (record->repairs - REPAIRS_MAX + counts - 1) / counts;
}

// Says that the resource does not stay as it was made.
static void hold_contended(struct record *record, const struct plan *plan, bool may_pass,
                           uint64_t until_ms)
{
    _cleanup_buf_ struct buf fields = BUF_INIT(CHANGE_BYTES_MAX);
    print_fields(record, plan, &fields);
    _cleanup_free_ char *message =
        str_printf("something else keeps changing %s back; stop it, or declare what it wants",
                   buf_str(&fields));
    hold_back(record, REASON_CONTENDED, message, may_pass, until_ms);
}

bool throttle_allows(struct record *record, const struct plan *plan, bool was_ready,
                     const struct backoff *backoff, uint64_t now_ms, uint32_t random)
{
    if (now_ms < record->not_before_ms) {
        return false;
    }
    bool destructive = false;
    bool disruptive = false;
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct action *action = plan->actions[i];
        destructive = destructive || (is_of(record, action) && action->destructive);
        disruptive = disruptive || (is_of(record, action) && action->disruptive);
    }
    if (was_made(record, change_of(record, plan))) {
        // It may be tried once more when its time has come.
        record->change_count = 0;
        record->failures++;
        hold_contended(record, plan, false, now_ms + delay_ms(record, disruptive, backoff, random));
        return false;
    }
    unsigned too_often = was_ready ? count_repair(record, destructive, now_ms) : 0;
    if (too_often > 0) {
        // The bucket empties more slowly than one repair after each delay fills it.
        record->failures = too_often;
        uint64_t wait_ms = delay_ms(record, destructive, backoff, random);
        record->empty_ms = 2 * wait_ms > REPAIR_EMPTY_MS ? 2 * wait_ms : REPAIR_EMPTY_MS;
        hold_contended(record, plan, true, now_ms + wait_ms);
        return false;
    }
    return true;
}

void throttle_made(struct record *record, const struct plan *plan)
{
    record->changes[record->change_count++ % RECORD_CHANGES_MAX] = change_of(record, plan);
}

void throttle_settled(struct record *record)
{
    record->failures = 0;
    record->change_count = 0;
    record->not_before_ms = 0;
    record->rejected_until_ms = 0;
    free(TAKE_PTR(record->message));
    free(TAKE_PTR(record->digest));
}

void throttle_failed(struct record *record, enum reason reason, const char *message, bool may_pass,
                     uint64_t retry_ms, const struct backoff *backoff, uint64_t now_ms,
                     uint32_t random)
{
    record->failures++;
    uint64_t wait_ms = delay_ms(record, false, backoff, random);
    wait_ms = MAX(wait_ms, retry_ms);
    hold_back(record, reason, message, may_pass, now_ms + wait_ms);
}

void throttle_rejected(struct record *record, const char *digest, enum reason reason,
                       const char *message, uint64_t now_ms, uint32_t random)
{
    const struct backoff minutes = {REJECTED_MS, DISRUPTIVE_MAX_MS};
    record->failures++;
    record->change_count = 0;
    str_replace(&record->digest, digest);
    record->rejected_until_ms = now_ms + backoff_delay_ms(&minutes, record->failures, random);
    // What plans from now on knows of it, and brings back what stood there before.
    hold_back(record, reason, message, false, now_ms);
}

void throttle_hurry(struct records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        records->items[i]->not_before_ms = 0;
        records->items[i]->rejected_until_ms = 0;
        records->items[i]->change_count = 0;
    }
}
