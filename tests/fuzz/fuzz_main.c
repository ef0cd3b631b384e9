// Replays inputs with the fuzz target that it is linked with: main FILE|DIRECTORY...; each is named
// before it runs. Not to run a single one is a failure.
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_BYTES_MAX (64u * 1024u * 1024u)

static size_t replayed;

static void replay_file(const char *path)
{
    char *data = NULL;
    size_t size = 0;
    struct error err;
    if (file_read(path, INPUT_BYTES_MAX, FILE_REGULAR, &data, &size, &err) < 0) {
        (void)fprintf(stderr, "%s %s\n", path, err.text);
        exit(EXIT_FAILURE);
    }
    (void)printf("%s\n", path);
    (void)fflush(stdout);
    // A block of just this size, so that a sanitizer sees what is read beyond it.
    uint8_t *input = malloc(size);
    MUST(input != NULL || size == 0);
    memcpy(input, data, size);
    free(data);
    MUST(LLVMFuzzerTestOneInput(input, size) == 0);
    free(input);
    replayed++;
}

static void replay_directory(const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    MUST(count >= 0);
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            _cleanup_free_ char *file = str_printf("%s/%s", path, entries[i]->d_name);
            MUST(file != NULL);
            replay_file(file);
        }
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char *argv[])
{
    for (int i = 1; i < argc; i++) {
        struct stat st = {0};
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            replay_directory(argv[i]);
        } else {
            replay_file(argv[i]);
        }
    }
    (void)printf("%zu inputs\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
