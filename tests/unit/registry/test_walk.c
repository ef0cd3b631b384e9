// A storage directory as a registry leaves it, and as no registry does.
#include "lib/base/str.h"
#include "lib/registry/walk.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
#define REPOSITORIES "docker/registry/v2/repositories/"
#define BLOBS "docker/registry/v2/blobs/sha256/01/" HEX

static char directory[] = "/tmp/walk-XXXXXX";

static int setup(_unused_ void **state)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/walk-XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
                      _unused_ struct FTW *ftw)
{
    return remove(path);
}

static int teardown(_unused_ void **state)
{
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// With the directories above it; text NULL: a directory.
static void put(const char *name, const char *text)
{
    _cleanup_free_ char *path = str_printf("%s/%s", directory, name);
    for (char *end = path + strlen(directory) + 1; (end = strchr(end, '/')) != NULL; end++) {
        *end = '\0';
        assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
        *end = '/';
    }
    if (text == NULL) {
        assert_int_equal(mkdir(path, 0755), 0);
        return;
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct store *walk(void)
{
    struct store *store = NULL;
    struct error err = {0};
    assert_int_equal(walk_storage(directory, &store, &err), 0);
    return store;
}

static void test_storage(_unused_ void **state)
{
    put(REPOSITORIES "a/b/_manifests/tags/v1/current/link", "sha256:" HEX "1");
    put(REPOSITORIES "a/b/_manifests/tags/v1/index/sha256/" HEX "2/link", "sha256:" HEX "2");
    put(REPOSITORIES "a/b/_manifests/revisions/sha256/" HEX "1/link", "sha256:" HEX "1");
    put(REPOSITORIES "a/b/_manifests/revisions/sha256/" HEX "3", NULL); // deleted
    put(REPOSITORIES "a/b/_layers/sha256/" HEX "4/link", "sha256:" HEX "4");
    put(REPOSITORIES "a/b/_uploads/1/data", "12345");
    put(REPOSITORIES "a/_layers/sha256", NULL);
    put(REPOSITORIES "a/c/_uploads", NULL); // one that was taken back
    // Likewise, as distribution 2.8 leaves it:
    put(REPOSITORIES "a/d/_uploads/1/hashstates/sha256/0", "12345");
    put(BLOBS "1/data", "{\"layers\":[{\"digest\":\"sha256:" HEX "4\"}]}");
    put(BLOBS "4/data", "123");
    put(BLOBS "5", NULL); // an upload that ended at the wrong moment
    _cleanup_(store_freep) struct store *store = walk();
    const struct store_repository *one = store_repository(store, "a/b");
    assert_int_equal(store->repository_count, 2);
    assert_int_equal(store->blob_count, 2);
    assert_int_equal(store->upload_bytes, 5);
    assert_true(store->free_bytes > 0);
    assert_int_equal(store_blob(store, "sha256:" HEX "4")->size, 3);
    assert_string_equal(store_tag(one, "v1")->digest, "sha256:" HEX "1");
    assert_true(store_tag(one, "v1")->time_s > 0);
    assert_int_equal(one->revision_count, 1);
    assert_int_equal(store_revision(one, "sha256:" HEX "1")->part_count, 1);
    assert_int_equal(one->upload_count, 1);
    assert_true(one->upload_s > 0);
    assert_false(one->opaque);
    assert_int_equal(one->link_count, 3);
    size_t layers = 0;
    for (size_t i = 0; i < one->link_count; i++) {
        layers += str_starts_with(one->links[i].path, STORE_LAYERS);
        assert_true(one->links[i].path[0] == '_');
    }
    assert_int_equal(layers, 1);
}

static void test_nothing(_unused_ void **state)
{
    _cleanup_(store_freep) struct store *store = walk();
    assert_int_equal(store->repository_count + store->blob_count, 0);
    struct error err = {0};
    assert_int_equal(walk_storage("/nowhere", &store, &err), -ENOENT);
    assert_string_equal(err.text, "/nowhere cannot be read: No such file or directory");
}

// What is not understood is left alone, with its whole repository.
static void test_odd(_unused_ void **state)
{
    static const char *const files[] = {
        "_manifests/tags/v1/current/link",
        "_manifests/tags/bad tag/current/link",
        "_manifests/revisions/sha512/" HEX "1/link",
    };
    for (size_t i = 0; i < ELEMENTS(files); i++) {
        _cleanup_free_ char *name = str_printf(REPOSITORIES "r%zu/%s", i, files[i]);
        put(name, i == 0 ? "sha512:" HEX "1" : "sha256:" HEX "1");
    }
    put(REPOSITORIES "Bad/_layers/sha256/" HEX "1/link", "");
    put(REPOSITORIES "good/_layers/sha256/nothing/link", "");
    put(REPOSITORIES "good/_manifests/tags/v1", ""); // a file in a directory's place
    put("docker/registry/v2/blobs/sha256/01", "");
    _cleanup_(store_freep) struct store *store = walk();
    assert_int_equal(store->repository_count, 4);
    for (size_t i = 0; i < store->repository_count; i++) {
        const struct store_repository *one = &store->repositories[i];
        assert_int_equal(one->opaque, one->name[0] == 'r');
        assert_int_equal(one->link_count + one->tag_count, 0);
    }
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_storage),
        IN_DIRECTORY(test_nothing),
        IN_DIRECTORY(test_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
