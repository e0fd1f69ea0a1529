/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a store is set up right for a job: checks, one after the other,
 * each with its line.
 *
 * What is written lies below one folder with a random name under the prefix,
 * and doctor_clean() removes it, whatever happened before. A check that needs
 * what an earlier one has not shown is skipped, with the reason. Blocking;
 * one thread. */

#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crc.h"
#include "base/fault.h"
#include "base/status.h"
#include "store/s3_bucket.h"
#include "store/store.h"
#include "store/store_uri.h"

/* Id, name, the ids that it needs, whether it writes. In order. */
#define DOCTOR_MAP(X)                                                          \
    X(SETTINGS, "settings", 0, false)                                          \
    X(CREDENTIALS, "credentials", DOCTOR_BIT(SETTINGS), false)                 \
    X(REACH, "reach", DOCTOR_BIT(SETTINGS), false)                             \
    X(CLOCK, "clock", DOCTOR_BIT(REACH), false)                                \
    X(LIST, "list", DOCTOR_BIT(CREDENTIALS) | DOCTOR_BIT(REACH), false)        \
    X(PUT, "put", DOCTOR_BIT(CREDENTIALS) | DOCTOR_BIT(REACH), true)           \
    X(HEAD, "head", DOCTOR_BIT(PUT), true)                                     \
    X(GET, "get", DOCTOR_BIT(CREDENTIALS) | DOCTOR_BIT(REACH), false)          \
    X(RANGE, "ranged get", DOCTOR_BIT(PUT), true)                              \
    X(DELETE, "delete", DOCTOR_BIT(PUT), true)                                 \
    X(CHECKSUM, "checksum kept", DOCTOR_BIT(HEAD), true)                       \
    X(IF_ABSENT, "if absent", DOCTOR_BIT(PUT), true)                           \
    X(IF_MATCH, "if match", DOCTOR_BIT(PUT), true)                             \
    X(ONE_WINNER, "one winner", DOCTOR_BIT(PUT), true)                         \
    X(IF_DELETE, "delete if match", DOCTOR_BIT(PUT), true)                     \
    X(MULTIPART, "multipart", DOCTOR_BIT(PUT), true)                           \
    X(ABORT, "multipart abort", DOCTOR_BIT(MULTIPART), true)                   \
    X(WRITE_1, "write, 1 at once", DOCTOR_BIT(ABORT), true)                    \
    X(WRITE_8, "write, 8 at once", DOCTOR_BIT(WRITE_1), true)                  \
    X(READ_1, "read, 1 at once", DOCTOR_BIT(WRITE_1), true)                    \
    X(READ_8, "read, 8 at once", DOCTOR_BIT(WRITE_1), true)                    \
    X(READ_32, "read, 32 at once", DOCTOR_BIT(WRITE_1), true)                  \
    X(CLEAN, "clean up", 0, true)

enum doctor_check {
#define X(id, name, needs, writes) DOCTOR_##id,
    DOCTOR_MAP(X)
#undef X
        DOCTOR_CHECKS
};
#define DOCTOR_BIT(id) (1U << DOCTOR_##id)

enum doctor_result {
    DOCTOR_NONE, /* Not come to. */
    DOCTOR_OK,
    DOCTOR_FAILED,
    DOCTOR_UNSUPPORTED, /* The store does not have it; warns only. */
    DOCTOR_SKIPPED,
};

struct doctor_line {
    enum doctor_result result;
    enum status status; /* Of a failure. */
    const char *root;   /* The failure for which it was skipped; or NULL. */
    char text[FAULT_TEXT_MAX];
    int64_t ms; /* What was measured; -1: nothing. */
    uint64_t bytes;
    double bytes_per_s;
};

struct doctor_options {
    const char *uri;
    uint64_t bytes; /* Of the object that is read and written for speed. */
    bool is_read_only;
    bool is_quick;
    bool is_json;
    bool with_color; /* And what is under way, on the same line. */
};

enum { DOCTOR_PROBE_BYTES = 4096 };

struct doctor {
    struct doctor_options options;
    struct store_uri place;   /* Taken apart for writing. */
    struct s3_bucket *bucket; /* NULL: not S3. */
    struct store *store;
    struct buf prefix;
    uint64_t nonce;
    char *folder; /* "<prefix>smshard-doctor-<nonce>/". */
    char *made;   /* The folder that was there before; NULL: all were. */
    struct doctor_line lines[DOCTOR_CHECKS];

    bool may_be_left; /* Something may be below the folder. */
    bool is_cleaning; /* A stop is not heeded. */
    bool is_versioned;
    char upload_key[STORE_KEY_MAX + 1]; /* Of an open upload, "": none. */
    char upload[STORE_UPLOAD_MAX];

    char probe[DOCTOR_PROBE_BYTES];
    char probe_etag[STORE_ETAG_MAX];
    struct crc probe_sum;              /* As the store keeps it. */
    char first_key[STORE_KEY_MAX + 1]; /* As listed; "": none. */
    uint64_t first_size;
    uint64_t speed_bytes; /* Of the object to read. */
    int64_t offset_ms;    /* Server's clock minus ours. */
    bool knows_offset;
    uint64_t asked_ms; /* What the last doctor_ask() took. */
};

/* Set by a signal: stop, clean up, end. */
extern volatile sig_atomic_t doctor_signal;

/* Carry out every check and print it. OK; otherwise the status of the first
 * failure. */
MUST_USE enum status doctor_run(struct doctor *d);
void doctor_fini(struct doctor *d);

/* ---- Between the parts of doctor. */

/* Set the line of @check: a failure, or anything else. What was measured is
 * set beside it by whoever did. */
void doctor_fail(struct doctor *d, enum doctor_check check, enum status s,
                 const struct fault *why);
__attribute__((format(printf, 4, 5))) void doctor_note(
    struct doctor *d, enum doctor_check check, enum doctor_result result,
    const char *format, ...);

/* Submit @r and wait for its event; STOPPED: a signal came, the request may
 * still be under way and the store must be closed. */
enum status doctor_ask(struct doctor *d, const struct store_request *r,
                       struct store_event *e);
/* Wait for an event of what is in flight. false: none came, and none will, or
 * a signal came. */
bool doctor_wait(struct doctor *d, struct store_event *e);

/* "<folder><name>" into @out; returns it. */
const char *doctor_key(const struct doctor *d, const char *name,
                       char out[STORE_KEY_MAX + 1]);

typedef void doctor_check_fn(struct doctor *d);
doctor_check_fn doctor_settings, doctor_credentials, doctor_reach, doctor_clock;
doctor_check_fn doctor_list, doctor_put, doctor_head, doctor_get, doctor_range;
doctor_check_fn doctor_delete, doctor_checksum, doctor_conditions;
doctor_check_fn doctor_multipart, doctor_abort, doctor_write_1, doctor_write_8;
doctor_check_fn doctor_read_1, doctor_read_8, doctor_read_32, doctor_clean;

/* doctor_report.c: how it looks. */
const char *doctor_name(enum doctor_check check);
void doctor_print_head(const struct doctor *d);
void doctor_print_busy(const struct doctor *d, enum doctor_check check);
void doctor_print_line(const struct doctor *d, enum doctor_check check);
void doctor_print_sum(const struct doctor *d);
void doctor_print_json(const struct doctor *d, int exit_code);

#endif /* CLI_DOCTOR_H */
