/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/doctor.h"

enum { DOCTOR_SIGNAL_BASE = 128 };

static const struct option_row doctor_flags[] = {
    {"read-only", NULL, "write nothing: list, and read what is there"},
    {"quick", NULL, "neither speed nor the race of writers"},
    {"bytes", "N", "write and read an object of N bytes for speed [67108864]"},
    {"json", NULL, "print JSON, one line, at the end"},
    {NULL, NULL, NULL},
};

const struct command command_doctor = {
    .name = "doctor",
    .usage = "[FLAGS] STORE-URI",
    .summary = "check that a store is set up right for a job",
    .rows = doctor_flags,
    .takes_words = true,
    .more = "One line a check: ok, failed, not supported or skipped. What is "
            "written lies\nbelow smshard-doctor-... under the URI and is "
            "removed again. Exit code: 0 when\nnothing failed, else that of "
            "the first failure; 78 when the store lacks\nconditional writes, "
            "which jobs need.\n\n"
            "    smshard doctor s3://bucket/prefix\n",
    .run = doctor_main,
};

static void doctor_on_signal(int number)
{
    doctor_signal = number;
}

/* The first one stops and cleans up; the second one ends. */
static void doctor_catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = doctor_on_signal,
                               .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)sigaction(numbers[i], &action, NULL);
    }
    /* Whoever reads us may go away; what was written is removed all the
     * same. */
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
}

/* The URI may stand before the flags too. */
static enum status doctor_parse(char **argv, struct options *options,
                                struct fault *why, struct doctor_options *out)
{
    bool is_first = argv[0] != NULL && strncmp(argv[0], "--", 2) != 0;
    uint64_t bytes = 64 << 20;
    enum status s =
        options_parse(&command_doctor, argv + is_first, why, options);

    if (s == STATUS_OK) {
        s = options_number(options, "bytes",
                           (struct options_range){1, (uint64_t)1 << 36}, why,
                           &bytes);
    }
    if (s == STATUS_OK && options->word_count + is_first != 1) {
        s = fault_set(why, STATUS_USAGE,
                      "one STORE-URI is checked, such as s3://bucket/prefix "
                      "or file:///folder, before the flags or after them; see "
                      "'smshard doctor --help'");
    }
    if (s == STATUS_OK) {
        *out = (struct doctor_options){
            .uri = is_first ? argv[0] : options->words[0],
            .bytes = bytes,
            .is_read_only = options_get(options, "read-only") != NULL,
            .is_quick = options_get(options, "quick") != NULL,
            .is_json = options_get(options, "json") != NULL,
            .with_color = isatty(STDOUT_FILENO) == 1,
        };
    }
    return s;
}

int doctor_main(int argc, char **argv)
{
    struct doctor *d = mem_new(1, sizeof(*d));
    struct options options;
    struct fault why = {.text = ""};
    enum status s = doctor_parse(argv + 1, &options, &why, &d->options);
    int code;

    (void)argc;
    if (s == STATUS_OK) {
        log_init("-", LOG_ERROR); /* The lines say it. */
        doctor_catch_signals();
        s = doctor_run(d);
        code = s == STATUS_STOPPED ? DOCTOR_SIGNAL_BASE + doctor_signal
                                   : status_exit_code(s);
        if (d->options.is_json) {
            doctor_print_json(d, code);
        }
    } else {
        code = command_fail(s, &why);
    }
    doctor_fini(d);
    free(d);
    options_fini(&options);
    return code;
}
