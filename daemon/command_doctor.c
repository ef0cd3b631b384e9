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

#define LABEL_AT 19 // the column of a station's name, a cause, a cure
#define INDENT 21   // of what follows in the next line

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

static void print_wrapped(int at, const char *text)
{
    terminal_wrap(at, INDENT, text, terminal_width(), stdout);
}

static void print(enum outcome outcome, uint64_t ms, const char *what, const struct result *result)
{
    terminal_progress("");
    (void)printf("%s%-7s%s %6" PRIu64 " ms ", terminal_style(outcomes[outcome].style),
                 outcomes[outcome].word, terminal_style(STYLE_RESET), ms);
    print_wrapped(LABEL_AT - 1, what);
    for (size_t i = 0; i < result->fault_count; i++) {
        const struct fault *fault = &result->faults[i];
        bool last = i + 1 == result->fault_count || !str_equal(fault->cure, fault[1].cure);
        print_wrapped(printf("%*scause:", LABEL_AT, ""), fault->cause);
        if (last) {
            print_wrapped(printf("%*scure:", LABEL_AT, ""), fault->cure);
        }
    }
    (void)fflush(stdout);
}

static json_t *faults_json(const struct result *result)
{
    json_t *faults = json_array();
    for (size_t i = 0; i < result->fault_count; i++) {
        const struct fault *fault = &result->faults[i];
        (void)json_array_append_new(
            faults, json_pack("{s:s, s:s}", "cause", fault->cause, "cure", fault->cure));
    }
    return faults;
}

static void on_ended(void *ctx, const char *station, const char *subject,
                     const struct result *result, uint64_t ms)
{
    struct printer *printer = ctx;
    enum outcome outcome = result->fault_count > 0   ? FAILED
                           : result->skipped != NULL ? SKIPPED
                                                     : PROVED;
    const char *did = outcome == SKIPPED ? result->skipped : outcome == PROVED ? result->did : NULL;
    bool once = *subject == '\0';
    printer->counts[outcome]++;
    if (printer->stations == NULL) {
        _cleanup_free_ char *what = str_printf("%s%s%s%s%s", station, once ? "" : " ", subject,
                                               did == NULL ? "" : ": ", did == NULL ? "" : did);
        print(outcome, ms, what, result);
        return;
    }
    (void)json_array_append_new(printer->stations,
                                json_pack("{s:s, s:s?, s:s, s:s?, s:I, s:o}", "station", station,
                                          "subject", once ? NULL : subject, "result",
                                          outcomes[outcome].name, "did", did, "ms", (json_int_t)ms,
                                          "faults", faults_json(result)));
}

static void on_begun(void *ctx, const char *station, const char *subject)
{
    const struct printer *printer = ctx;
    if (printer->stations == NULL) {
        _cleanup_free_ char *line = str_printf("%s %s …", station, subject);
        terminal_progress(line);
    }
}

// The first station: NULL with every problem told, or the configuration.
static struct config *read_configuration(struct printer *printer, const struct options *options,
                                         const char *file)
{
    _cleanup_(problems_done) struct problems problems = {0};
    _cleanup_(arena_done) struct arena arena = {0};
    struct result result = {0};
    struct config *config = NULL;
    uint64_t begin_ns = uv_hrtime();
    if (config_load(file, options->config_file != NULL, &config_process_environment, &config,
                    &problems) < 0) {
        for (size_t i = 0; i < problems.count; i++) {
            _cleanup_free_ char *text = load_problem_text(file, &problems.items[i]);
            *ARENA_GROW(&arena, result.faults, result.fault_count) =
                (struct fault){arena_dup(&arena, text),
                               "edit the file; config/registryd.yaml has every key in words"};
        }
    } else {
        result.did =
            config->from_file ? file : arena_printf(&arena, "the defaults, without %s", file);
    }
    on_ended(printer, "configuration", "", &result, (uv_hrtime() - begin_ns) / (1000 * 1000));
    return config;
}

// why: it has not come to its end, "" where it has.
static int print_end(const struct printer *printer, const char *why)
{
    const unsigned *counts = printer->counts;
    bool complete = *why == '\0';
    if (printer->stations != NULL) {
        json_auto_t *document =
            json_pack("{s:O, s:i, s:i, s:i, s:b}", "stations", printer->stations, "proved",
                      (int)counts[PROVED], "failed", (int)counts[FAILED], "skipped",
                      (int)counts[SKIPPED], "complete", complete);
        terminal_json(document);
    } else {
        (void)printf("%s%u proved, %u failed, %u skipped\n", why, counts[PROVED], counts[FAILED],
                     counts[SKIPPED]);
    }
    return terminal_end() == EXIT_OK && counts[FAILED] == 0 && complete ? EXIT_OK : EXIT_FAILED;
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
        return print_end(&printer, "");
    }
    load_override(options, config);
    journal_open(config->log_level);
    struct doctor doctor;
    if (doctor_open(&doctor, config, options->timeout_ms) < 0) {
        return EXIT_FAILED;
    }
    const struct station_events events = {.begun = on_begun, .ended = on_ended, .ctx = &printer};
    stations_run(&doctor, &events);
    const char *why = doctor.timed_out ? "timed out: " : doctor.stopping ? "interrupted: " : "";
    doctor_close(&doctor);
    return print_end(&printer, why);
}
