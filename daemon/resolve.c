#include "daemon/resolve.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define LINKS_MAX 40 // as many as the kernel follows

// realpath(3) ends at what is not there.
// NOLINTNEXTLINE(misc-no-recursion): no deeper than the path has names, and LINKS_MAX
static char *real_path(const char *path, unsigned links)
{
    char *real = realpath(path, NULL);
    if (real != NULL) {
        return real;
    }
    const char *slash = strrchr(path, '/');
    const char *name = slash + 1;
    _cleanup_free_ char *above = str_dup_n(path, slash == path ? 1 : (size_t)(slash - path));
    char target[PATH_MAX];
    ssize_t n = links < LINKS_MAX ? readlink(path, target, sizeof(target) - 1) : -1;
    if (n > 0) {
        target[n] = '\0';
        _cleanup_free_ char *next =
            target[0] == '/' ? str_dup(target) : str_printf("%s/%s", above, target);
        return real_path(next, links + 1);
    }
    _cleanup_free_ char *directory = real_path(above, links);
    if (str_empty(name) || str_equal(name, ".")) {
        return TAKE_PTR(directory);
    }
    char *last = strrchr(directory, '/');
    if (str_equal(name, "..")) {
        last[last == directory] = '\0';
        return TAKE_PTR(directory);
    }
    return str_printf("%s/%s", last[1] == '\0' ? "" : directory, name);
}

struct question {
    char *path;
    char *answer;
    atomic_bool left; // by one of the two threads: the other one frees it
};

static void question_leave(struct question *question)
{
    if (atomic_exchange(&question->left, true)) {
        free(question->path);
        free(question->answer);
        free(question);
    }
}

static void *answer(void *arg)
{
    struct question *question = arg;
    question->answer = real_path(question->path, 0);
    question_leave(question);
    return NULL;
}

char *resolve(const char *path)
{
    struct question *question = xcalloc(1, sizeof(*question));
    question->path = str_dup(path);
    struct timespec until;
    pthread_t thread;
    char *found = NULL;
    if (pthread_create(&thread, NULL, answer, question) != 0) {
        question->left = true;
    } else if (clock_gettime(CLOCK_MONOTONIC, &until) == 0) {
        until.tv_sec += RESOLVE_S;
        if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0) {
            found = TAKE_PTR(question->answer);
        } else {
            (void)pthread_detach(thread);
        }
    }
    question_leave(question);
    return found != NULL ? found : str_dup(path);
}
