#include "lib/registry/survey.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/registry/reference.h"

#include <errno.h>
#include <search.h>
#include <string.h>
#include <sys/queue.h>

#define SLOTS 8u               // requests at a time
#define QUESTIONS_MAX 4000000u // that a registry may give rise to
#define PAGES_MAX 10000u       // of a list
#define LINK_BYTES_MAX 2048
#define DIGEST_BYTES_MAX 128
#define SIZE_DIGITS_MAX 24

enum topic { TOPIC_REPOSITORIES, TOPIC_TAGS, TOPIC_TAG, TOPIC_MANIFEST, TOPIC_BLOB };

struct question {
    struct survey *survey;
    enum topic topic;
    size_t repository;
    const char *reference; // of the store's arena: a tag or a digest, of a list the page's path
    unsigned page;
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

static struct question *add_question(struct survey *s, enum topic topic, size_t repository,
                                     const char *reference)
{
    struct arena *arena = &s->store->arena;
    struct question *question = arena_alloc(arena, sizeof(*question));
    *question = (struct question){s, topic, repository, arena_dup(arena, reference), 1, {0}};
    STAILQ_INSERT_TAIL(&s->questions, question, link);
    s->count++;
    return question;
}

static int ask(struct question *question, struct error *err);

// Asks on, as far as there are slots; at the end of it all hands the store over.
static void advance(struct survey *s)
{
    if (s->count > QUESTIONS_MAX && s->error.kind == ERROR_NONE) {
        (void)error_set(&s->error, ERROR_PERMANENT, E2BIG, "the registry has too many blobs");
    }
    struct question *next = NULL;
    while (s->error.kind == ERROR_NONE && s->pending < SLOTS &&
           (next = STAILQ_FIRST(&s->questions)) != NULL) {
        STAILQ_REMOVE_HEAD(&s->questions, link);
        s->pending += ask(next, &s->error) == 0;
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

static bool is_found(const struct api_answer *answer, const struct error *err)
{
    return err == NULL && answer->response->status != 404;
}

// ---- lists, in pages ----

// The path of `Link: </v2/_catalog?last=b&n=100>; rel="next"`; the caller frees it. NULL: it was
// the last page.
static char *next_page(const struct http_response *response)
{
    char link[LINK_BYTES_MAX];
    if (!http_response_header(response, "Link", link, sizeof(link)) || link[0] != '<' ||
        strstr(link, "rel=\"next\"") == NULL) {
        return NULL;
    }
    const char *scheme = strstr(link, "://"); // some put the whole URL there
    const char *path = strchr(scheme == NULL ? link + 1 : scheme + 3, '/');
    return path == NULL ? NULL : str_dup_n(path, strcspn(path, ">"));
}

static void add_name(const struct question *question, const char *name)
{
    struct survey *s = question->survey;
    if (question->topic == TOPIC_TAGS && reference_is_tag(name)) {
        (void)add_question(s, TOPIC_TAG, question->repository, name);
    } else if (question->topic == TOPIC_REPOSITORIES && reference_is_repository(name)) {
        _cleanup_free_ char *path = str_printf("/v2/%s/tags/list", name);
        (void)add_question(s, TOPIC_TAGS, store_add_repository(s->store, name), path);
    }
}

static void on_page(void *ctx, const struct api_answer *answer, const struct error *err)
{
    const struct question *question = ctx;
    struct survey *s = question->survey;
    const char *key = question->topic == TOPIC_TAGS ? "tags" : "repositories";
    struct error error = {0};
    size_t index = 0;
    json_t *name = NULL;
    json_array_foreach (json_get_array(answer->json, key, NULL), index, name) {
        if (json_is_string(name)) {
            add_name(question, json_string_value(name));
        }
    }
    _cleanup_free_ char *next = err == NULL ? next_page(answer->response) : NULL;
    if (next != NULL && question->page == PAGES_MAX) {
        (void)error_set(&error, ERROR_PERMANENT, E2BIG, "%s: the list has no end", answer->what);
        err = &error;
    } else if (next != NULL) {
        add_question(s, question->topic, question->repository, next)->page = question->page + 1;
    }
    join(s, err);
}

// ---- one of them ----

static void on_size(void *ctx, const struct api_answer *answer, const struct error *err)
{
    const struct question *question = ctx;
    struct survey *s = question->survey;
    char digits[SIZE_DIGITS_MAX];
    uint64_t size = 0;
    if (!is_found(answer, err)) {
        s->store->repositories[question->repository].lost++; // with an error the store is freed
    } else if (is_new(s, SIZE_MAX, question->reference)) {
        if (http_response_header(answer->response, "Content-Length", digits, sizeof(digits))) {
            (void)str_to_u64(digits, UINT64_MAX, &size);
        }
        store_add_blob(s->store, question->reference, size, 0);
    }
    join(s, err);
}

// Those of another repository are asked for in this one as well.
static void add_manifest(struct survey *s, size_t repository, const char *digest,
                         const struct buf *text)
{
    const struct store_revision *revision =
        store_add_revision(s->store, repository, digest, 0, buf_str(text), text->length);
    if (is_new(s, SIZE_MAX, digest)) {
        store_add_blob(s->store, digest, text->length, 0);
    }
    for (size_t i = 0; i < revision->part_count; i++) {
        const struct store_part *part = &revision->parts[i];
        if (!part->foreign && is_new(s, repository, part->digest)) {
            (void)add_question(s, part->manifest ? TOPIC_MANIFEST : TOPIC_BLOB, repository,
                               part->digest);
        }
    }
}

// A child that is not there was left out by who pushed the index; a tag's manifest is lost.
static void on_manifest(void *ctx, const struct api_answer *answer, const struct error *err)
{
    const struct question *question = ctx;
    struct survey *s = question->survey;
    size_t repository = question->repository;
    bool is_tag = question->topic == TOPIC_TAG;
    char digest[DIGEST_BYTES_MAX] = "";
    struct error error = {0};
    bool found = is_found(answer, err);
    if (found &&
        (!http_response_header(answer->response, "Docker-Content-Digest", digest, sizeof(digest)) ||
         !reference_is_digest(digest))) {
        (void)error_set(&error, ERROR_PERMANENT, EBADMSG, "%s: the answer has no digest",
                        answer->what);
        join(s, &error);
        return;
    }
    if (is_tag) {
        store_add_tag(s->store, repository, question->reference, digest, 0);
    }
    if (found && (!is_tag || is_new(s, repository, digest))) {
        add_manifest(s, repository, digest, &answer->response->body);
    }
    join(s, err);
}

static int ask(struct question *question, struct error *err)
{
    static const struct {
        enum http_method method;
        const char *what;
        const char *path; // NULL: the reference is it
        api_raw_fn raw;
    } requests[] = {
        [TOPIC_REPOSITORIES] = {HTTP_GET, NULL, NULL, on_page},
        [TOPIC_TAGS] = {HTTP_GET, NULL, NULL, on_page},
        [TOPIC_TAG] = {HTTP_GET, "ask for manifest $1 of $0", "/manifests/$1", on_manifest},
        [TOPIC_MANIFEST] = {HTTP_GET, "ask for manifest $1 of $0", "/manifests/$1", on_manifest},
        [TOPIC_BLOB] = {HTTP_HEAD, "ask for blob $1 of $0", "/blobs/$1", on_size},
    };
    const struct survey *s = question->survey;
    const char *path = requests[question->topic].path;
    const char *name = path == NULL ? NULL : s->store->repositories[question->repository].name;
    _cleanup_free_ char *prefix = str_printf("/v2/%s", name == NULL ? "" : name); // may have '/'
    const struct api_request request = {
        .method = requests[question->topic].method,
        .what = requests[question->topic].what,
        .path = path,
        .prefix = path == NULL ? question->reference : prefix,
        .effect = API_READS,
        .args = {name, question->reference},
        .check = path == NULL ? api_check_object : NULL,
        .tolerated = {{.status = 404}},
        .raw = requests[question->topic].raw,
        .ctx = question,
    };
    return api_send(s->api, &request, err);
}

int survey_begin(struct api *api, survey_fn done, void *ctx, struct error *err)
{
    struct survey *s = xcalloc(1, sizeof(*s));
    *s = (struct survey){.api = api, .done = done, .ctx = ctx, .store = store_new(), .pending = 1};
    STAILQ_INIT(&s->questions);
    s->store->asked = true;
    struct question *first = add_question(s, TOPIC_REPOSITORIES, 0, "/v2/_catalog");
    STAILQ_REMOVE_HEAD(&s->questions, link);
    int r = ask(first, err);
    if (r < 0) {
        store_free(s->store);
        free(s);
    }
    return r;
}
