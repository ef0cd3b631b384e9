// doctor: uses everything once, the whole way, and says of each station what it did, or why not and
// what to do. A person reads a line as each ends, a program a document at the end.
#include "daemon/commands.h"
#include "daemon/doctor/stations.h"
#include "daemon/journal.h"
#include "daemon/load.h"
#include "daemon/terminal.h"
#include "lib/base/str.h"

#include <inttypes.h>
#include <stdio.h>

struct printer {
    json_t *stations; // NULL: a line each is printed
    unsigned counts[3];
};

// By the index in printer.counts.
enum outcome { PROVED, FAILED, SKIPPED };

static const struct {
    const char *word;
    const char *name; // in JSON
    enum style style;
} outcomes[] = {
    [PROVED] = {"ok", "proved", STYLE_GREEN},
    [FAILED] = {"FAILED", "failed", STYLE_RED},
    [SKIPPED] = {"skipped", "skipped", STYLE_RESET},
};

static enum outcome outcome_of(const struct result *result)
{
    return result->fault_count > 0 ? FAILED : result->skipped != NULL ? SKIPPED : PROVED;
}

static json_t *faults_json(const struct result *result)
{
    json_t *faults = json_array();
    for (size_t i = 0; i < result->fault_count; i++) {
        (void)json_array_append_new(faults,
                                    json_pack("{s:s, s:s}", "cause", result->faults[i].cause,
                                              "cure", result->faults[i].cure));
    }
    return faults;
}

static void print(const char *station, const char *subject, enum outcome outcome,
                  const struct result *result, uint64_t ms)
{
    const char *did = outcome == SKIPPED ? result->skipped : outcome == PROVED ? result->did : NULL;
    terminal_progress("");
    (void)printf("%s%-7s%s %6" PRIu64 " ms  %s%s%s%s%s\n", terminal_style(outcomes[outcome].style),
                 outcomes[outcome].word, terminal_style(STYLE_RESET), ms, station,
                 *subject == '\0' ? "" : " ", subject, did == NULL ? "" : ": ",
                 did == NULL ? "" : did);
    for (size_t i = 0; i < result->fault_count; i++) {
        const struct fault *fault = &result->faults[i];
        bool last = i + 1 == result->fault_count || !str_equal(fault->cure, fault[1].cure);
        (void)printf("%19scause: %s\n", "", fault->cause);
        if (last) {
            (void)printf("%19scure: %s\n", "", fault->cure);
        }
    }
    (void)fflush(stdout);
}

static void add_result(struct printer *printer, const char *station, const char *subject,
                       const struct result *result, uint64_t ms)
{
    enum outcome outcome = outcome_of(result);
    printer->counts[outcome]++;
    if (printer->stations == NULL) {
        print(station, subject, outcome, result, ms);
        return;
    }
    const char *did = outcome == SKIPPED ? result->skipped : outcome == PROVED ? result->did : NULL;
    (void)json_array_append_new(printer->stations,
                                json_pack("{s:s, s:s?, s:s, s:s?, s:I, s:o}", "station", station,
                                          "subject", *subject == '\0' ? NULL : subject, "result",
                                          outcomes[outcome].name, "did", did, "ms", (json_int_t)ms,
                                          "faults", faults_json(result)));
}

static void on_begun(void *ctx, const struct station *station, const char *subject)
{
    const struct printer *printer = ctx;
    if (printer->stations == NULL) {
        _cleanup_free_ char *line = str_printf("%s %s …", station->name, subject);
        terminal_progress(line);
    }
}

static void on_ended(void *ctx, const struct station *station, const char *subject,
                     const struct result *result, uint64_t ms)
{
    add_result(ctx, station->name, subject, result, ms);
}

// The first station: NULL with every problem told, or the configuration.
static struct config *read_configuration(struct printer *printer, const struct options *options,
                                         const char *file)
{
    _cleanup_(problems_done) struct problems problems = {0};
    struct result result = {0};
    struct config *config = NULL;
    uint64_t begin_ns = uv_hrtime();
    if (config_load(file, options->config_file != NULL, &config_process_environment, &config,
                    &problems) < 0) {
        for (size_t i = 0; i < problems.count; i++) {
            _cleanup_free_ char *text = load_problem_text(file, &problems.items[i]);
            *ARENA_GROW(&result.arena, result.faults, result.fault_count) =
                (struct fault){arena_dup(&result.arena, text),
                               "edit the file; config/registryd.yaml has every key in words"};
        }
    } else {
        result.did = config->from_file
                         ? file
                         : arena_printf(&result.arena, "the defaults, without %s", file);
    }
    add_result(printer, "configuration", "", &result, (uv_hrtime() - begin_ns) / (1000 * 1000));
    arena_done(&result.arena);
    return config;
}

static int print_end(struct printer *printer, bool timed_out, bool interrupted)
{
    const unsigned *counts = printer->counts;
    const char *end = timed_out ? "timed out: " : interrupted ? "interrupted: " : "";
    if (printer->stations != NULL) {
        json_auto_t *document =
            json_pack("{s:O, s:i, s:i, s:i, s:b}", "stations", printer->stations, "proved",
                      (int)counts[PROVED], "failed", (int)counts[FAILED], "skipped",
                      (int)counts[SKIPPED], "complete", !timed_out && !interrupted);
        terminal_json(document);
    } else {
        (void)printf("%s%u proved, %u failed, %u skipped\n", end, counts[PROVED], counts[FAILED],
                     counts[SKIPPED]);
    }
    bool good = counts[FAILED] == 0 && !timed_out && !interrupted;
    return terminal_end(0) == 0 && good ? EXIT_OK : EXIT_FAILED;
}

int command_doctor(const struct options *options)
{
    _cleanup_free_ char *file = load_file_name(options);
    if (file == NULL) {
        return EXIT_CONFIGURATION;
    }
    json_auto_t *stations = (options->given & OPTION_JSON) != 0 ? json_array() : NULL;
    struct printer printer = {.stations = stations};
    _cleanup_(config_freep) struct config *config = read_configuration(&printer, options, file);
    if (config == NULL) {
        return print_end(&printer, false, false);
    }
    load_override(options, config);
    journal_open(config->log_level);
    struct doctor doctor;
    if (doctor_open(&doctor, config, options->timeout_ms) < 0) {
        return EXIT_FAILED;
    }
    const struct station_events events = {.begun = on_begun, .ended = on_ended, .ctx = &printer};
    stations_run(&doctor, &events);
    bool timed_out = doctor.timed_out;
    bool interrupted = doctor.stopping && !timed_out;
    doctor_close(&doctor);
    return print_end(&printer, timed_out, interrupted);
}
