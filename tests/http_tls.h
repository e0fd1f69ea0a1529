/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of a day's life for the tests of HTTPS, and the TLS side of a
 * peer (http_peer.h). */

#ifndef TESTS_HTTP_TLS_H
#define TESTS_HTTP_TLS_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tests/http_peer.h"

struct tls_ca {
    EVP_PKEY *key;
    X509 *cert;
    char path[32]; /* Of the PEM file. */
};

static inline void tls_extend(X509 *cert, X509 *issuer, int nid,
                              const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    EXPECT(e != NULL && X509_add_ext(cert, e, -1) == 1);
    X509_EXTENSION_free(e);
}

/* Not signed yet. Good from yesterday for @days more than that. */
static inline X509 *tls_cert_new(const char *name, EVP_PKEY *key, X509 *issuer,
                                 int days)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);

    EXPECT(X509_set_version(cert, 2) == 1);
    EXPECT(ASN1_INTEGER_set(X509_get_serialNumber(cert), days + 100) == 1);
    EXPECT(X509_time_adj_ex(X509_getm_notBefore(cert), -2, 0, NULL) != NULL);
    EXPECT(X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, NULL) != NULL);
    EXPECT(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                      (const unsigned char *)name, -1, -1,
                                      0) == 1);
    EXPECT(X509_set_pubkey(cert, key) == 1);
    EXPECT(X509_set_issuer_name(
               cert, X509_get_subject_name(issuer != NULL ? issuer : cert)) ==
           1);
    return cert;
}

static inline void tls_ca_start(struct tls_ca *ca)
{
    FILE *f;
    int fd;

    snprintf(ca->path, sizeof(ca->path), "/tmp/test-http-XXXXXX");
    fd = mkstemp(ca->path);
    f = fdopen(fd, "w");
    ca->key = EVP_EC_gen("P-256");
    ca->cert = tls_cert_new(ca->path, ca->key, NULL, 1);
    tls_extend(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE");
    EXPECT(X509_sign(ca->cert, ca->key, EVP_sha256()) > 0);
    EXPECT(f != NULL && PEM_write_X509(f, ca->cert) == 1);
    fclose(f);
}

static inline void tls_ca_stop(struct tls_ca *ca)
{
    unlink(ca->path);
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
}

/* A server's side for @names ("IP:127.0.0.1"), expired for negative @days. */
static inline SSL_CTX *tls_server_new(const struct tls_ca *ca,
                                      const char *names, int days)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = tls_cert_new("test server", key, ca->cert, days);

    tls_extend(cert, ca->cert, NID_subject_alt_name, names);
    EXPECT(X509_sign(cert, ca->key, EVP_sha256()) > 0);
    EXPECT(SSL_CTX_use_certificate(ctx, cert) == 1);
    EXPECT(SSL_CTX_use_PrivateKey(ctx, key) == 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ctx;
}

/* NULL: the client did not like it. */
static inline SSL *peer_handshake(const struct peer *p, SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);
    sigset_t pipe;

    /* Only in this thread: the client has to get along without. */
    EXPECT(sigemptyset(&pipe) == 0 && sigaddset(&pipe, SIGPIPE) == 0);
    EXPECT(pthread_sigmask(SIG_BLOCK, &pipe, NULL) == 0);
    EXPECT(SSL_set_fd(ssl, p->fd) == 1);
    if (SSL_accept(ssl) == 1) {
        return ssl;
    }
    SSL_free(ssl);
    return NULL;
}

/* Read the head of a request without a body. false: the client has closed. */
static inline bool peer_tls_request(SSL *ssl)
{
    struct buf head = {0};
    char c;

    while (!bytes_has_suffix(buf_bytes(&head), BYTES("\r\n\r\n")) &&
           SSL_read(ssl, &c, 1) == 1) {
        buf_add_char(&head, c);
    }
    c = (char)bytes_has_suffix(buf_bytes(&head), BYTES("\r\n\r\n"));
    buf_fini(&head);
    return c != 0;
}

#endif /* TESTS_HTTP_TLS_H */
