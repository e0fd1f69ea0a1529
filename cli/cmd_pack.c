/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/amount.h"
#include "cli/commands.h"
#include "cli/pack.h"

enum { PACK_SIGNAL_BASE = 128, PACK_WORKERS = 4 };

#define PACK_SIZE_LEAST UINT64_C(1024)
#define PACK_SIZE_MOST (UINT64_C(1) << 40)
#define PACK_SIZE UINT64_C(150000000)

static const struct option_row pack_rows[] = {
    {"format", "WORD", "tar, recordio or tfrecord: how records lie [tar]"},
    {"size", "SIZE", "how large a shard gets, at most [150MB]"},
    {"prefix", "NAME", "what the shards' names begin with [shard]"},
    {"workers", "N", "shards that are made at once [4]"},
    {"force", NULL, "replace a pack that is there, or a part of one"},
    {NULL, NULL, NULL},
};

const struct command command_pack = {
    .name = "pack",
    .usage = "[FLAGS] SOURCE-URI TARGET-URI",
    .summary = "pack many small objects into few large ones",
    .rows = pack_rows,
    .takes_words = true,
    .more =
        "Shards are named NAME-000000.tar and so on, and hold the objects in "
        "the order of\ntheir keys; of a tar's samples none is torn apart. The "
        "index pack.json is written\nlast: without it a pack is not whole. "
        "Train on TARGET-URI/NAME- then.\n\n"
        "    smshard pack --format tar --size 150MB s3://bucket/images/ "
        "s3://bucket/packed\n",
    .run = pack_main,
};

static void pack_on_signal(int number)
{
    pack_signal = number;
}

/* The first one stops and cleans up; the second one ends. */
static void pack_catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = pack_on_signal,
                               .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)sigaction(numbers[i], &action, NULL);
    }
}

static enum status pack_read_format(const struct options *o, struct fault *why,
                                    enum framing *out)
{
    const char *text = options_get(o, "format");

    *out = FRAMING_TAR;
    if (text == NULL) {
        return STATUS_OK;
    }
    if (framing_parse(text, NULL, out) != STATUS_OK || *out == FRAMING_RAW ||
        *out == FRAMING_LINES) {
        return fault_set(why, STATUS_USAGE,
                         "--format: '%s' is not tar, recordio or tfrecord",
                         text);
    }
    return STATUS_OK;
}

static enum status pack_read_prefix(const struct options *o, struct fault *why,
                                    const char **out)
{
    const char *text = options_get(o, "prefix");

    *out = text != NULL ? text : "shard";
    if ((*out)[0] == '\0' || (*out)[0] == '.' || strchr(*out, '/') != NULL ||
        strlen(*out) > PACK_PREFIX_MAX) {
        return fault_set(why, STATUS_USAGE,
                         "--prefix: '%s' is not the start of a name: no '/', "
                         "no '.' first, 1 to %d bytes",
                         *out, PACK_PREFIX_MAX);
    }
    return STATUS_OK;
}

static enum status pack_read_size(const struct options *o, struct fault *why,
                                  uint64_t *out)
{
    const char *text = options_get(o, "size");

    *out = PACK_SIZE;
    return text == NULL ? STATUS_OK
                        : amount_parse("size", text,
                                       (struct amount_range){PACK_SIZE_LEAST,
                                                             PACK_SIZE_MOST},
                                       why, out);
}

/* Words may stand before the flags too: SOURCE TARGET FLAGS. */
static enum status pack_read_words(char **argv, struct fault *why,
                                   struct options *options,
                                   struct pack_options *out)
{
    int before = 0;
    enum status s;

    while (before < 2 && argv[before] != NULL &&
           strncmp(argv[before], "--", 2) != 0) {
        before++;
    }
    s = options_parse(&command_pack, argv + before, why, options);
    if (s != STATUS_OK) {
        return s;
    }
    if (options->word_count + (uint32_t)before != 2) {
        return fault_set(why, STATUS_USAGE,
                         "a SOURCE-URI and a TARGET-URI are wanted, such as "
                         "s3://bucket/images/ and s3://bucket/packed; see "
                         "'smshard pack --help'");
    }
    out->source = before > 0 ? argv[0] : options->words[0];
    out->target = before == 2 ? argv[1] : options->words[1 - before];
    return STATUS_OK;
}

static enum status pack_parse(char **argv, struct fault *why,
                              struct options *options, struct pack_options *out)
{
    uint64_t workers = PACK_WORKERS;
    enum status s = pack_read_words(argv, why, options, out);

    if (s == STATUS_OK) {
        s = pack_read_format(options, why, &out->format);
    }
    if (s == STATUS_OK) {
        s = pack_read_prefix(options, why, &out->prefix);
    }
    if (s == STATUS_OK) {
        s = pack_read_size(options, why, &out->size);
    }
    if (s == STATUS_OK) {
        s = options_number(options, "workers",
                           (struct options_range){1, PACK_WORKERS_MAX}, why,
                           &workers);
    }
    if (s != STATUS_OK) {
        return s;
    }
    out->workers = (uint32_t)workers;
    out->is_forced = options_get(options, "force") != NULL;
    out->with_progress = isatty(STDERR_FILENO) == 1;
    return STATUS_OK;
}

static void pack_tell(const struct pack *p)
{
    char bytes[AMOUNT_TEXT_MAX];

    printf("%" PRIu64 " objects in %" PRIu32 " shards, %s: %s%s%s-\n",
           catalog_count(p->listing.catalog), p->plan.count,
           amount_bytes(p->out_bytes, bytes), p->root_uri, buf_text(&p->folder),
           p->options.prefix);
    if (p->removed > 0) {
        printf("%" PRIu64 " shards of a former pack were removed\n",
               p->removed);
    }
    if (p->plan.unnamed > 0) {
        fprintf(stderr,
                "smshard: names without an ending, which readers of samples "
                "leave out: %" PRIu64 "\n",
                p->plan.unnamed);
    }
}

int pack_main(int argc, char **argv)
{
    struct pack *p = mem_new(1, sizeof(*p));
    struct options options;
    struct fault why = {.text = ""};
    enum status s = pack_parse(argv + 1, &why, &options, &p->options);
    int code = 0;

    (void)argc;
    if (s == STATUS_OK) {
        log_init("-", LOG_WARN);
        p->options.begin = pack_catch_signals;
        s = pack_run(p, &why);
    }
    if (s == STATUS_STOPPED && pack_signal != 0) {
        fprintf(stderr, "smshard: stopped; the pack is not whole\n");
        code = PACK_SIGNAL_BASE + pack_signal;
    } else if (s != STATUS_OK) {
        code = command_fail(s, &why);
    } else {
        pack_tell(p);
    }
    pack_fini(p);
    free(p);
    options_fini(&options);
    return code;
}
