/* SPDX-License-Identifier: Apache-2.0 */
/* Which fault strikes which request, and how one is written as text. */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

bool srv_matches(const char *method, const char *key,
                 const struct srv_seen *seen)
{
    return (method == NULL || strcmp(method, seen->method) == 0) &&
           (key == NULL || strstr(seen->target, key) != NULL ||
            strstr(seen->decoded, key) != NULL);
}

const struct srv_fault *srv_fault_choose_locked(const struct srv_request *r)
{
    struct srv_seen seen = {r->method, r->target, r->decoded.at, NULL};

    seen.decoded = r->decoded.at != NULL ? r->decoded.at : r->target;
    for (struct srv_fault *f = r->conn->s->locked.faults; f != NULL;
         f = f->next) {
        if (f->is_off || !srv_matches(f->f.method, f->f.key, &seen)) {
            continue;
        }
        if (f->seen++ < f->f.skip) {
            continue;
        }
        f->struck++;
        f->is_off = f->f.count > 0 && f->struck >= f->f.count;
        return f;
    }
    return NULL;
}

static char *fault_copy(const char *text)
{
    return text != NULL ? mem_copy(text) : NULL;
}

void s3server_fault(struct s3server *s, const struct s3server_fault *fault)
{
    struct srv_fault *f = mem_new(1, sizeof(*f));
    struct srv_fault **at = &s->locked.faults;

    f->f = *fault;
    f->f.method = fault_copy(fault->method);
    f->f.key = fault_copy(fault->key);
    f->f.error = fault_copy(fault->error);
    f->f.message = fault_copy(fault->message);
    pthread_mutex_lock(&s->lock);
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = f;
    pthread_mutex_unlock(&s->lock);
}

/* Faults stay until the server ends: a request may be under one. */
void s3server_clear(struct s3server *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct srv_fault *f = s->locked.faults; f != NULL; f = f->next) {
        f->is_off = true;
    }
    pthread_mutex_unlock(&s->lock);
}

void s3server_set_quirks(struct s3server *s, uint32_t quirks)
{
    pthread_mutex_lock(&s->lock);
    s->locked.quirks = quirks;
    pthread_mutex_unlock(&s->lock);
}

/* ---- as text ------------------------------------------------------------ */

static const char *const fault_acts[] = {
    [S3SERVER_ANSWER] = "answer",
    [S3SERVER_ANSWER_200] = "answer-200",
    [S3SERVER_SPACES] = "spaces",
    [S3SERVER_DELAY] = "delay",
    [S3SERVER_DRIP] = "drip",
    [S3SERVER_STALL] = "stall",
    [S3SERVER_CUT] = "cut",
    [S3SERVER_RESET] = "reset",
    [S3SERVER_CLOSE] = "close",
    [S3SERVER_LOSE_ANSWER] = "lose-answer",
    [S3SERVER_SHORT_LENGTH] = "short-length",
    [S3SERVER_LONG_LENGTH] = "long-length",
    [S3SERVER_WRONG_RANGE] = "wrong-range",
    [S3SERVER_IGNORE_RANGE] = "ignore-range",
    [S3SERVER_CORRUPT] = "corrupt",
    [S3SERVER_RAW] = "raw",
    [S3SERVER_BODY] = "body",
    [S3SERVER_REDIRECT] = "redirect",
    [S3SERVER_REDIRECT_HOST] = "redirect-host",
    [S3SERVER_SKEW] = "skew",
    [S3SERVER_OVERWRITE] = "overwrite",
    [S3SERVER_EXPIRE] = "expire",
    [S3SERVER_ENDLESS_HEAD] = "endless-head",
    [S3SERVER_ENDLESS_BODY] = "endless-body",
    [S3SERVER_NO_ETAG] = "no-etag",
    [S3SERVER_DUPLICATE_PAGE] = "duplicate-page",
    [S3SERVER_UNSORTED_PAGE] = "unsorted-page",
    [S3SERVER_DELETE_ERROR] = "delete-error",
};

/* In the order of their bits. */
static const char *const fault_quirks[] = {
    "unquoted-if-match", "absent-is-412",       "loser-is-500",
    "no-conditions",     "no-checksums",        "no-start-after",
    "space-is-plus",     "slash-is-coded",      "no-encoding",
    "versions",          "unordered",           "no-range",
    "unquoted-etags",    "no-delete-condition", "anybody",
    "small-parts",
};

enum { FAULT_TEXTS = 4 };

struct fault_words {
    struct s3server_fault f;
    struct buf texts[FAULT_TEXTS]; /* Method, key, error, message. */
    bool has_act;
};

static bool fault_act(struct fault_words *w, const char *name)
{
    for (size_t i = 0; i < sizeof(fault_acts) / sizeof(fault_acts[0]); i++) {
        if (strcmp(fault_acts[i], name) == 0) {
            w->f.act = (enum s3server_act)i;
            w->has_act = true;
            return true;
        }
    }
    return false;
}

static bool fault_number(struct s3server_fault *f, const char *name,
                         const char *value)
{
    bool is_minus = value[0] == '-' && strcmp(name, "ms") == 0;
    uint64_t number;

    if (!srv_number(value + is_minus, INT64_MAX, &number)) {
        return false;
    }
    if (strcmp(name, "skip") == 0) {
        f->skip = (uint32_t)number;
    } else if (strcmp(name, "count") == 0) {
        f->count = (uint32_t)number;
    } else if (strcmp(name, "code") == 0) {
        f->code = (int)number;
    } else if (strcmp(name, "ms") == 0) {
        f->ms = is_minus ? -(int64_t)number : (int64_t)number;
    } else if (strcmp(name, "bytes") == 0) {
        f->bytes = number;
    } else {
        return false;
    }
    return true;
}

static bool fault_word(struct fault_words *w, char *word)
{
    static const char *const names[FAULT_TEXTS] = {"method", "key", "error",
                                                   "message"};
    char *value = strchr(word, '=');

    if (value == NULL) {
        buf_clear(&w->texts[0]);
        buf_add_text(&w->texts[0], strcmp(word, "*") != 0 ? word : "");
        return true;
    }
    *value++ = '\0';
    for (size_t i = 0; i < FAULT_TEXTS; i++) {
        if (strcmp(word, names[i]) == 0) {
            return srv_percent_decode(value, strlen(value), false,
                                      &w->texts[i]);
        }
    }
    return strcmp(word, "act") == 0 ? fault_act(w, value)
                                    : fault_number(&w->f, word, value);
}

bool s3server_fault_text(struct s3server *s, const char *text)
{
    struct fault_words w = {.has_act = false};
    const char **const to[FAULT_TEXTS] = {&w.f.method, &w.f.key, &w.f.error,
                                          &w.f.message};
    char *copy = mem_copy(text);
    char *rest = copy;
    char *word;
    bool is_good = true;

    while ((word = strsep(&rest, " ")) != NULL) {
        is_good = (word[0] == '\0' || fault_word(&w, word)) && is_good;
    }
    for (size_t i = 0; i < FAULT_TEXTS; i++) {
        *to[i] = w.texts[i].size > 0 ? w.texts[i].at : NULL;
    }
    is_good = is_good && w.has_act;
    if (is_good) {
        s3server_fault(s, &w.f);
    }
    for (size_t i = 0; i < FAULT_TEXTS; i++) {
        buf_fini(&w.texts[i]);
    }
    free(copy);
    return is_good;
}

bool s3server_quirk_text(const char *text, uint32_t *out)
{
    size_t count = sizeof(fault_quirks) / sizeof(fault_quirks[0]);
    char *copy = mem_copy(text);
    char *rest = copy;
    char *word;
    bool is_good = true;

    while (is_good && (word = strsep(&rest, ",")) != NULL) {
        size_t i = 0;

        while (i < count && strcmp(fault_quirks[i], word) != 0) {
            i++;
        }
        is_good = i < count;
        *out |= is_good ? 1U << i : 0;
    }
    free(copy);
    return is_good;
}
