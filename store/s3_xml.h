/* SPDX-License-Identifier: Apache-2.0 */
/* The XML that S3 answers with.
 *
 * A page of a listing is read by a scanner of our own, in place and without
 * a copy; whatever it does not expect it hands to expat (s3_xml_expat.c),
 * which reads the same page slowly and decides. Small answers go through
 * expat only. Document types, entities beyond the five of XML and numeric
 * ones, depth over 32 and sizes over the limits are MALFORMED. Pure.
 *
 * Where the scanner answers OK, expat reads the same, but for one thing: a
 * reference to a control character (&#x1;), which XML 1.0 does not have and
 * servers send, is decoded by the scanner and refused by expat. Known fields
 * that come twice in one place, or hold elements, are MALFORMED; elements
 * that are not known are skipped wherever they stand. */

#ifndef STORE_S3_XML_H
#define STORE_S3_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "store/store.h"

enum {
    S3_LIST_BYTES_MAX = 16 << 20,
    S3_XML_BYTES_MAX = 4 << 20, /* Of any other answer. */
    S3_CODE_MAX = 64,
    S3_TEXT_MAX = 256,
};

/* One page. Views point into the page's own bytes, or into @spare. */
struct s3_list {
    struct store_object objects[STORE_LIST_MAX];
    uint32_t object_count;
    struct bytes prefixes[STORE_LIST_MAX]; /* CommonPrefixes. */
    uint32_t prefix_count;
    bool is_truncated;
    bool is_unordered; /* Keys did not grow strictly. */
    bool has_archived; /* Some object is in an archive class. */
    struct bytes next; /* NextContinuationToken; empty without one. */
    struct buf spare;  /* Owned: what expat decoded. */
};

/* Read @size bytes at @page, which are spoilt, into @out (whose @spare may
 * hold memory from before). Keys are decoded when the page says
 * EncodingType=url; they are bytes, UTF-8 or not. Etags keep their quotes, and
 * get them where a server leaves them out; they hold no control characters.
 * MALFORMED: not such a page, or more than STORE_LIST_MAX entries of a kind,
 * or truncated without a way to go on; STORE: it is an error
 * document (200 with <Error>); the caller reads it with s3_error_parse(),
 * for which @page is then unspoilt. */
MUST_USE enum status s3_list_parse(char *page, size_t size, struct fault *why,
                                   struct s3_list *out);

/* The two readers by themselves, for tests and fuzzing; what needs all keys
 * (their order, their sizes, a way to go on) is left to s3_list_parse(). The
 * scanner answers UNSUPPORTED where it would fall back, and has not changed
 * @page then; MALFORMED when a key is not coded as it says. */
MUST_USE enum status s3_list_scan(char *page, size_t size, struct s3_list *out);
MUST_USE enum status s3_list_expat(const char *page, size_t size,
                                   struct fault *why, struct s3_list *out);
void s3_list_fini(struct s3_list *l);

/* <Error>. Texts are cut to size and made one line. */
struct s3_error {
    char code[S3_CODE_MAX]; /* "" when the body is no such document. */
    char message[S3_TEXT_MAX];
    char region[64];
    char endpoint[S3_TEXT_MAX];
    char bucket[S3_CODE_MAX];
    char storage_class[S3_CODE_MAX];
    char server_time[32];
    char request_id[S3_CODE_MAX];
};

/* Read an error document, STS's too; false when @body is none or not whole. */
bool s3_error_parse(struct bytes body, struct s3_error *out);

/* The text of the first element named @path ("InitiateMultipartUploadResult/
 * UploadId", from the root down), appended to @out.
 * MALFORMED: not XML; NOT_FOUND: no such element; STORE: an <Error>. */
MUST_USE enum status s3_xml_text(struct bytes body, const char *path,
                                 struct fault *why, struct buf *out);

/* Whether @body is a document whose outermost element is @root. */
bool s3_xml_is(struct bytes body, const char *root);

/* Call @each for every element @path with the texts of its children, the
 * first S3_XML_CHILDREN_MAX of them; another status than OK ends the walk and
 * is returned. The views live until @each returns. MALFORMED, STORE: as for
 * s3_xml_text(), after the calls for what came before. */
struct s3_xml_child {
    struct bytes name;
    struct bytes text;
};
enum { S3_XML_CHILDREN_MAX = 16 };
typedef enum status s3_xml_each_fn(void *self,
                                   const struct s3_xml_child *children,
                                   size_t count, struct fault *why);
MUST_USE enum status s3_xml_each(struct bytes body, const char *path,
                                 s3_xml_each_fn *each, void *self,
                                 struct fault *why);

/* The text of @name among @children, empty when it is not there. */
struct bytes s3_xml_child(const struct s3_xml_child *children, size_t count,
                          const char *name);

/* Append @raw escaped for an element's text; control bytes as &#xN;. */
void s3_xml_escape(struct bytes raw, struct buf *out);

/* Milliseconds since 1970 of "2026-01-31T12:00:00.000Z" and its relatives
 * (no fraction, offset +hh:mm), and of "Sat, 31 Jan 2026 12:00:00 GMT".
 * 0: not understood. */
uint64_t s3_time_iso(struct bytes text);
uint64_t s3_time_http(struct bytes text);

#endif /* STORE_S3_XML_H */
