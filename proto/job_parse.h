/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that put a job together share. Private to proto/job*.c.
 *
 * Every value arrives as text at a place and in a layer; a value of a lower
 * layer never replaces one of a higher, so the order in which the sources are
 * read does not matter. A value that loses is still checked. */

#ifndef PROTO_JOB_PARSE_H
#define PROTO_JOB_PARSE_H

#include "base/bytes.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/status.h"
#include "proto/job.h"

enum job_layer {
    JOB_LAYER_DEFAULT,
    JOB_LAYER_PLATFORM, /* inputdataconfig.json, checkpointconfig.json */
    JOB_LAYER_INIT_ALL,
    JOB_LAYER_INIT, /* init-config.json */
    JOB_LAYER_DOCUMENT_ALL,
    JOB_LAYER_DOCUMENT,
    JOB_LAYER_VARIABLE,
    JOB_LAYER_FLAG_ALL,
    JOB_LAYER_FLAG_CHANNEL, /* --channel NAME=… */
    JOB_LAYER_FLAG,
};

enum job_kind {
    JOB_KIND_URI,
    JOB_KIND_WORD,
    JOB_KIND_NUMBER,
    JOB_KIND_TEXT,
    JOB_KIND_LIST,
    JOB_KIND_FLAG, /* yes or no */
    JOB_KIND_NAME,
    JOB_KIND_COUNT, /* From 0 to the row's longest. */
};
enum job_scope {
    JOB_SCOPE_ONE,
    JOB_SCOPE_ALL,
    JOB_SCOPE_FLAGGED,
    JOB_SCOPE_SAID
};

struct job_row {
    const char *flag;
    const char *document;
    const char *variable;
    enum job_kind kind;
    size_t longest;
    const char *fallback;
    enum job_scope scope;
    const char *meaning;
};
const struct job_row *job_field_row(enum job_field f);
const struct job_row *job_key_row(enum job_key k);

/* How one of the four documents spells a channel. */
enum job_style { JOB_STYLE_REQUEST, JOB_STYLE_INIT, JOB_STYLE_INPUT };

struct job_maker {
    struct job *job;
    const struct job_input *input;
    struct fault *why;
    /* Of what is being read now: */
    const char *file;
    enum job_style style;
    const char *channel; /* Or NULL. */
};

/* Where a value stands, as messages say it: "job.json:12: channel train:
 * InputMode ". */
struct job_place {
    const char *origin;
    const char *channel; /* NULL: of the job. */
    const char *label;   /* NULL: the origin is a flag or variable itself. */
    enum job_layer layer;
};

enum { JOB_ORIGIN_MAX = 320 };

/* Write "<file>:<line>". */
void job_origin_of(const char *file, const struct json *v,
                   char out[JOB_ORIGIN_MAX]);

/* Refuse with INVALID: "<place>: <rest>". */
__attribute__((format(printf, 3, 4))) enum status job_refuse(
    struct fault *why, const struct job_place *at, const char *format, ...);

/* Find @text in the NULL-terminated @words; case, '_' and '-' do not count,
 * since the platform itself writes both "S3Prefix" and "S3_PREFIX". */
bool job_word_find(const char *const *words, struct bytes text, uint32_t *out);

/* The words of a field or key of kind WORD. */
const char *const *job_field_words(enum job_field f);
extern const char *const job_output_words[];

/* Code points of @text. */
size_t job_characters(struct bytes text);

/* Check a value that any kind but LIST allows. INVALID; UNSUPPORTED. */
MUST_USE enum status job_check_value(const struct job_row *row,
                                     const char *const *words,
                                     struct bytes text,
                                     const struct job_place *at,
                                     struct fault *why);
MUST_USE enum status job_check_uri(struct bytes uri, const struct job_place *at,
                                   struct fault *why);

/* Give a channel's field, or a key of the job, the value @text; a LIST is
 * divided at its commas. INVALID; UNSUPPORTED. */
MUST_USE enum status job_set_field(struct job_channel *c, enum job_field f,
                                   struct bytes text,
                                   const struct job_place *at,
                                   struct fault *why);
MUST_USE enum status job_set_key(struct job *job, enum job_key k,
                                 struct bytes text, const struct job_place *at,
                                 struct fault *why);

struct job_items {
    const struct bytes *at;
    size_t count;
};

/* The same for a LIST. */
MUST_USE enum status job_set_list(struct job_channel *c, enum job_field f,
                                  struct job_items items,
                                  const struct job_place *at,
                                  struct fault *why);

/* Find the channel @name or add it. INVALID: not a name, or one too many. */
MUST_USE enum status job_need_channel(struct job_maker *m, struct bytes name,
                                      const struct job_place *at,
                                      struct job_channel **out);

/* Read the fields of the channel @c from @v, in the style of @m. */
MUST_USE enum status job_read_channel(struct job_maker *m, const struct json *v,
                                      struct job_channel *c);

/* Set *@out to the member at the dotted @path below @v, or to NULL when it, or
 * one on the way to it, is absent or null. INVALID: one on the way is no
 * object, or the last is not of @type (JSON_NULL: any). */
MUST_USE enum status job_json_find(struct job_maker *m, const struct json *v,
                                   const char *path, enum json_type type,
                                   const struct json **out);

/* Set *@out to the text of the scalar @v: a string, or for a NUMBER digits,
 * or for a FLAG true and false. INVALID: of another type. */
MUST_USE enum status job_json_text(struct job_maker *m, const struct json *v,
                                   enum job_kind kind,
                                   const struct job_place *at,
                                   struct bytes *out);

/* The last part of a dotted path. */
const char *job_json_label(const char *path);

/* Read @text into *@out; its root is an object, and @m now speaks of it.
 * MALFORMED; INVALID; FULL. */
MUST_USE enum status job_json_read(struct job_maker *m,
                                   const struct job_text *text,
                                   struct json_doc **out);

/* Refuse a member of the "Smshard" object @v that is not in @words, of the
 * channel of @m if there is one. */
MUST_USE enum status job_check_words(struct job_maker *m, const struct json *v,
                                     const char *const *words, size_t count);

/* Read key @k of the job from the dotted @path below @v, when it is there. */
MUST_USE enum status job_read_key(struct job_maker *m, const struct json *v,
                                  const char *path, enum job_key k,
                                  enum job_layer layer);

/* Give every channel that has not said it the field @f. */
MUST_USE enum status job_set_all(struct job_maker *m, enum job_field f,
                                 struct bytes text, const struct job_place *at);

/* The sources, each into the job. */
MUST_USE enum status job_read_request(struct job_maker *m,
                                      const struct job_text *text);
MUST_USE enum status job_read_init(struct job_maker *m,
                                   const struct job_text *text);
MUST_USE enum status job_read_input(struct job_maker *m,
                                    const struct job_text *text);
MUST_USE enum status job_read_checkpoint(struct job_maker *m,
                                         const struct job_text *text);
MUST_USE enum status job_read_flag_channels(struct job_maker *m);
MUST_USE enum status job_read_variables(struct job_maker *m);
MUST_USE enum status job_read_flags(struct job_maker *m);

/* Defaults of keys; those of channels, and their order; then what a field
 * allows another to be. */
MUST_USE enum status job_finish_keys(struct job_maker *m);
MUST_USE enum status job_finish(struct job_maker *m);
MUST_USE enum status job_check(struct job_maker *m);

#endif /* PROTO_JOB_PARSE_H */
