/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/feed_line.h"

#include <string.h>

#include "proto/work.h"

enum feed_words {
    FEED_NOTHING,
    FEED_NUMBER,
    FEED_CHANNEL,
    FEED_CHANNEL_NOW,
    FEED_UNIT,
    FEED_UNIT_TEXT,
};

static const struct {
    const char *word;
    enum feed_words takes;
    const char *usage;
} feed_verbs[FEED_VERBS] = {
    [FEED_RANK] = {"rank", FEED_NUMBER, "rank N"},
    [FEED_KEEP] = {"keep", FEED_NOTHING, "keep"},
    [FEED_AGAIN] = {"again", FEED_NOTHING, "again"},
    [FEED_NEXT] = {"next", FEED_CHANNEL_NOW, "next CHANNEL [now]"},
    [FEED_DONE] = {"done", FEED_UNIT, "done CHANNEL POSITION"},
    [FEED_COMMIT] = {"commit", FEED_UNIT, "commit CHANNEL POSITION"},
    [FEED_SKIP] = {"skip", FEED_UNIT_TEXT, "skip CHANNEL POSITION REASON"},
    [FEED_STOP] = {"stop", FEED_CHANNEL, "stop CHANNEL"},
};

/* Cut the next word off @rest; it is empty at the end. */
static struct bytes feed_cut(struct bytes *rest)
{
    struct bytes word = *rest;
    const char *space =
        rest->size > 0 ? memchr(rest->at, ' ', rest->size) : NULL;

    if (space == NULL) {
        *rest = (struct bytes){rest->at, 0};
        return word;
    }
    word.size = (size_t)(space - word.at);
    *rest = (struct bytes){space + 1, rest->size - word.size - 1};
    return word;
}

static bool feed_number(struct bytes word, uint64_t *out)
{
    uint64_t n = 0;

    for (size_t i = 0; i < word.size; i++) {
        if (word.at[i] < '0' || word.at[i] > '9' ||
            __builtin_mul_overflow(n, 10U, &n) ||
            __builtin_add_overflow(n, (uint64_t)(word.at[i] - '0'), &n)) {
            return false;
        }
    }
    *out = n;
    return word.size > 0;
}

/* Read what follows the verb. */
static bool feed_line_rest(struct bytes rest, struct feed_line *l)
{
    enum feed_words takes = feed_verbs[l->verb].takes;

    if (takes == FEED_NUMBER) {
        return feed_number(rest, &l->number);
    }
    if (takes == FEED_NOTHING) {
        return rest.size == 0;
    }
    l->channel = feed_cut(&rest);
    if (takes == FEED_CHANNEL_NOW && bytes_is(rest, "now")) {
        l->is_now = true;
        rest.size = 0;
    }
    if (takes == FEED_UNIT || takes == FEED_UNIT_TEXT) {
        struct bytes word = feed_cut(&rest);

        if (!feed_number(word, &l->number)) {
            return false;
        }
    }
    if (takes == FEED_UNIT_TEXT) {
        l->text = rest;
        rest.size = 0;
    }
    return l->channel.size > 0 && rest.size == 0;
}

static enum status feed_line_unknown(struct bytes verb, struct fault *why)
{
    return fault_set(why, STATUS_MALFORMED,
                     "'%.*s' is none of rank, keep, again, next, done, commit, "
                     "skip, stop",
                     (int)(verb.size < 32 ? verb.size : 32),
                     verb.size > 0 ? verb.at : "");
}

enum status feed_line_read(struct bytes line, struct fault *why,
                           struct feed_line *out)
{
    struct bytes verb;

    *out = (struct feed_line){.verb = FEED_VERBS};
    if (line.size > 0 && line.at[line.size - 1] == '\r') {
        line.size--;
    }
    if (line.size > FEED_LINE_MAX) {
        return fault_set(why, STATUS_MALFORMED, "a line has at most %d bytes",
                         FEED_LINE_MAX);
    }
    if (line.size > 0 && memchr(line.at, '\0', line.size) != NULL) {
        return fault_set(why, STATUS_MALFORMED, "a line holds no NUL");
    }
    verb = feed_cut(&line);
    for (unsigned i = 0; i < FEED_VERBS; i++) {
        if (bytes_is(verb, feed_verbs[i].word)) {
            out->verb = (enum feed_verb)i;
        }
    }
    if (out->verb == FEED_VERBS) {
        return feed_line_unknown(verb, why);
    }
    if (!feed_line_rest(line, out)) {
        return fault_set(why, STATUS_MALFORMED, "not understood; it is: %s",
                         feed_verbs[out->verb].usage);
    }
    return STATUS_OK;
}

void feed_line_write_path(const char *path, struct buf *out)
{
    for (; *path != '\0'; path++) {
        unsigned char c = (unsigned char)*path;

        if (c <= ' ' || c == 0x7f || c == '%') {
            buf_print(out, "%%%02X", c);
        } else {
            buf_add_char(out, (char)c);
        }
    }
}

static int feed_hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

void feed_line_read_path(char *path)
{
    char *to = path;

    while (*path != '\0') {
        int high = *path == '%' ? feed_hex(path[1]) : -1;
        int low = high >= 0 ? feed_hex(path[2]) : -1;

        if (low >= 0) {
            *to++ = (char)(high * 16 + low);
            path += 3;
        } else {
            *to++ = *path++;
        }
    }
    *to = '\0';
}

/* ---- Answers. -------------------------------------------------------------
 */

static bool feed_answer_unit(struct bytes rest, struct feed_answer *a)
{
    uint64_t *const fields[] = {&a->epoch, &a->position, &a->lease, &a->size};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!feed_number(feed_cut(&rest), fields[i])) {
            return false;
        }
    }
    a->text = rest;
    return rest.size > 0 && memchr(rest.at, ' ', rest.size) == NULL;
}

static bool feed_answer_parse(struct bytes line, struct feed_answer *a)
{
    static const struct {
        const char *word;
        enum feed_word means;
    } rows[] = {
        {"ok", FEED_OK},        {"refused", FEED_REFUSED},
        {"empty", FEED_EMPTY},  {"over", FEED_OVER},
        {"end", FEED_END},      {"error", FEED_ERROR},
        {"unit", FEED_IS_UNIT},
    };
    struct bytes word = feed_cut(&line);
    size_t i = 0;

    while (i < sizeof(rows) / sizeof(rows[0]) &&
           !bytes_is(word, rows[i].word)) {
        i++;
    }
    if (i == sizeof(rows) / sizeof(rows[0])) {
        return false;
    }
    a->word = rows[i].means;
    if (a->word == FEED_IS_UNIT) {
        return feed_answer_unit(line, a);
    }
    if (a->word == FEED_END) {
        return feed_number(line, &a->epoch);
    }
    a->text = line;
    return a->word == FEED_ERROR || line.size == 0;
}

enum status feed_answer_read(struct bytes line, struct fault *why,
                             struct feed_answer *out)
{
    *out = (struct feed_answer){0};
    if (!feed_answer_parse(line, out)) {
        return fault_set(why, STATUS_MALFORMED,
                         "the feed's answer is not understood: '%.*s'",
                         (int)(line.size < 200 ? line.size : 200),
                         line.size > 0 ? line.at : "");
    }
    return STATUS_OK;
}
