/* SPDX-License-Identifier: Apache-2.0 */
/* An S3 server for tests, strict where real ones are strict and broken where
 * a script asks for it. In memory, one process, a thread a connection.
 *
 * It shares no line with the client: its own HTTP, XML, percent-coding and
 * SigV4, which it checks to the letter (date, scope, signed headers, payload
 * hash, presigned URLs, 15 minutes of skew). Conditions, ranges, multipart,
 * versions, checksums (it refuses a wrong one, keeps and returns them) follow
 * AWS. All functions may be called from any thread. */

#ifndef TESTS_S3SERVER_S3SERVER_H
#define TESTS_S3SERVER_S3SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct s3server;

/* How it differs from AWS, for all requests. */
enum s3server_quirk {
    S3SERVER_UNQUOTED_IF_MATCH = 1 << 0, /* A quoted one is 412 on PUT. */
    S3SERVER_ABSENT_IS_412 = 1 << 1,     /* If-Match without an object. */
    S3SERVER_LOSER_IS_500 = 1 << 2,      /* Of a race of conditional writes. */
    S3SERVER_NO_CONDITIONS = 1 << 3,     /* They are ignored on writes. */
    S3SERVER_NO_CHECKSUMS = 1 << 4,      /* Its headers are 400. */
    S3SERVER_NO_START_AFTER = 1 << 5,
    S3SERVER_SPACE_IS_PLUS = 1 << 6,        /* In lists, as AWS; else %20. */
    S3SERVER_SLASH_IS_CODED = 1 << 7,       /* In lists; AWS leaves it. */
    S3SERVER_NO_ENCODING = 1 << 8,          /* encoding-type is ignored. */
    S3SERVER_VERSIONS = 1 << 9,             /* Objects have version ids. */
    S3SERVER_UNORDERED = 1 << 10,           /* Lists as directory buckets do. */
    S3SERVER_NO_RANGE = 1 << 11,            /* 200 with the whole body. */
    S3SERVER_UNQUOTED_ETAGS = 1 << 12,      /* In headers and lists. */
    S3SERVER_NO_DELETE_CONDITION = 1 << 13, /* Ignored: it deletes. */
    S3SERVER_ANYBODY = 1 << 14,             /* Signatures are not looked at. */
    S3SERVER_SMALL_PARTS = 1 << 15,         /* Of less than 5 MiB. */
};

struct s3server_options {
    const char *access_key; /* NULL: "AKIDEXAMPLE" */
    const char *secret_key; /* NULL: "secret" */
    const char *token;      /* NULL: none is accepted. */
    const char *region;     /* NULL: "us-east-1" */
    const char *bucket;     /* Made at the start; NULL: "bucket" */
    const char *address;    /* IPv4; NULL: "127.0.0.1" */
    uint32_t quirks;
    bool is_tls; /* With a certificate made at the start. */
    bool is_cert_expired;
    uint32_t idle_ms;  /* Kept connections are closed; 0: 5000. */
    bool is_express;   /* A directory bucket: wants sessions. */
    uint64_t fixed_ms; /* Its clock stands there; 0: the real one. */
};

/* Start on a port that the kernel gives. Ends the test when that
 * fails. */
struct s3server *s3server_start(const struct s3server_options *options);
void s3server_stop(struct s3server **s);

const char *s3server_url(const struct s3server *s);     /* "http://ADDRESS:N" */
const char *s3server_ca_file(const struct s3server *s); /* PEM; TLS only. */

/* One fault. It strikes requests that match, after @skip of them, @count
 * times. */
enum s3server_act {
    S3SERVER_ANSWER,       /* @code or 500, <Error> of @error, @message. */
    S3SERVER_ANSWER_200,   /* 200, then <Error> with @error inside. */
    S3SERVER_SPACES,       /* 200, spaces for @ms, then <Error> (or, with no
                              @error, the right answer). */
    S3SERVER_DELAY,        /* @ms before the first byte. */
    S3SERVER_DRIP,         /* @bytes every @ms. */
    S3SERVER_STALL,        /* @bytes of the body, then nothing more. */
    S3SERVER_CUT,          /* @bytes of the body, then FIN. */
    S3SERVER_RESET,        /* @bytes of the body, then RST. */
    S3SERVER_CLOSE,        /* FIN instead of an answer. */
    S3SERVER_LOSE_ANSWER,  /* It is done; then FIN instead of an answer. */
    S3SERVER_SHORT_LENGTH, /* Content-Length is @bytes less than it should. */
    S3SERVER_LONG_LENGTH,  /* … more; the connection is then closed. */
    S3SERVER_WRONG_RANGE,  /* Content-Range is @bytes further on. */
    S3SERVER_IGNORE_RANGE,
    S3SERVER_CORRUPT,        /* The body's byte @bytes is flipped. */
    S3SERVER_RAW,            /* @message is all that is sent, then FIN. */
    S3SERVER_BODY,           /* 200 and @message as the body. */
    S3SERVER_REDIRECT,       /* @code or 301, x-amz-bucket-region: @message. */
    S3SERVER_REDIRECT_HOST,  /* 307 with Location: @message. */
    S3SERVER_SKEW,           /* Its clock is off by @ms for this request. */
    S3SERVER_OVERWRITE,      /* The object is overwritten first, by a byte. */
    S3SERVER_EXPIRE,         /* 400 ExpiredToken. */
    S3SERVER_ENDLESS_HEAD,   /* Header lines until the client hangs up. */
    S3SERVER_ENDLESS_BODY,   /* A chunked body until then. */
    S3SERVER_NO_ETAG,        /* The answer has none. */
    S3SERVER_DUPLICATE_PAGE, /* A list's page repeats the one before. */
    S3SERVER_UNSORTED_PAGE,
    S3SERVER_DELETE_ERROR, /* Of many, keys with @message in them (NULL: all)
                              have @error in the answer and stay. */
};

struct s3server_fault {
    const char *method; /* NULL: any. */
    const char *key;    /* Part of path or query; NULL: any. */
    uint32_t skip;
    uint32_t count; /* 0: all. */
    enum s3server_act act;
    int code;
    const char *error;
    const char *message;
    int64_t ms;
    uint64_t bytes;
};

/* Add a fault; of several that match, the first with strikes left counts. */
void s3server_fault(struct s3server *s, const struct s3server_fault *fault);
void s3server_clear(struct s3server *s); /* Forget all faults. */
void s3server_set_quirks(struct s3server *s, uint32_t quirks);

/* Read a fault from text, for the command: "GET key=/a skip=1 count=2
 * act=answer code=503 error=SlowDown". Values are percent-coded; the acts are
 * those above in small letters, "lose-answer". false: not understood, as when
 * it has no act. */
bool s3server_fault_text(struct s3server *s, const char *text);

/* Add quirks by their names, "no-range,versions", to @out. */
bool s3server_quirk_text(const char *text, uint32_t *out);

/* What happened: requests that match (NULL: any), connections made, bodies. */
uint64_t s3server_requests(struct s3server *s, const char *method,
                           const char *key);
uint64_t s3server_connections(struct s3server *s);
uint64_t s3server_uploads(struct s3server *s); /* Multipart, unfinished. */

/* The header @name of the last request; "" without. Copied. */
void s3server_last_header(struct s3server *s, const char *name, char out[256]);

/* Objects without a request. */
void s3server_put(struct s3server *s, const char *key, const void *body,
                  size_t size);
bool s3server_has(struct s3server *s, const char *key);

/* Requests that start with @path_prefix (not S3: metadata, STS, containers)
 * are answered by @code and @body (copied) until replaced, whoever signs them;
 * @method NULL: any. The longest prefix counts. Faults strike them, too. */
void s3server_page(struct s3server *s, const char *method,
                   const char *path_prefix, int code, const char *body);

#endif /* TESTS_S3SERVER_S3SERVER_H */
