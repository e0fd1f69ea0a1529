/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/line.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/take_link.h"
#include "proto/work.h"

static const struct option_row take_rows[] = {
    {"rank", "N", "of this host's ranks, from 0 [LOCAL_RANK or 0]"},
    {"done", "POSITION", "this unit is done; wait until that is durable"},
    {"skip", "POSITION", "this unit can't be used"},
    {"reason", "TEXT", "why it is skipped"},
    {"again", NULL, "what this rank took and has not done is handed out anew"},
    {"stop", NULL, "end this epoch early, for all hosts"},
    {"now", NULL, "do not wait for a unit; exit with 75 when none is here"},
    {"format", "WORD", "path or json: what is printed of a unit [path]"},
    {"each", NULL, "run the COMMAND for each unit of all epochs"},
    {"on-error", "WORD", "fail or skip: when the COMMAND fails [fail]"},
    {NULL, NULL, NULL},
};

const struct command command_take = {
    .name = "take",
    .usage = "CHANNEL [FLAGS]\n       smshard take CHANNEL --each [FLAGS] "
             "[--] COMMAND [ARGS]",
    .summary = "take the next unit of a dynamic channel (inside the job)",
    .rows = take_rows,
    .takes_words = true,
    .more =
        "Inside the command of 'smshard run' it prints the path of the next "
        "unit's file,\nwhich stays until --done. With --each it is a whole "
        "training loop: the path\nreplaces {} in ARGS, or comes last; what "
        "ends with 0 is done.\n\n"
        "    smshard take train --each -- python train_on.py {}\n\n"
        "Exit code: 0; 66 when the epoch has ended (the next call begins the "
        "next one);\n69 when all epochs are over; 75 when nothing is here "
        "(--now) or the feed has\ngone; 76 when what was done does not count, "
        "since another host has it now;\nwith --each that of the COMMAND "
        "that failed.\n",
    .run = take_main,
};

struct take {
    struct options before; /* Flags before the channel, */
    struct options after;  /* and after it. */
    const char *channel;
    char **command;
    bool is_json;
    bool skips;
    struct take_link *link;
    int exit_code; /* Of the command that failed. */
};

static const char *take_get(const struct take *t, const char *flag)
{
    const char *value = options_get(&t->after, flag);

    return value != NULL ? value : options_get(&t->before, flag);
}

static enum status take_number(const struct take *t, const char *flag,
                               struct fault *why, uint64_t *out)
{
    const struct options_range any = {0, UINT64_MAX};
    enum status s = options_number(&t->before, flag, any, why, out);

    return s == STATUS_OK ? options_number(&t->after, flag, any, why, out) : s;
}

/* Read one of two words given to @flag. */
static enum status take_word(const struct take *t, const char *flag,
                             const char *const words[2], struct fault *why,
                             bool *is_second)
{
    const char *value = take_get(t, flag);

    *is_second = value != NULL && strcmp(value, words[1]) == 0;
    if (value != NULL && !*is_second && strcmp(value, words[0]) != 0) {
        return fault_set(why, STATUS_USAGE, "--%s: '%s' is not %s or %s", flag,
                         value, words[0], words[1]);
    }
    return STATUS_OK;
}

static enum status take_check(struct take *t, struct fault *why)
{
    static const char *const alone[] = {"done", "skip", "stop", "each", "now"};
    uint32_t given = 0;

    for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++) {
        given += take_get(t, alone[i]) != NULL;
    }
    if (given > 1) {
        return fault_set(why, STATUS_USAGE,
                         "--done, --skip, --stop, --now and --each exclude "
                         "each other");
    }
    if (take_get(t, "each") != NULL && t->command[0] == NULL) {
        return fault_set(why, STATUS_USAGE, "--each: which command?");
    }
    if (take_get(t, "each") == NULL && t->command[0] != NULL) {
        return fault_set(why, STATUS_USAGE,
                         "unexpected '%s'; a command needs --each",
                         t->command[0]);
    }
    return STATUS_OK;
}

static enum status take_parse(struct take *t, char **argv, struct fault *why)
{
    static const char *const formats[2] = {"path", "json"};
    static const char *const errors[2] = {"fail", "skip"};
    enum status s = options_parse(&command_take, argv, why, &t->before);

    if (s != STATUS_OK) {
        return s;
    }
    if (t->before.word_count == 0) {
        return fault_set(why, STATUS_USAGE,
                         "which channel? see 'smshard take --help'");
    }
    t->channel = t->before.words[0];
    if (t->channel[strcspn(t->channel, " \r\n")] != '\0') {
        return fault_set(why, STATUS_USAGE, "'%s' is no channel's name",
                         t->channel);
    }
    s = options_parse(&command_take, t->before.words + 1, why, &t->after);
    if (s != STATUS_OK) {
        return s;
    }
    t->command = t->after.words;
    s = take_check(t, why);
    if (s == STATUS_OK) {
        s = take_word(t, "format", formats, why, &t->is_json);
    }
    return s == STATUS_OK ? take_word(t, "on-error", errors, why, &t->skips)
                          : s;
}

/* ---- The feed. -------------------------------------------------------------
 */

/* Turn an answer that is not what was hoped for into a status. */
static enum status take_judge(const struct take *t, const struct feed_answer *a,
                              struct fault *why)
{
    switch (a->word) {
    case FEED_OK:
    case FEED_IS_UNIT:
        return STATUS_OK;
    case FEED_REFUSED:
        return fault_set(why, STATUS_REFUSED,
                         "%s: it does not count: this host was taken for "
                         "lost, and another one has the unit",
                         t->channel);
    case FEED_EMPTY:
        return fault_set(why, STATUS_TIMEOUT, "%s: no unit is here now",
                         t->channel);
    case FEED_END:
        return fault_set(why, STATUS_EMPTY, "%s: epoch %" PRIu64 " has ended",
                         t->channel, a->epoch);
    case FEED_OVER:
        return fault_set(why, STATUS_STORE, "%s: all epochs are over",
                         t->channel);
    case FEED_ERROR:
    default:
        return fault_set(why, STATUS_INVALID, "%s: %.*s", t->channel,
                         (int)a->text.size, a->text.size > 0 ? a->text.at : "");
    }
}

/* Ask a line of the verb @verb. */
static enum status take_ask(struct take *t, const char *verb, struct fault *why,
                            struct feed_answer *out)
{
    enum status s = take_link_ask(t->link, why, out, "%s %s", verb, t->channel);

    return s == STATUS_OK ? take_judge(t, out, why) : s;
}

/* Say what became of the unit at @position. */
static enum status take_say(struct take *t, const char *verb, uint64_t position,
                            const char *reason, struct fault *why)
{
    struct feed_answer answer;
    enum status s = take_link_ask(
        t->link, why, &answer, "%s %s %" PRIu64 "%s%s", verb, t->channel,
        position, reason[0] != '\0' ? " " : "", reason);

    return s == STATUS_OK ? take_judge(t, &answer, why) : s;
}

static enum status take_word_alone(struct take *t, const char *line,
                                   struct fault *why)
{
    struct feed_answer answer;
    enum status s = take_link_ask(t->link, why, &answer, "%s", line);

    return s == STATUS_OK ? take_judge(t, &answer, why) : s;
}

static enum status take_connect(struct take *t, struct fault *why)
{
    const char *path = getenv("SMSHARD_SOCKET");
    const char *local = getenv("LOCAL_RANK");
    uint64_t rank = local != NULL ? strtoull(local, NULL, 10) : 0;
    enum status s = take_number(t, "rank", why, &rank);
    char line[64];

    if (s != STATUS_OK) {
        return s;
    }
    if (path == NULL || path[0] == '\0') {
        return fault_set(why, STATUS_USAGE,
                         "SMSHARD_SOCKET is not set: take works inside the "
                         "command of 'smshard run' with a dynamic channel");
    }
    s = take_link_open(path, why, &t->link);
    if (s == STATUS_OK) {
        snprintf(line, sizeof(line), "rank %" PRIu64, rank);
        s = take_word_alone(t, line, why);
    }
    return s;
}

/* ---- One unit. -------------------------------------------------------------
 */

static char *take_path(const struct feed_answer *a)
{
    char *path = mem_copy_text(a->text.at, a->text.size);

    feed_line_read_path(path);
    return path;
}

static void take_print(const struct take *t, const struct feed_answer *a)
{
    char *path = take_path(a);
    struct buf json = {0};

    if (!t->is_json) {
        printf("%s\n", path);
    } else {
        buf_print(&json,
                  "{\"epoch\": %" PRIu64 ", \"position\": %" PRIu64
                  ", \"lease\": %" PRIu64 ", \"size\": %" PRIu64 ", \"path\": ",
                  a->epoch, a->position, a->lease, a->size);
        json_write_string(bytes_of(path), &json);
        printf("%s}\n", buf_text(&json));
    }
    buf_fini(&json);
    free(path);
}

/* Units of this connection stay with the rank when it closes. */
static enum status take_once(struct take *t, struct fault *why)
{
    const char *reason = take_get(t, "reason");
    uint64_t position = 0;
    struct feed_answer answer;
    enum status s = take_word_alone(t, "keep", why);

    if (s == STATUS_OK && take_get(t, "again") != NULL) {
        s = take_word_alone(t, "again", why);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (take_get(t, "done") != NULL) {
        s = take_number(t, "done", why, &position);
        return s == STATUS_OK ? take_say(t, "commit", position, "", why) : s;
    }
    if (take_get(t, "skip") != NULL) {
        s = take_number(t, "skip", why, &position);
        return s == STATUS_OK ? take_say(t, "skip", position,
                                         reason != NULL ? reason : "", why)
                              : s;
    }
    if (take_get(t, "stop") != NULL) {
        return take_ask(t, "stop", why, &answer);
    }
    s = take_link_ask(t->link, why, &answer, "next %s%s", t->channel,
                      take_get(t, "now") != NULL ? " now" : "");
    s = s == STATUS_OK ? take_judge(t, &answer, why) : s;
    if (s == STATUS_OK) {
        take_print(t, &answer);
    }
    return s;
}

/* ---- Each unit. ------------------------------------------------------------
 */

/* @text with each {} replaced by @path. */
static char *take_fill(const char *text, const char *path, bool *has_path)
{
    struct buf out = {0};
    const char *hole;

    while ((hole = strstr(text, "{}")) != NULL) {
        buf_add(&out, text, (size_t)(hole - text));
        buf_add_text(&out, path);
        text = hole + 2;
        *has_path = true;
    }
    buf_add_text(&out, text);
    return buf_take(&out);
}

static char **take_arguments(char *const *command, const char *path)
{
    bool has_path = false;
    size_t count = 0;
    char **out;

    while (command[count] != NULL) {
        count++;
    }
    out = mem_new(count + 2, sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        out[i] = take_fill(command[i], path, &has_path);
    }
    if (!has_path) {
        out[count] = mem_copy(path);
    }
    return out;
}

/* Run the command on @path; its exit code, 128 + signal, 126 or 127. */
static int take_run(const struct take *t, const char *path)
{
    char **arguments = take_arguments(t->command, path);
    pid_t child = 0;
    int state = 0;
    int error =
        posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ);

    if (error != 0) {
        fprintf(stderr, "smshard: %s: %s\n", arguments[0], strerror(error));
    }
    for (size_t i = 0; arguments[i] != NULL; i++) {
        free(arguments[i]);
    }
    free(arguments);
    if (error != 0) {
        return status_exit_code(error == ENOENT ? STATUS_NO_COMMAND
                                                : STATUS_NOT_EXECUTABLE);
    }
    while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

static enum status take_work(struct take *t, const struct feed_answer *unit,
                             struct fault *why)
{
    uint64_t position = unit->position;
    char *path = take_path(unit);
    int code = take_run(t, path);
    char reason[64];
    enum status s;

    free(path);
    if (code == 0) {
        s = take_say(t, "commit", position, "", why);
    } else if (t->skips) {
        snprintf(reason, sizeof(reason), "the command ended with %d", code);
        s = take_say(t, "skip", position, reason, why);
    } else {
        t->exit_code = code;
        return fault_set(why, STATUS_STOPPED,
                         "%s: position %" PRIu64
                         ": the command ended with %d; the unit is handed "
                         "out anew",
                         t->channel, position, code);
    }
    if (s == STATUS_REFUSED) {
        fprintf(stderr, "smshard: %s\n", why->text);
        s = STATUS_OK;
    }
    return s;
}

static enum status take_each(struct take *t, struct fault *why)
{
    enum status s = STATUS_OK;

    while (s == STATUS_OK || s == STATUS_EMPTY) {
        struct feed_answer answer;

        s = take_ask(t, "next", why, &answer);
        if (s == STATUS_STORE) {
            return STATUS_OK; /* All epochs are over. */
        }
        if (s == STATUS_OK) {
            s = take_work(t, &answer, why);
        }
    }
    return s;
}

int take_main(int argc, char **argv)
{
    struct take *t = mem_new(1, sizeof(*t));
    struct fault why = {.text = ""};
    enum status s = take_parse(t, argv + 1, &why);
    int code;

    (void)argc;
    if (s == STATUS_OK) {
        s = take_connect(t, &why);
    }
    if (s == STATUS_OK) {
        s = take_get(t, "each") != NULL ? take_each(t, &why)
                                        : take_once(t, &why);
    }
    code = s == STATUS_OK ? 0 : command_fail(s, &why);
    code = t->exit_code != 0 ? t->exit_code : code;
    take_link_close(&t->link);
    options_fini(&t->before);
    options_fini(&t->after);
    free(t);
    return code;
}
