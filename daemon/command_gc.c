// gc: lists what no tag reaches, asks, and frees it (collect.c).
#include "daemon/collect.h"
#include "daemon/commands.h"
#include "daemon/load.h"
#include "daemon/storage.h"
#include "daemon/terminal.h"
#include "lib/base/str.h"
#include "lib/registry/walk.h"

#include <stdio.h>

#define PROXY_VARIABLE "REGISTRY_PROXY_REMOTEURL"

// Returns whether anything of it goes.
static bool print_repository(const struct store_repository *repository)
{
    size_t tags = 0;
    size_t manifests = 0;
    for (size_t i = 0; i < repository->tag_count; i++) {
        tags += !repository->tags[i].kept;
    }
    for (size_t i = 0; i < repository->revision_count; i++) {
        manifests += !repository->revisions[i].kept;
    }
    if (tags + manifests == 0) {
        return false;
    }
    _cleanup_free_ char *size = str_bytes(repository->unreferenced);
    _cleanup_free_ char *of_tags = str_printf("%zu tag%s, ", tags, tags == 1 ? "" : "s");
    (void)printf("%s: %s%zu manifest%s that no %stag reaches, %s\n", repository->name,
                 tags == 0 ? "" : of_tags, manifests, manifests == 1 ? "" : "s",
                 tags == 0 ? "" : "other ", size);
    for (size_t i = 0; i < repository->tag_count; i++) {
        if (!repository->tags[i].kept) {
            (void)printf("    %s:%s\n", repository->name, repository->tags[i].name);
        }
    }
    return true;
}

// Returns whether there is anything.
static bool print_going(const struct store *store)
{
    bool any = store->unreferenced > 0;
    for (size_t i = 0; i < store->repository_count; i++) {
        any = print_repository(&store->repositories[i]) || any;
    }
    _cleanup_free_ char *freed = str_bytes(store->unreferenced);
    _cleanup_free_ char *size = str_bytes(store->size);
    (void)printf(any ? "%s of %s can be freed\n" : "nothing to free: %s of %s\n", freed, size);
    return any;
}

// Whether every repository is there that was named.
static bool check_names(const struct store *store, char *const *names)
{
    for (; *names != NULL; names++) {
        if (store_repository(store, *names) == NULL) {
            terminal_complain("the registry has no repository %s", *names);
            return false;
        }
    }
    return true;
}

// What the registry has; NULL with err.
static struct store *find_store(const struct config *config, char **ret_here,
                                char **ret_in_container, struct error *err)
{
    struct store *store = NULL;
    if (strmap_get(&config->registry.environment, PROXY_VARIABLE) != NULL) {
        (void)error_set(err, ERROR_PERMANENT, ENOTSUP,
                        "the registry is a cache, which frees by itself what is old");
    } else if (storage_find(config, ret_here, ret_in_container, err) == 0) {
        (void)walk_storage(*ret_here, &store, err);
    }
    return store;
}

static int run(const struct options *options, struct collect_plan *plan)
{
    mark_store(plan->agreed, plan->rules);
    if (!check_names(plan->agreed, options->names)) {
        return EXIT_FAILED;
    }
    plan->nothing = !print_going(plan->agreed);
    if ((options->given & OPTION_DRY_RUN) != 0) {
        return terminal_end();
    }
    if (!plan->nothing && (options->given & OPTION_YES) == 0 &&
        !terminal_confirms("The registry is stopped meanwhile. Remove the above?")) {
        (void)fputs("nothing was removed\n", stderr);
        return EXIT_FAILED;
    }
    return collect(plan);
}

int command_gc(const struct options *options)
{
    _cleanup_free_ char *file = NULL;
    _cleanup_(config_freep) struct config *config = NULL;
    _cleanup_(strv_done) struct strv names = {0};
    _cleanup_free_ char *here = NULL;
    _cleanup_free_ char *in_container = NULL;
    struct error error = {0};
    if (!load(options, &file, &config)) {
        return EXIT_CONFIGURATION;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0); // it takes its time, and somebody may read along
    for (char **name = options->names; *name != NULL; name++) {
        strv_add(&names, *name);
    }
    _cleanup_(store_freep) struct store *store = find_store(config, &here, &in_container, &error);
    if (store == NULL) {
        terminal_complain("%s", error.text);
        return EXIT_FAILED;
    }
    const struct mark_rules rules = {.newest = options->keep,
                                     .only = names.count > 0 ? &names : NULL};
    struct collect_plan plan = {.config = config,
                                .here = here,
                                .in_container = in_container,
                                .rules = &rules,
                                .agreed = store};
    return run(options, &plan);
}
