/* SPDX-License-Identifier: Apache-2.0 */
/* The functions between the files of the S3 test server. Included by
 * s3server_srv.h only, after the types. */

#ifndef TESTS_S3SERVER_S3SERVER_CALLS_H
#define TESTS_S3SERVER_S3SERVER_CALLS_H

enum srv_error {
#define X(id, code, name, text) SRV_E_##id,
    SRV_ERRORS(X)
#undef X
};

/* s3server_conn.c: bytes, with TLS or without. false: the connection is of no
 * use any more. */
bool srv_conn_fill(struct srv_conn *c, uint32_t ms);
bool srv_conn_read(struct srv_conn *c, void *out, size_t size);
bool srv_conn_write(struct srv_conn *c, const void *at, size_t size);
/* Wait; false: the client hung up, or the server stops. @ms < 0: until so. */
bool srv_conn_wait(struct srv_conn *c, int64_t ms);
void srv_conn_finish(struct srv_conn *c, bool is_polite);
void srv_conn_reset(struct srv_conn *c);
void srv_conn_close(struct srv_conn *c);

/* s3server_tls.c */
void srv_tls_start(struct s3server *s, bool is_expired);
void srv_tls_stop(struct s3server *s);
bool srv_tls_accept(struct srv_conn *c);
long srv_tls_read(struct srv_conn *c, void *out, size_t size);
long srv_tls_write(struct srv_conn *c, const void *at, size_t size);
bool srv_tls_has_bytes(struct srv_conn *c);
void srv_tls_bye(struct srv_conn *c);
void srv_tls_free(struct srv_conn *c);

/* s3server_http.c */
bool srv_request_head(struct srv_request *r); /* false: no more requests. */
bool srv_request_body(struct srv_request *r, struct srv_answer *a);
bool srv_request_expects(const struct srv_request *r);
void srv_request_fini(struct srv_request *r);
const char *srv_header(const struct srv_request *r, const char *name);
const char *srv_param(const struct srv_request *r, const char *name);
bool srv_is(const struct srv_request *r, const char *method);

/* s3server_answer.c */
void srv_fail(struct srv_answer *a, enum srv_error e);
__attribute__((format(printf, 3, 4))) void srv_fail_say(struct srv_answer *a,
                                                        enum srv_error e,
                                                        const char *format,
                                                        ...);
void srv_extra(struct srv_answer *a, const char *name, const char *value);
__attribute__((format(printf, 3, 4))) void srv_set(struct srv_answer *a,
                                                   const char *name,
                                                   const char *format, ...);
void srv_xml_start(struct srv_answer *a, const char *root);
void srv_answer_finish(const struct srv_request *r, struct srv_answer *a);
void srv_answer_fini(struct srv_answer *a);
/* Send, as the fault has it. false: the connection is to be closed. */
bool srv_answer_send(struct srv_request *r, struct srv_answer *a);

/* s3server_act.c: what a fault says instead of, before, after the work. */
bool srv_act_instead(struct srv_request *r, struct srv_answer *a);
void srv_act_before_locked(struct srv_request *r);
bool srv_act_is(const struct srv_request *r, enum s3server_act act);
/* false: not sent; send as usual. */
bool srv_act_send(struct srv_request *r, struct srv_answer *a, bool *is_open);
void srv_act_change(struct srv_request *r, struct srv_answer *a);
void srv_answer_head(const struct srv_request *r, const struct srv_answer *a,
                     int64_t more, struct buf *out);

/* s3server_fault.c */
const struct srv_fault *srv_fault_choose_locked(const struct srv_request *r);
bool srv_matches(const char *method, const char *key,
                 const struct srv_seen *seen);

/* s3server_auth.c: false and an error in @a. */
bool srv_auth_check(struct srv_request *r, struct srv_answer *a);
bool srv_auth_payload(struct srv_request *r, struct srv_answer *a);
/* What must be known to check the chunks of a body. */
struct srv_signer {
    unsigned char key[32];
    char date[32];
    char scope[256];
    char signature[65];
};
void srv_sign(const unsigned char key[32], const char *text, char out[65]);

/* s3server_chunk.c: undo aws-chunked in the body. */
bool srv_chunk_decode(struct srv_request *r, struct srv_answer *a);

/* s3server_ops.c */
void srv_handle(struct srv_request *r, struct srv_answer *a);
uint64_t srv_now(const struct s3server *s);
bool srv_has_quirk(const struct srv_request *r, uint32_t quirk);
void srv_get(struct srv_request *r, struct srv_answer *a);
void srv_put(struct srv_request *r, struct srv_answer *a);
/* "&quot;etag&quot;" or "\"etag\"", or as the quirk has it. */
void srv_etag_xml(const struct srv_request *r, const char *etag,
                  struct buf *out);
void srv_etag_header(const struct srv_request *r, struct srv_answer *a,
                     const char *etag);
void srv_sum_header(struct srv_answer *a, const struct srv_sums *sums);
void srv_version_header(const struct srv_request *r, struct srv_answer *a,
                        const struct srv_version *v);
char *srv_meta(const struct srv_request *r);
/* Add a version of @key; returns it. It takes @blob's count. */
struct srv_version *srv_commit_locked(struct srv_request *r, const char *key,
                                      struct srv_blob *blob, const char *etag);

/* s3server_when.c */
void srv_when_note_locked(struct srv_request *r);
bool srv_when_write_locked(struct srv_request *r, const char *key,
                           struct srv_answer *a);
bool srv_when_read(const struct srv_request *r, const struct srv_version *v,
                   struct srv_answer *a);
bool srv_when_delete(const struct srv_request *r, const char *wanted,
                     const struct srv_version *v);
bool srv_etag_is_in(const char *list, const char *etag);

/* s3server_claim.c: checksums that a request names, Content-MD5. */
bool srv_claim_check(const struct srv_request *r, struct srv_answer *a,
                     enum srv_sum_kind *kind);
bool srv_claim_is_named(const struct srv_request *r);

/* s3server_list.c */
void srv_list(struct srv_request *r, struct srv_answer *a);

/* s3server_delete.c */
void srv_delete(struct srv_request *r, struct srv_answer *a);
void srv_delete_many(struct srv_request *r, struct srv_answer *a);

/* s3server_upload.c, s3server_complete.c */
void srv_upload_create(struct srv_request *r, struct srv_answer *a);
void srv_upload_part(struct srv_request *r, struct srv_answer *a);
void srv_upload_complete(struct srv_request *r, struct srv_answer *a);
void srv_upload_abort(struct srv_request *r, struct srv_answer *a);
void srv_upload_parts(struct srv_request *r, struct srv_answer *a);
void srv_upload_list(struct srv_request *r, struct srv_answer *a);
void srv_upload_free(struct srv_upload *u);
struct srv_upload *srv_upload_find_locked(const struct srv_request *r);

/* s3server_session.c: S3 Express. */
void srv_session_create(struct srv_request *r, struct srv_answer *a);

#endif /* TESTS_S3SERVER_S3SERVER_CALLS_H */
