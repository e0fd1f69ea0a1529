/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/job.h"

enum { OPTIONS_COLUMN = 28, OPTIONS_WIDTH = 79, OPTIONS_NAME_MAX = 64 };

/* What a command that takes a job reads before the job itself. */
static const struct option_row options_job_rows[] = {
    {"job", "FILE|JSON", "the CreateTrainingJob document"},
    {"base", "DIR", "stands for /opt/ml"},
    {NULL, NULL, NULL},
};

static const struct option_row options_common_rows[] = {
    {"help", NULL, "print this help"},
    {NULL, NULL, NULL},
};

static const struct option_row *options_in(const struct option_row *rows,
                                           const char *flag)
{
    for (; rows != NULL && rows->flag != NULL; rows++) {
        if (strcmp(rows->flag, flag) == 0) {
            return rows;
        }
    }
    return NULL;
}

/* Find what is known of @flag. *@has_value says whether it takes one. */
static bool options_find(const struct command *c, const char *flag,
                         bool *has_value)
{
    const struct option_row *row = options_in(c->rows, flag);

    if (row == NULL && c->takes_job) {
        row = options_in(options_job_rows, flag);
    }
    if (row == NULL) {
        row = options_in(options_common_rows, flag);
    }
    if (row != NULL) {
        *has_value = row->value != NULL;
        return true;
    }
    *has_value = true;
    return c->takes_job && job_knows_flag(flag);
}

/* Levenshtein's distance; names are short. */
static unsigned options_distance(const char *a, const char *b)
{
    unsigned row[OPTIONS_NAME_MAX + 1];
    size_t width = strlen(b);

    if (strlen(a) > OPTIONS_NAME_MAX || width > OPTIONS_NAME_MAX) {
        return OPTIONS_NAME_MAX;
    }
    for (unsigned j = 0; j <= width; j++) {
        row[j] = j;
    }
    for (unsigned i = 0; a[i] != '\0'; i++) {
        unsigned corner = row[0];

        row[0] = i + 1;
        for (unsigned j = 0; j < width; j++) {
            unsigned swap = corner + (a[i] != b[j]);
            unsigned best =
                row[j + 1] + 1 < row[j] + 1 ? row[j + 1] + 1 : row[j] + 1;

            corner = row[j + 1];
            row[j + 1] = swap < best ? swap : best;
        }
    }
    return row[width];
}

struct options_nearest {
    const char *wanted;
    const char *best;
    unsigned distance;
};

static void options_consider(struct options_nearest *n, const char *flag)
{
    unsigned distance = options_distance(n->wanted, flag);

    if (distance < n->distance) {
        n->distance = distance;
        n->best = flag;
    }
}

static void options_consider_all(struct options_nearest *n,
                                 const struct option_row *rows)
{
    for (; rows != NULL && rows->flag != NULL; rows++) {
        options_consider(n, rows->flag);
    }
}

static enum status options_unknown(const struct command *c, const char *flag,
                                   struct fault *why)
{
    struct options_nearest n = {flag, NULL, 4};

    options_consider_all(&n, c->rows);
    options_consider_all(&n, options_common_rows);
    if (c->takes_job) {
        options_consider_all(&n, options_job_rows);
        const char *more;
        const char *meaning;

        for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
            options_consider(&n, settings_row((enum setting)i)->flag);
        }
        for (uint32_t i = 0; (more = job_flag_at(i, &meaning)) != NULL; i++) {
            options_consider(&n, more);
        }
    }
    if (n.best != NULL) {
        return fault_set(why, STATUS_USAGE,
                         "unknown flag --%s; did you mean --%s?", flag, n.best);
    }
    return fault_set(why, STATUS_USAGE,
                     "unknown flag --%s; see 'smshard %s --help'", flag,
                     c->name);
}

/* Take the flag at *@argv, and its value, which moves *@argv on. */
static enum status options_take(const struct command *c, char ***argv,
                                struct fault *why, struct options *out)
{
    const char *text = **argv + 2;
    size_t size = strcspn(text, "=");
    char *flag = mem_copy_text(text, size);
    const char *value = text[size] == '=' ? text + size + 1 : NULL;
    bool has_value;

    CHECK(out->flag_count < OPTIONS_FLAGS_MAX);
    out->storage[out->flag_count] = flag;
    if (!options_find(c, flag, &has_value)) {
        out->flag_count++;
        return options_unknown(c, flag, why);
    }
    if (has_value && value == NULL && (*argv)[1] != NULL) {
        (*argv)++;
        value = **argv;
    }
    out->flags[out->flag_count++] =
        (struct setting_flag){flag, value != NULL ? value : ""};
    if (has_value && value == NULL) {
        return fault_set(why, STATUS_USAGE, "--%s needs a value", flag);
    }
    if (!has_value && value != NULL) {
        return fault_set(why, STATUS_USAGE, "--%s takes no value", flag);
    }
    return STATUS_OK;
}

enum status options_parse(const struct command *c, char **argv,
                          struct fault *why, struct options *out)
{
    enum status s;

    *out = (struct options){0};
    for (; *argv != NULL && strncmp(*argv, "--", 2) == 0; argv++) {
        if ((*argv)[2] == '\0') {
            argv++;
            break;
        }
        if (out->flag_count == OPTIONS_FLAGS_MAX) {
            return fault_set(why, STATUS_USAGE, "more than %d flags",
                             OPTIONS_FLAGS_MAX);
        }
        s = options_take(c, &argv, why, out);
        if (s != STATUS_OK) {
            return s;
        }
    }
    out->words = argv;
    while (argv[out->word_count] != NULL) {
        out->word_count++;
    }
    if (out->word_count > 0 && !c->takes_words) {
        return fault_set(why, STATUS_USAGE,
                         "unexpected '%s'; see 'smshard %s --help'", argv[0],
                         c->name);
    }
    return STATUS_OK;
}

void options_fini(struct options *o)
{
    for (uint32_t i = 0; i < o->flag_count; i++) {
        free(o->storage[i]);
    }
    *o = (struct options){0};
}

const char *options_get(const struct options *o, const char *flag)
{
    for (uint32_t i = o->flag_count; i > 0; i--) {
        if (strcmp(o->flags[i - 1].flag, flag) == 0) {
            return o->flags[i - 1].value;
        }
    }
    return NULL;
}

enum status options_number(const struct options *o, const char *flag,
                           struct options_range range, struct fault *why,
                           uint64_t *out)
{
    const char *text = options_get(o, flag);
    unsigned long long value;
    char *end;

    if (text == NULL) {
        return STATUS_OK;
    }
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' ||
        value < range.low || value > range.high) {
        return fault_set(why, STATUS_USAGE,
                         "--%s: '%s' is not a whole number from %llu to "
                         "%llu",
                         flag, text, (unsigned long long)range.low,
                         (unsigned long long)range.high);
    }
    *out = value;
    return STATUS_OK;
}

/* Append @text wrapped into the right-hand column. */
static void options_wrap(struct buf *out, size_t column, const char *text)
{
    size_t at = column;

    while (*text != '\0') {
        size_t word = strcspn(text, " ");

        if (at > OPTIONS_COLUMN && at + 1 + word > OPTIONS_WIDTH) {
            buf_print(out, "\n%*s", OPTIONS_COLUMN, "");
            at = OPTIONS_COLUMN;
        } else if (at > column) {
            buf_add_char(out, ' ');
            at++;
        }
        buf_add(out, text, word);
        at += word;
        text += word;
        text += *text == ' ';
    }
    buf_add_char(out, '\n');
}

static void options_help_row(struct buf *out, const struct option_row *row)
{
    size_t start = out->size;
    size_t used;

    buf_print(out, "  --%s%s%s", row->flag, row->value != NULL ? " " : "",
              row->value != NULL ? row->value : "");
    used = out->size - start;
    if (used + 2 > OPTIONS_COLUMN) {
        buf_print(out, "\n%*s", OPTIONS_COLUMN, "");
    } else {
        buf_print(out, "%*s", (int)(OPTIONS_COLUMN - used), "");
    }
    options_wrap(out, OPTIONS_COLUMN, row->meaning);
}

static void options_help_rows(struct buf *out, const struct option_row *rows)
{
    for (; rows != NULL && rows->flag != NULL; rows++) {
        options_help_row(out, rows);
    }
}

static const char *options_kind_word(const struct setting_row *row)
{
    switch (row->kind) {
    case SETTING_SECONDS:
        return "TIME";
    case SETTING_COUNT:
        return "N";
    case SETTING_SIZE:
        return "SIZE";
    case SETTING_TEXT:
    case SETTING_CHOICE:
        break;
    }
    return "WORD";
}

static void options_help_job(struct buf *out)
{
    const char *meaning;
    const char *flag;

    for (uint32_t i = 0; (flag = job_flag_at(i, &meaning)) != NULL; i++) {
        options_help_row(out, &(struct option_row){flag, "VALUE", meaning});
    }
}

static void options_help_settings(struct buf *out)
{
    for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting_row *row = settings_row((enum setting)i);
        char *meaning;

        if (row->kind == SETTING_CHOICE) {
            meaning = mem_print("%s: one of %s [%s]", row->meaning,
                                row->choices, row->fallback);
        } else if (row->fallback[0] != '\0') {
            meaning = mem_print("%s [%s]", row->meaning, row->fallback);
        } else {
            meaning = mem_copy(row->meaning);
        }
        options_help_row(out, &(struct option_row){
                                  row->flag, options_kind_word(row), meaning});
        free(meaning);
    }
}

void options_help(const struct command *c, struct buf *out)
{
    buf_print(out, "usage: smshard %s%s%s\n\n%s\n\n", c->name,
              c->usage[0] != '\0' ? " " : "", c->usage, c->summary);
    buf_add_text(out, "Flags:\n");
    options_help_rows(out, c->rows);
    options_help_rows(out, options_common_rows);
    if (c->takes_job) {
        buf_add_text(out, "\nThe job:\n");
        options_help_rows(out, options_job_rows);
        options_help_job(out);
        buf_add_text(out, "\nSettings (also as SMSHARD_... variables and "
                          "under \"Smshard\" in the document):\n");
        options_help_settings(out);
    }
    if (c->more != NULL) {
        buf_print(out, "\n%s", c->more);
    }
}
