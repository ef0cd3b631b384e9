#include "lib/registry/survey.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/registry/registry.h"

#include <errno.h>
#include <search.h>
#include <string.h>
#include <sys/queue.h>

#define SLOTS 8u               // requests at a time
#define QUESTIONS_MAX 4000000u // that a registry may give rise to

enum topic { TOPIC_TAGS, TOPIC_MANIFEST, TOPIC_BLOB };

struct question {
    struct survey *survey;
    enum topic topic;
    size_t repository;
    const char *reference; // of the store's arena: a tag or a digest; NULL for TOPIC_TAGS
    bool is_tag;
    STAILQ_ENTRY(question) link;
};

struct survey {
    struct api *api;
    survey_fn done;
    void *ctx;
    struct store *store;
    STAILQ_HEAD(question_list, question) questions; // that are not asked yet
    size_t count;                                   // of all that there were
    size_t pending;
    void *known; // tsearch(3): "NUMBER REFERENCE" of the digests that are asked for, and blobs
    struct error error;
};

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void keep_it(_unused_ void *key)
{
    // It belongs to the arena.
}

// Whether this was not seen before: a digest of a repository, or with SIZE_MAX of any.
static bool is_new(struct survey *s, size_t repository, const char *digest)
{
    char *key = arena_printf(&s->store->arena, "%zu %s", repository, digest);
    char **found = tsearch(key, &s->known, compare);
    if (found != NULL) {
        return *found == key;
    }
    alloc_fail();
}

static void add_question(struct survey *s, enum topic topic, size_t repository,
                         const char *reference, bool is_tag)
{
    struct arena *arena = &s->store->arena;
    struct question *question = arena_alloc(arena, sizeof(*question));
    *question = (struct question){s, topic, repository, arena_dup(arena, reference), is_tag, {0}};
    STAILQ_INSERT_TAIL(&s->questions, question, link);
    s->count++;
}

static int ask(struct question *question, struct error *err);

// Asks on, as far as there are slots; at the end of it all hands the store over.
static void advance(struct survey *s)
{
    struct error error = {0};
    if (s->count > QUESTIONS_MAX && s->error.kind == ERROR_NONE) {
        (void)error_set(&s->error, ERROR_PERMANENT, E2BIG, "the registry has too many blobs");
    }
    struct question *next = NULL;
    while (s->error.kind == ERROR_NONE && s->pending < SLOTS &&
           (next = STAILQ_FIRST(&s->questions)) != NULL) {
        STAILQ_REMOVE_HEAD(&s->questions, link);
        if (ask(next, &error) < 0) {
            s->error = error;
        } else {
            s->pending++;
        }
    }
    if (s->pending > 0) {
        return;
    }
    tdestroy(s->known, keep_it);
    store_finish(s->store);
    bool failed = s->error.kind != ERROR_NONE;
    if (failed) {
        store_free(TAKE_PTR(s->store));
    }
    s->done(s->ctx, s->store, failed ? &s->error : NULL);
    free(s);
}

static void join(struct survey *s, const struct error *err)
{
    if (err != NULL && s->error.kind == ERROR_NONE) {
        s->error = *err;
    }
    s->pending--;
    advance(s);
}

static void on_size(void *ctx, bool found, uint64_t size, const struct error *err)
{
    const struct question *question = ctx;
    struct survey *s = question->survey;
    if (err == NULL && !found) {
        s->store->repositories[question->repository].lost++;
    } else if (err == NULL && is_new(s, SIZE_MAX, question->reference)) {
        store_add_blob(s->store, question->reference, size, 0);
    }
    join(s, err);
}

// Those of another repository are asked for in this one as well.
static void add_manifest(struct survey *s, size_t repository, const char *digest,
                         const struct buf *text)
{
    store_add_revision(s->store, repository, digest, 0);
    if (is_new(s, SIZE_MAX, digest)) {
        store_add_blob(s->store, digest, text->length, 0);
    }
    const struct store_manifest *manifest =
        store_add_manifest(s->store, digest, buf_str(text), text->length);
    for (size_t i = 0; i < manifest->part_count; i++) {
        const struct store_part *part = &manifest->parts[i];
        if (!part->foreign && is_new(s, repository, part->digest)) {
            add_question(s, part->manifest ? TOPIC_MANIFEST : TOPIC_BLOB, repository, part->digest,
                         false);
        }
    }
}

// A child that is not there was left out by who pushed the index; a tag's manifest is lost.
static void on_manifest(void *ctx, const char *digest, const struct buf *text,
                        const struct error *err)
{
    const struct question *question = ctx;
    struct survey *s = question->survey;
    size_t repository = question->repository;
    if (err == NULL && question->is_tag) {
        store_add_tag(s->store, repository, question->reference, digest == NULL ? "" : digest, 0);
    }
    if (digest != NULL && (!question->is_tag || is_new(s, repository, digest))) {
        add_manifest(s, repository, digest, text);
    }
    join(s, err);
}

static void on_tags(void *ctx, const struct strv *names, const struct error *err)
{
    const struct question *question = ctx;
    for (size_t i = 0; err == NULL && i < names->count; i++) {
        add_question(question->survey, TOPIC_MANIFEST, question->repository, names->items[i], true);
    }
    join(question->survey, err);
}

static void on_repositories(void *ctx, const struct strv *names, const struct error *err)
{
    struct survey *s = ctx;
    for (size_t i = 0; err == NULL && i < names->count; i++) {
        add_question(s, TOPIC_TAGS, store_add_repository(s->store, names->items[i]), NULL, false);
    }
    join(s, err);
}

static int ask(struct question *question, struct error *err)
{
    const struct survey *s = question->survey;
    const char *repository = s->store->repositories[question->repository].name;
    switch (question->topic) {
    case TOPIC_TAGS:
        return registry_tags(s->api, repository, on_tags, question, err);
    case TOPIC_MANIFEST:
        return registry_manifest(s->api, repository, question->reference, on_manifest, question,
                                 err);
    case TOPIC_BLOB:
        return registry_size(s->api, repository, question->reference, on_size, question, err);
    }
    return error_set(err, ERROR_FATAL, EINVAL, "nothing is asked");
}

int survey_begin(struct api *api, survey_fn done, void *ctx, struct error *err)
{
    struct survey *s = xcalloc(1, sizeof(*s));
    *s = (struct survey){.api = api, .done = done, .ctx = ctx, .store = store_new(), .pending = 1};
    STAILQ_INIT(&s->questions);
    s->store->asked = true;
    int r = registry_repositories(api, on_repositories, s, err);
    if (r < 0) {
        store_free(s->store);
        free(s);
    }
    return r;
}
