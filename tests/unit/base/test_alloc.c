// Memory that grows, and memory that goes together.
#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "tests/support/unit.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#define MANY 1000

static void arrays_grow(_unused_ void **state)
{
    struct arena arena = {0};
    _cleanup_free_ uint32_t *own = NULL;
    uint32_t *numbers = NULL; // of the arena
    size_t own_count = 0;
    size_t count = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t *added[] = {ARRAY_GROW(own, own_count), ARENA_GROW(&arena, numbers, count)};
        assert_int_equal(*added[0] + *added[1], 0);
        *added[0] = *added[1] = i + 1;
    }
    assert_int_equal(own_count, MANY);
    assert_int_equal(count, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(own[i], i + 1);
        assert_int_equal(numbers[i], i + 1);
    }
    // One that became shorter grows into what it has.
    for (own_count = 3; own_count < MANY;) {
        assert_int_equal(*ARRAY_GROW(own, own_count), 0);
    }
    assert_int_equal(own[2], 3);
    arena_done(&arena);
}

static void memory_of_an_arena_is_zero_and_aligned(_unused_ void **state)
{
    static const size_t sizes[] = {0, 1, 7, 512, 100000};
    struct arena arena = {0};
    for (size_t i = 0; i < ELEMENTS(sizes); i++) {
        unsigned char *memory = arena_alloc(&arena, sizes[i]);
        assert_int_equal((uintptr_t)memory % alignof(max_align_t), 0);
        for (size_t byte = 0; byte < sizes[i]; byte++) {
            assert_int_equal(memory[byte], 0);
        }
    }
    arena_done(&arena);
    assert_null(arena.blocks);
}

static void strings_of_an_arena_are_copies(_unused_ void **state)
{
    struct arena arena = {0};
    char text[] = "text";
    char *copy = arena_dup(&arena, text);
    text[0] = 'n';
    assert_string_equal(copy, "text");
    assert_null(arena_dup(&arena, NULL));
    assert_string_equal(arena_dup_n(&arena, "text", 2), "te");
    assert_string_equal(arena_dup_n(&arena, "", 0), "");
    assert_string_equal(arena_printf(&arena, "%s/%d", copy, 7), "text/7");
    assert_int_equal(strlen(arena_printf(&arena, "%10000d", 1)), 10000);
    arena_done(&arena);
}

static void nothing_is_something(_unused_ void **state)
{
    _cleanup_free_ void *none = xmalloc(0);
    _cleanup_free_ void *zeros = xcalloc(0, 8);
    none = xrealloc(none, 0);
    assert_non_null(none);
    assert_non_null(zeros);
}

// AddressSanitizer otherwise ends the process itself.
// NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
const char *__asan_default_options(void);
// NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void lack_of_memory_ends_the_process(_unused_ void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        volatile size_t size = PTRDIFF_MAX;
        free(xmalloc(size));
        _exit(0);
    }
    (void)close(ends[1]);
    FILE *stream = fdopen(ends[0], "r");
    char said[4096] = "";
    assert_non_null(stream);
    assert_true(fread(said, 1, sizeof(said) - 1, stream) > 0);
    (void)fclose(stream);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EX_OSERR);
    assert_non_null(strstr(said, "hostk8s-registryd: out of memory\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_grow),
        cmocka_unit_test(memory_of_an_arena_is_zero_and_aligned),
        cmocka_unit_test(strings_of_an_arena_are_copies),
        cmocka_unit_test(nothing_is_something),
        cmocka_unit_test(lack_of_memory_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
