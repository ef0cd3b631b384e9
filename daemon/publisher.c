#include "daemon/publisher.h"

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/work/work.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

// The interval is no longer than what a burst of events is gathered for (lib/reconcile), so that
// who acts on what the file says finds it changed before anything else is; but thousands of entries
// take their time to write, and get it.
#define INTERVAL_MS 10
#define ENTRIES_PER_MS 50
#define STATUS_BYTES_MAX (64u * 1024u * 1024u)
// Longer than both paths of a claim may take to resolve, and as long as a stop may wait for it.
#define TIMEOUT_MS 10000

// What a thread does, and what came of it.
struct piece {
    struct claims *claims;
    struct config *config; // to be claimed; NULL: text is to be written
    char *text;
    char *status_file; // where that is now
    bool renewed;      // its directory was gone
    int r;
    struct error error;
};

static void piece_free(void *block)
{
    struct piece *piece = block;
    claims_free(piece->claims);
    config_free(piece->config);
    free(piece->text);
    free(piece->status_file);
    free(piece);
}

static void run_piece(void *block)
{
    struct piece *piece = block;
    if (piece->config != NULL) {
        piece->r = claims_change(piece->claims, piece->config, &piece->error);
    } else {
        piece->r = claims_renew(piece->claims, &piece->error);
        piece->renewed = piece->r > 0;
    }
    piece->status_file = str_dup(claims_status_file(piece->claims));
    if (piece->r >= 0 && piece->text != NULL) {
        piece->r = file_replace(piece->status_file, piece->text, strlen(piece->text));
        if (piece->r < 0) {
            (void)error_set(&piece->error, ERROR_PERMANENT, -piece->r, "cannot write %s: %s",
                            piece->status_file, strerror(-piece->r));
        }
    }
}

static char *status_text(struct publisher *publisher)
{
    struct buf text = BUF_INIT(STATUS_BYTES_MAX);
    const struct status *status = reconciler_status(publisher->session->reconciler);
    (void)status_print_json(status, (int)getpid(), publisher->config_file, publisher->progress,
                            &text);
    uint64_t rest_ms = status->count / ENTRIES_PER_MS;
    publisher->again_ms = uv_now(publisher->timer.loop) + MAX(rest_ms, INTERVAL_MS);
    return buf_take(&text);
}

static void on_done(void *ctx, void *block, const struct error *err);

// Begins what is to be done next, if nothing is under way.
static void publisher_begin(struct publisher *publisher)
{
    if (publisher->busy || (publisher->next == NULL && !publisher->due)) {
        return;
    }
    struct piece *piece = xcalloc(1, sizeof(*piece));
    piece->claims = claims_ref(publisher->claims);
    piece->config = TAKE_PTR(publisher->next);
    publisher->busy = true;
    publisher->claiming = piece->config != NULL;
    if (!publisher->claiming) {
        publisher->due = false;
        piece->text = status_text(publisher);
    }
    const struct work work = {.name = "the runtime directory",
                              .run = run_piece,
                              .destroy = piece_free,
                              .timeout_ms = TIMEOUT_MS,
                              .done = on_done,
                              .ctx = publisher};
    work_submit(publisher->session->worker, &work, piece);
}

// Everything goes on without a status file; that there is none is logged once.
static void on_written(struct publisher *publisher, bool renewed, const struct error *err)
{
    if (renewed) {
        log_text(LOG_LEVEL_NOTICE, LOG_EVENT_NONE,
                 "the directory of %s was removed, and is made again", publisher->status_file);
    }
    if (err != NULL && !publisher->failed) {
        log_text(LOG_LEVEL_WARNING, LOG_EVENT_NONE, "no status is published: %s", err->text);
    }
    publisher->failed = err != NULL;
}

static void on_done(void *ctx, void *block, const struct error *err)
{
    struct publisher *publisher = ctx;
    struct piece *piece = block;
    struct error error = {0};
    publisher->busy = false;
    publisher->due = publisher->due && (err == NULL || err->code != ECANCELED); // it is to end
    if (err != NULL) {
        error = *err;
        (void)error_wrap(&error, "%s", publisher->status_file);
    } else {
        error = piece->error;
        free(publisher->status_file);
        publisher->status_file = TAKE_PTR(piece->status_file);
    }
    const struct error *failure = err != NULL || piece->r < 0 ? &error : NULL;
    if (publisher->claiming) {
        publisher->claimed(publisher->ctx, failure == NULL ? TAKE_PTR(piece->config) : NULL,
                           failure);
    } else {
        on_written(publisher, piece != NULL && piece->renewed, failure);
    }
    publisher_begin(publisher);
}

static void on_timer(uv_timer_t *timer)
{
    struct publisher *publisher = timer->data;
    publisher->due = true;
    publisher_begin(publisher);
}

void publisher_open(struct publisher *publisher, struct session *session, const char *config_file,
                    struct claims *claims, publisher_claimed_fn claimed, void *ctx)
{
    *publisher = (struct publisher){.session = session,
                                    .config_file = config_file,
                                    .claims = claims,
                                    .claimed = claimed,
                                    .ctx = ctx,
                                    .status_file = str_dup(claims_status_file(claims))};
    (void)uv_timer_init(&session->loop, &publisher->timer);
    publisher->timer.data = publisher;
}

void publisher_write(struct publisher *publisher)
{
    uv_timer_t *timer = &publisher->timer;
    uint64_t now_ms = uv_now(timer->loop);
    if (!uv_is_active((const uv_handle_t *)timer)) {
        uint64_t rest_ms = publisher->again_ms > now_ms ? publisher->again_ms - now_ms : 0;
        (void)uv_timer_start(timer, on_timer, rest_ms, 0);
    }
}

void publisher_claim(struct publisher *publisher, struct config *config)
{
    publisher->next = config;
    publisher_begin(publisher);
}

void publisher_close(struct publisher *publisher)
{
    uv_close((uv_handle_t *)&publisher->timer, NULL);
    publisher->due = false;
    while (publisher->busy) {
        (void)uv_run(publisher->timer.loop, UV_RUN_ONCE);
    }
    claims_free(publisher->claims);
    free(publisher->status_file);
    free(publisher->progress);
}
