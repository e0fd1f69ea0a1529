/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: `--flag value`, `--flag=value`, switches, and words.
 *
 * A command names its own flags in a table; the flags of the job (proto/job.h)
 * and of the settings (proto/settings.h) are added where it asks for them.
 * From the same tables `--help` is made. */

#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"
#include "proto/settings.h"

enum { OPTIONS_FLAGS_MAX = 256 };

struct option_row {
    const char *flag;  /* Without dashes; NULL ends a table. */
    const char *value; /* What stands for its value; NULL: a switch. */
    const char *meaning;
};

struct command {
    const char *name;
    const char *usage;   /* What follows "smshard NAME". */
    const char *summary; /* One line. */
    const struct option_row *rows;
    bool takes_job;   /* Job and settings flags too. */
    bool takes_words; /* Words after the flags (or after "--"). */
    const char *more; /* Paragraphs after the flags; may be NULL. */
    int (*run)(int argc, char **argv);
};

struct options {
    struct setting_flag flags[OPTIONS_FLAGS_MAX]; /* All, as given. */
    uint32_t flag_count;
    char **words; /* The rest; ends with NULL. */
    uint32_t word_count;
    char *storage[OPTIONS_FLAGS_MAX]; /* Private: split names. */
};

/* Read the arguments after the command's name into @out.
 * USAGE: unknown flag (with the nearest one), missing value, stray word. */
MUST_USE enum status options_parse(const struct command *c, char **argv,
                                   struct fault *why, struct options *out);
void options_fini(struct options *o);

/* The last value given to @flag, "" for a switch, NULL when not given. */
const char *options_get(const struct options *o, const char *flag);

/* Read a whole number of [low, high] given to @flag into @out, which keeps
 * its value when the flag was not given. USAGE: it is none. */
struct options_range {
    uint64_t low;
    uint64_t high;
};
MUST_USE enum status options_number(const struct options *o, const char *flag,
                                    struct options_range range,
                                    struct fault *why, uint64_t *out);

/* Append the command's help. */
void options_help(const struct command *c, struct buf *out);

#endif /* CLI_OPTIONS_H */
