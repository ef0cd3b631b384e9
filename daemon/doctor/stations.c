#include "daemon/doctor/stations.h"

#include "lib/base/str.h"
#include "lib/kinds/kind.h"

#define S 1000u

// What a station leaves for those behind it.
enum station_need {
    NEEDS_NOTHING = 0,
    NEEDS_ENGINE = 1, // doctor->engine
    NEEDS_IMAGE = 2,  // doctor->digest
    NEEDS_REGISTRY = 4,
};

#define OVER_CACHES "caches"

struct station {
    const char *name;
    const char *over; // the prefix of a kind: once for each of its keys, or OVER_CACHES; NULL: once
    unsigned needs;   // of enum station_need
    uint64_t deadline_ms;
    station_fn run; // its subject is "" where it is once
};

static const struct station stations[] = {
    {"engine", NULL, NEEDS_NOTHING, 30 * S, station_engine},
    {"container", NULL, NEEDS_ENGINE, 10 * S, station_container},
    {"registry", NULL, NEEDS_NOTHING, 15 * S, station_registry},
    {"push", NULL, NEEDS_REGISTRY, 30 * S, station_push},
    {"localhost", NULL, NEEDS_NOTHING, 30 * S, station_localhost},
    {"containerd", "node/", NEEDS_ENGINE, 30 * S, station_containerd},
    {"name", "node/", NEEDS_ENGINE, 15 * S, station_name},
    {"pull", "node/", NEEDS_ENGINE | NEEDS_IMAGE, 60 * S, station_pull},
    {"cache", OVER_CACHES, NEEDS_ENGINE, 30 * S, station_cache},
    {"api-server", "cluster/", NEEDS_ENGINE, 30 * S, station_api_server},
    {"objects", "cluster/", NEEDS_ENGINE, 10 * S, station_objects},
    {"page", "route/", NEEDS_NOTHING, 30 * S, station_page},
    {"redirect", "route/", NEEDS_NOTHING, 15 * S, station_redirect},
    {"api", "route/", NEEDS_IMAGE, 15 * S, station_api},
    {"upload", "route/", NEEDS_NOTHING, 60 * S, station_upload},
};
static const struct station cleanup = {"clean-up", NULL, NEEDS_NOTHING, 60 * S, station_cleanup};

// What the station would need and has not; NULL: nothing.
static const char *missing(const struct doctor *doctor, unsigned needs)
{
    const struct docker *docker = doctor->session.io.docker;
    const struct {
        unsigned need;
        bool has;
        const char *what;
    } rows[] = {
        // It may have gone since it was observed: a station that was told so has failed for all.
        {NEEDS_ENGINE, doctor->engine != NULL && docker_is_negotiated(docker), "the engine"},
        {NEEDS_REGISTRY, doctor->registry_answers, "the registry"},
        {NEEDS_IMAGE, doctor->digest != NULL, "the pushed image"},
    };
    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        if ((needs & rows[i].need) != 0 && !rows[i].has) {
            return rows[i].what;
        }
    }
    return NULL;
}

static void run(struct doctor *doctor, const struct station *station, const char *subject,
                const struct station_events *events)
{
    struct result result = {0};
    const char *needs = missing(doctor, station->needs);
    events->begun(events->ctx, station->name, subject);
    uint64_t begin_ns = uv_hrtime();
    if (needs != NULL && !doctor->stopping) {
        result.skipped = arena_printf(&doctor->arena, "needs %s", needs);
    } else {
        doctor_run(doctor, &result, station->deadline_ms, station->run, subject);
    }
    uint64_t ms = (uv_hrtime() - begin_ns) / (1000 * 1000);
    events->ended(events->ctx, station->name, subject, &result, ms);
}

static void add_subject(void *ctx, const char *name, _unused_ const char *cluster)
{
    strv_add_unique(ctx, name);
}

// What the station is run for. Without an engine nobody knows which nodes and clusters there are,
// but where the page should be.
static void subjects_of(const struct doctor *doctor, const struct station *station,
                        struct strv *ret)
{
    const struct config_ui *ui = &doctor->config->ui;
    if (str_equal(station->over, OVER_CACHES)) {
        for (const struct config_cache *cache = doctor->config->caches; cache->upstream != NULL;
             cache++) {
            strv_add(ret, cache->upstream);
        }
    } else if (station->over == NULL ||
               (doctor->engine == NULL && station->needs != NEEDS_NOTHING)) {
        strv_add(ret, "");
    } else if (doctor->engine != NULL) {
        doctor_kind(station->over)->keys_of(doctor->config, doctor->engine, true, add_subject, ret);
    } else if (ui->enabled && ui->check) {
        strv_add(ret, ui->url);
    }
}

void stations_run(struct doctor *doctor, const struct station_events *events)
{
    // Those over the same things follow each other: all of them for the first, then for the next.
    for (size_t i = 0, next; i < ELEMENTS(stations); i = next) {
        _cleanup_(strv_done) struct strv subjects = {0};
        next = i + 1;
        while (stations[i].over != NULL && next < ELEMENTS(stations) &&
               str_equal(stations[next].over, stations[i].over)) {
            next++;
        }
        subjects_of(doctor, &stations[i], &subjects);
        for (size_t subject = 0; subject < subjects.count; subject++) {
            for (size_t j = i; j < next; j++) {
                run(doctor, &stations[j], subjects.items[subject], events);
            }
        }
    }
    doctor->cleaning = true;
    if (doctor->pushing) {
        run(doctor, &cleanup, "", events);
    }
}
