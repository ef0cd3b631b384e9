// What tags keep, what goes, and how much that is. Digests are written as their one digit.
#include "lib/base/str.h"
#include "lib/registry/mark.h"
#include "lib/registry/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX (64u * 1024u)
#define BLOB_BYTES 10

struct mark_case {
    // A line for each of:
    //     app: a repository         l b c: layer links    1=a 5: a tag, pushed at the time 5
    //     a(bc): a manifest of layers     a[bc]: an index     a!: one that is no JSON     a?: a
    //     lost one a(b)^c: with the subject c      h 1 a: what tag 1 was     u: an upload opaque
    // Every blob that is named by a manifest is there, once.
    const char *store;
    size_t newest; // of `only`, or of every repository
    const char *only;
    const char *agreed; // the store on which it was agreed; NULL: no limit
    const char *removals;
    const char *sizes; // "REPOSITORY size shared unreferenced damaged", and of all that is
};

static char *digest_of(char digit)
{
    char hex[REFERENCE_DIGITS + 1];
    memset(hex, digit, REFERENCE_DIGITS);
    hex[REFERENCE_DIGITS] = '\0';
    return str_printf(REFERENCE_ALGORITHM ":%s", hex);
}

static void add_blob(struct store *store, char digit)
{
    _cleanup_free_ char *digest = digest_of(digit);
    for (size_t i = 0; i < store->blob_count; i++) {
        if (str_equal(store->blobs[i].digest, digest)) {
            return;
        }
    }
    store_add_blob(store, digest, BLOB_BYTES, digit);
}

static void add_manifest(struct store *store, size_t repository, const char *line)
{
    _cleanup_free_ char *digest = digest_of(line[0]);
    const char *list = line[1] == '[' ? "manifests" : "layers";
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
    if (line[1] == '?') {
        (void)store_add_revision(store, repository, digest, 1000, NULL, 0);
        return;
    }
    add_blob(store, line[0]);
    (void)buf_printf(&text, "{\"%s\": [", list);
    const char *at = line + 2;
    for (; strchr("0123456789abcdef", *at) != NULL && *at != '\0'; at++) {
        _cleanup_free_ char *part = digest_of(*at);
        (void)buf_printf(&text, "%s{\"digest\": \"%s\", \"size\": %d}", at == line + 2 ? "" : ", ",
                         part, BLOB_BYTES);
        add_blob(store, *at);
    }
    (void)buf_append_str(&text, "]");
    if (*at != '\0' && at[1] == '^') {
        _cleanup_free_ char *subject = digest_of(at[2]);
        (void)buf_printf(&text, ", \"subject\": {\"digest\": \"%s\"}", subject);
    }
    (void)buf_append_str(&text, line[1] == '!' ? "" : "}");
    (void)store_add_revision(store, repository, digest, 1000, buf_str(&text), text.length);
}

static void add_line(struct store *store, size_t *repository, const char *line)
{
    char name[128];
    char digit = '\0';
    int time_s = 0;
    if (line[strlen(line) - 1] == ':') {
        _cleanup_free_ char *whole = str_dup_n(line, strlen(line) - 1);
        *repository = store_add_repository(store, whole);
    } else if (str_equal(line, "opaque")) {
        store->repositories[*repository].opaque = true;
    } else if (str_equal(line, "u")) {
        store->repositories[*repository].upload_count++;
        store->repositories[*repository].upload_s = 2000;
    } else if (sscanf(line, "%127[^=]=%c %d", name, &digit, &time_s) == 3) {
        _cleanup_free_ char *digest = digest_of(digit);
        store_add_tag(store, *repository, name, digest, time_s);
    } else if (str_starts_with(line, "l ") || str_starts_with(line, "h ")) {
        _cleanup_free_ char *digest = digest_of(line[strlen(line) - 1]);
        _cleanup_free_ char *path = str_printf("%s%s", line[0] == 'l' ? STORE_LAYERS : "", line);
        store_add_link(store, *repository, path, digest);
    } else {
        add_manifest(store, *repository, line);
    }
}

static struct store *store_of(const char *text)
{
    struct store *store = store_new();
    _cleanup_free_ char *lines = str_dup(text);
    char *rest = lines;
    size_t repository = 0;
    for (const char *line = NULL; (line = strsep(&rest, "\n")) != NULL;) {
        if (*line != '\0') {
            add_line(store, &repository, line);
        }
    }
    store_finish(store);
    return store;
}

// Without the directories that are always the same, and with digits for digests.
static char *removals_of(const struct store *store)
{
    _cleanup_buf_ struct buf lines = BUF_INIT(TEXT_MAX);
    mark_list_removals(store, &lines);
    struct buf text = BUF_INIT(TEXT_MAX);
    _cleanup_free_ char *copy = str_dup(buf_str(&lines));
    char *rest = copy;
    for (const char *line = NULL; (line = strsep(&rest, "\n")) != NULL;) {
        const char *name = strrchr(line, '/');
        if (*line == '\0') {
            continue;
        }
        bool digest = strlen(name + 1) == REFERENCE_DIGITS;
        int length = digest ? (int)(name + 2 - line) : (int)strlen(line);
        (void)buf_printf(&text, "%.*s\n", length - (int)strlen("repositories/"),
                         line + strlen("repositories/"));
    }
    return buf_take(&text);
}

static char *sizes_of(const struct store *store)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < store->repository_count; i++) {
        const struct store_repository *one = &store->repositories[i];
        (void)buf_printf(&text, "%s %d %d %d %zu\n", one->name, (int)one->size, (int)one->shared,
                         (int)one->unreferenced, one->damaged);
    }
    (void)buf_printf(&text, "%d %d\n", (int)store->size, (int)store->unreferenced);
    return buf_take(&text);
}

#define REVISION(name, digit) name "/_manifests/revisions/sha256/" digit "\n"
#define TAG(name, tag) name "/_manifests/tags/" tag "\n"
#define REPOSITORY(name) name "/_layers\n" name "/_manifests\n" name "/_uploads\n"
#define EIGHT "aaaaaaaa"
#define SIGNATURE "sha256-" EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT ".sig"

static const struct mark_case cases[] = {
    {"", 0, NULL, NULL, "", "0 0\n"},
    {"app:\na(12)\nb(13)\n1=b 1\n", 0, NULL, NULL, REVISION("app", "a"), "app 30 0 20 0\n50 20\n"},
    // Shared with another repository, by a manifest that stays, and by one that goes.
    {"app:\na(12)\n1=a 1\nb:\nb(13)\n1=b 1\nc(2)\n", 0, NULL, NULL, REVISION("b", "c"),
     "app 30 10 0 0\nb 30 10 10 0\n60 10\n"},
    // An index reaches its children, and theirs, in its own repository alone.
    {"app:\na[b]\nb[c]\nc(1)\n1=a 1\nother:\nc(1)\n", 0, NULL, NULL,
     REVISION("other", "c") REPOSITORY("other"), "app 40 0 0 0\nother 0 0 0 0\n40 0\n"},
    {"app:\na[bc]\nb(1)\nc(2)\n1=c 1\n", 0, NULL, NULL, REVISION("app", "a") REVISION("app", "b"),
     "app 20 0 30 0\n50 30\n"},
    // An index that lacks a child was pushed so.
    {"app:\na[b]\n1=a 1\n", 0, NULL, NULL, "", "app 20 0 0 0\n20 0\n"},
    // What names a kept one as its subject is kept, and so on.
    {"app:\na(1)\nb(2)^a\nc(3)^b\nd(4)^e\n1=a 1\n", 0, NULL, NULL, REVISION("app", "d"),
     "app 60 0 20 0\n80 20\n"},
    // A tag and a manifest that are not whole.
    {"app:\na?\n1=a 1\n2=b 1\n", 0, NULL, NULL, "", "app 0 0 0 2\n0 0\n"},
    // Nobody knows what refers to what.
    {"app:\na(1)\nb!\n1=a 1\nl b c\n", 0, NULL, NULL, "", "app 30 0 0 0\n30 0\n"},
    {"app:\nopaque\na(1)\nl c\n", 1, NULL, NULL, "", "app 20 0 0 0\n20 0\n"},
    // Links of blobs and former manifests that are kept stay.
    {"app:\na(1)\n1=a 1\nl 1\nl 2\nh a\nh b\n", 0, NULL, NULL, "app/_layers/l 2\napp/h b\n",
     "app 20 0 0 0\n20 0\n"},
    // Somebody may go on with an upload.
    {"app:\nu\na(1)\n", 0, NULL, NULL, REVISION("app", "a"), "app 0 0 20 0\n20 20\n"},

    // The newest tags; of the same time the last one by name.
    {"app:\na()\nb()\nc()\n1=a 3\n2=b 2\n3=c 2\n", 2, NULL, NULL,
     TAG("app", "2") REVISION("app", "b"), "app 20 0 10 0\n30 10\n"},
    {"app:\na()\nb()\n1=a 1\n2=b 2\nother:\nc()\nd()\n1=c 1\n2=d 2\n", 1, "other", NULL,
     TAG("other", "1") REVISION("other", "c"), "app 20 0 0 0\nother 10 0 10 0\n40 10\n"},
    // A signature goes with what it is of, and is no version.
    {"app:\na()\nb()\nc()\n1=a 1\n2=b 2\n" SIGNATURE "=c 9\n", 1, NULL, NULL,
     TAG("app", "1") TAG("app", SIGNATURE) REVISION("app", "a") REVISION("app", "c"),
     "app 10 0 20 0\n30 20\n"},
    {"app:\na()\nb()\nc()\n1=a 3\n2=b 2\n" SIGNATURE "=c 1\n", 1, NULL, NULL,
     TAG("app", "2") REVISION("app", "b"), "app 20 0 10 0\n30 10\n"},
    {"app:\nb()\nc()\n2=b 2\n" SIGNATURE "=c 1\n", 1, NULL, NULL, "", "app 20 0 0 0\n20 0\n"},

    // What was not agreed to go stays, with all that it refers to.
    {"app:\na[b]\nb(1)\nc()\n1=c 1\n", 0, NULL, "app:\nb(1)\nc()\n1=c 1\n", "",
     "app 40 0 0 0\n40 0\n"},
    {"app:\na()\nb()\nc()\n1=c 1\n", 0, NULL, "app:\na()\nb()\nc()\n1=c 1\n2=b 1\n",
     REVISION("app", "a"), "app 20 0 10 0\n30 10\n"},
    {"app:\na()\nb()\nc()\n1=a 9\n2=b 2\n3=c 3\n", 1, NULL, "app:\na()\nb()\n1=a 1\n2=b 2\n", "",
     "app 30 0 0 0\n30 0\n"},
};

static void test_cases(_unused_ void **state)
{
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct mark_case *test = &cases[i];
        _cleanup_(strv_done) struct strv only = {0};
        strv_add(&only, test->only == NULL ? "" : test->only);
        struct mark_rules rules = {.newest = test->newest,
                                   .only = test->only == NULL ? NULL : &only};
        _cleanup_(store_freep) struct store *agreed =
            test->agreed == NULL ? NULL : store_of(test->agreed);
        if (agreed != NULL) {
            mark_store(agreed, &rules);
        }
        _cleanup_(store_freep) struct store *store = store_of(test->store);
        rules.agreed = agreed;
        mark_store(store, &rules);
        _cleanup_free_ char *removals = removals_of(store);
        _cleanup_free_ char *sizes = sizes_of(store);
        if (!str_equal(removals, test->removals) || !str_equal(sizes, test->sizes)) {
            fail_msg("%s\nremoves:\n%sexpected:\n%ssizes:\n%sexpected:\n%s", test->store, removals,
                     test->removals, sizes, test->sizes);
        }
    }
}

static void test_pushed_to(_unused_ void **state)
{
    static const struct {
        const char *store; // a manifest's time is 1000, an upload's 2000, a blob's its digit
        int64_t now_s;
        const char *where;
    } table[] = {
        {"app:\na(1)\n1=a 1000\n", 1000, NULL},
        {"app:\na(1)\n", 1005, "app"},
        {"app:\na(1)\n", 995, "app"},
        {"app:\na(1)\n", 1006, NULL},
        {"app:\na(1)\n", 'a' + 5, "a repository"},
        {"app:\na(1)\n", 'a' + 6, NULL},
        {"b:\na(1)\n1=a 1\napp:\nu\n", 2005, "app"},
        {"b:\na(1)\n1=a 1\napp:\nu\n", 2006, NULL},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        _cleanup_(store_freep) struct store *store = store_of(table[i].store);
        mark_store(store, &(struct mark_rules){0});
        const char *where = mark_pushed_to(store, table[i].now_s, 6);
        if (!str_equal(where, table[i].where)) {
            fail_msg("%zu: %s", i, where == NULL ? "nowhere" : where);
        }
    }
}

// A list that is too long is cut between two lines, the tags and manifests first.
static void test_long_list(_unused_ void **state)
{
    static const char text[] = "app:\na()\nb()\n1=b 1\nl c\n";
    _cleanup_(store_freep) struct store *store = store_of(text);
    mark_store(store, &(struct mark_rules){0});
    for (size_t max = 0; max < 200; max++) {
        _cleanup_buf_ struct buf lines = BUF_INIT(max);
        mark_list_removals(store, &lines);
        assert_true(lines.length == 0 || lines.data[lines.length - 1] == '\n');
    }
}

static void test_names(_unused_ void **state)
{
    static const struct {
        const char *name;
        bool repository;
        bool tag;
    } table[] = {
        {"app", true, true},  {"a/b-c_d.e/f0", true, false}, {"App", false, true},
        {"", false, false},   {"..", false, false},          {"a//b", false, false},
        {"/a", false, false}, {"a/", false, false},          {"_a", false, true},
        {"-a", false, false}, {"a b", false, false},         {"a\nb", false, false},
        {"a__b", true, true}, {"a/../b", false, false},      {"1.0-rc", true, true},
    };
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        assert_int_equal(reference_is_repository(table[i].name), table[i].repository);
        assert_int_equal(reference_is_tag(table[i].name), table[i].tag);
        assert_false(reference_is_digest(table[i].name));
    }
    _cleanup_free_ char *digest = digest_of('a');
    assert_true(reference_is_digest(digest));
    assert_false(reference_is_digest(digest + 1));
    digest[strlen(digest) - 1] = 'g';
    assert_false(reference_is_digest(digest));
    digest[strlen(digest) - 1] = '\0';
    assert_false(reference_is_digest(digest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_pushed_to),
        cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
