/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the S3 test server share; s3server.h is the outside.
 *
 * Each connection has a thread, which owns its request and its answer. All of
 * `locked` belongs to s3server.lock; _locked in a name wants it held. What
 * files hold in bytes is counted (struct srv_blob), so that a body is sent
 * without the lock while its key is overwritten. */

#ifndef TESTS_S3SERVER_S3SERVER_SRV_H
#define TESTS_S3SERVER_S3SERVER_SRV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "tests/s3server/s3server.h"
#include "tests/s3server/s3server_errors.h"
#include "tests/s3server/s3server_keys.h"
#include "tests/s3server/s3server_sum.h"
#include "tests/s3server/s3server_text.h"

enum {
    SRV_HEAD_MAX = 64 << 10,
    SRV_BODY_MAX = 1 << 30,
    SRV_PAIRS_MAX = 128,
    SRV_HEADS_KEPT = 1024,
    SRV_READ_MS = 30000, /* The longest silence inside a request. */
    SRV_SKEW_MS = 900000,
    SRV_KEY_MAX = 1024,
    SRV_PARTS_MAX = 10000,
    SRV_PART_MIN = 5 << 20,
    SRV_SESSION_MS = 300000,
};

struct srv_conn {
    struct s3server *s;
    struct srv_conn *next; /* Under the lock, as are fd and is_done. */
    pthread_t thread;
    int fd;
    bool is_done;
    bool is_reset; /* It ends with a RST. */
    void *tls;     /* SSL; NULL on a plain connection. */
    char in[16384];
    size_t in_from;
    size_t in_to;
};

struct srv_pair {
    char *name;
    char *value;
};

struct srv_pairs {
    struct srv_pair at[SRV_PAIRS_MAX];
    size_t count;
};

struct srv_fault {
    struct s3server_fault f; /* Strings are owned. */
    struct srv_fault *next;
    uint32_t seen;
    uint32_t struck;
    bool is_off;
};

struct srv_request {
    struct srv_conn *conn;
    struct buf head;     /* As it came. */
    struct buf lines;    /* Cut into headers. */
    char *method;        /* In @lines. */
    char *target;        /* In @lines. */
    struct buf path;     /* Raw. */
    struct buf query;    /* Raw. */
    struct buf name;     /* The path, decoded. */
    struct buf decoded;  /* The target, decoded, for the log and faults. */
    struct buf param_at; /* What @params point into. */
    struct srv_pairs headers;
    struct srv_pairs params; /* Decoded. */
    const char *bucket;      /* "" without; in @name. */
    const char *key;         /* "" without; in @name. */
    bool is_old_http;
    bool is_malformed;
    struct buf body;
    struct srv_sums sums; /* Of the body. */
    struct buf trailers;  /* "name:value\n" of an aws-chunked body. */
    const struct srv_fault *fault;
    uint64_t now_ms;
    bool held_at_start; /* Conditions did, when the head had come. */
    bool was_there;
    struct srv_signer *signer; /* For signed chunks. */
};

struct srv_answer {
    int code;
    const char *error; /* Makes the body an <Error>. */
    char message[512];
    struct buf extra; /* Its other elements. */
    struct buf headers;
    struct buf body;
    struct srv_blob *blob; /* The body instead, from @from on, @size. */
    uint64_t from;
    uint64_t size;
    bool must_close;
};

struct srv_part {
    struct srv_part *next; /* Ascending. */
    uint32_t number;
    struct srv_blob *blob;
    char etag[48];
    struct srv_sums sums;
    uint64_t modified_ms;
};

struct srv_upload {
    struct srv_upload *next;
    char *key;
    char id[64];
    char *meta;
    enum srv_sum_kind kind;
    bool is_composite;
    uint64_t started_ms;
    struct srv_part *parts;
    char *result; /* Of the completion; NULL before. */
};

struct srv_page {
    struct srv_page *next;
    char *method;
    char *prefix;
    char *body;
    int code;
};

struct srv_seen {
    char *method;
    char *target;
    char *decoded;
    char *head;
};

struct srv_session {
    struct srv_session *next;
    char access[32];
    char secret[48];
    char token[64];
    uint64_t until_ms;
};

struct s3server {
    char *access;
    char *secret;
    char *token;
    char *region;
    char *bucket;
    bool is_tls;
    bool is_express;
    uint32_t idle_ms;
    uint64_t fixed_ms;
    int listen_fd;
    char url[64];
    char ca_file[128];
    void *tls; /* SSL_CTX */
    pthread_t acceptor;
    atomic_bool is_stopping;
    pthread_mutex_t lock;
    struct {
        atomic_uint quirks; /* Read without the lock, too. */
        struct srv_keys keys;
        struct srv_upload *uploads;
        struct srv_fault *faults;
        struct srv_page *pages;
        struct srv_session *sessions;
        struct srv_conn *conns;
        struct srv_seen *seen;
        size_t seen_count;
        size_t seen_room;
        uint64_t conn_count;
        uint64_t id;
    } locked;
};

#include "tests/s3server/s3server_calls.h"

#endif /* TESTS_S3SERVER_S3SERVER_SRV_H */
