// usage: what the registry's storage holds. Its directory is read; where that cannot be, or it is
// not the one that the engine sees, the registry is asked, which knows nothing of what has no tag.
#include "daemon/commands.h"
#include "daemon/load.h"
#include "daemon/session.h"
#include "daemon/storage.h"
#include "daemon/terminal.h"
#include "lib/registry/mark.h"
#include "lib/registry/survey.h"
#include "lib/registry/walk.h"

#include <errno.h>

struct usage {
    struct session session;
    struct store *store;
    struct error error;
    bool ended;
};

static void on_surveyed(void *ctx, struct store *store, const struct error *err)
{
    struct usage *usage = ctx;
    usage->store = store;
    usage->error = err != NULL ? *err : (struct error){0};
    usage->ended = true;
}

static bool on_iteration(void *ctx)
{
    return ((struct usage *)ctx)->ended;
}

// Returns what a tag reaches, or NULL with err.
static struct store *ask_registry(struct config *config, struct error *err)
{
    struct usage usage = {.ended = false};
    const struct session_options options = {
        .mode = RECONCILE_OBSERVE, .events.ctx = &usage, .iterate = on_iteration};
    struct api *registry = NULL;
    int r = session_open(&usage.session, config, &options);
    if (r < 0) {
        (void)error_set(err, ERROR_PERMANENT, -r, "the registry cannot be asked");
        return NULL;
    }
    r = storage_open_registry(config, &usage.session.io, &registry, &usage.error);
    if (r == 0 && survey_begin(registry, on_surveyed, &usage, &usage.error) == 0) {
        session_run(&usage.session);
    }
    api_free(registry);
    session_close(&usage.session);
    *err = usage.error;
    return usage.store;
}

int command_usage(const struct options *options)
{
    _cleanup_free_ char *file = NULL;
    _cleanup_(config_freep) struct config *config = NULL;
    _cleanup_(store_freep) struct store *store = NULL;
    _cleanup_free_ char *here = NULL;
    _cleanup_free_ char *in_container = NULL;
    struct error error = {0};
    struct error unasked = {0};
    if (!load(options, &file, &config)) {
        return EXIT_CONFIGURATION;
    }
    bool whole = storage_find(config, &here, &in_container, &error) == 0 &&
                 walk_storage(here, &store, &error) == 0;
    if (!whole || store->repository_count == 0) {
        _cleanup_(store_freep) struct store *asked = ask_registry(config, &unasked);
        if (whole && asked != NULL && asked->repository_count > 0) {
            whole = false;
            (void)error_set(&error, ERROR_PERMANENT, ENOENT,
                            "%s has no image, though the registry has: its engine sees another "
                            "file system there, as when this one was mounted after its start",
                            here);
        }
        if (!whole) {
            store_free(store);
            store = TAKE_PTR(asked);
        }
    }
    if (store == NULL) {
        terminal_complain("%s; %s; `hostk8s-registryd apply` makes the registry", error.text,
                          unasked.text);
        return EXIT_FAILED;
    }
    mark_store(store, &(struct mark_rules){0});
    if ((options->given & OPTION_JSON) != 0) {
        storage_print_json(store, whole, whole ? here : NULL);
    } else {
        storage_print(store, whole);
    }
    if (!whole) {
        terminal_complain("what has no tag is not known: %s", error.text);
    }
    return terminal_end();
}
