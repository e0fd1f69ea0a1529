/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate authority of one server, made at the start. */

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/s3server/s3server_srv.h"

enum { DAY_S = 86400 };

static void srv_tls_extend(X509 *cert, X509 *issuer, int nid, const char *text)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, text);
    CHECK(e != NULL);
    CHECK(X509_add_ext(cert, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static X509 *srv_tls_cert(const char *name, EVP_PKEY *key, X509 *issuer,
                          long until_s)
{
    static const unsigned char *common = (const unsigned char *)"smshard test ";
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);

    CHECK(X509_set_version(cert, 2) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer == NULL ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(cert), -2L * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(cert), until_s);
    CHECK(X509_set_pubkey(cert, key) == 1);
    CHECK(X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, common, -1, -1,
                                     0) == 1);
    CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                     (const unsigned char *)name, -1, -1,
                                     0) == 1);
    X509_set_issuer_name(cert, issuer == NULL ? subject
                                              : X509_get_subject_name(issuer));
    return cert;
}

static void srv_tls_save(struct s3server *s, X509 *ca)
{
    const char *folder = getenv("TMPDIR");
    int fd;
    FILE *file;

    snprintf(s->ca_file, sizeof(s->ca_file), "%s/s3server-ca-XXXXXX",
             folder != NULL ? folder : "/tmp");
    fd = mkstemp(s->ca_file);
    CHECK(fd >= 0);
    file = fdopen(fd, "w");
    CHECK(file != NULL);
    CHECK(PEM_write_X509(file, ca) == 1);
    CHECK(fclose(file) == 0);
}

void srv_tls_start(struct s3server *s, bool is_expired)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = srv_tls_cert("authority", ca_key, NULL, 30L * DAY_S);
    X509 *cert =
        srv_tls_cert("server", key, ca, is_expired ? -1L * DAY_S : 10L * DAY_S);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    srv_tls_extend(ca, ca, NID_basic_constraints, "critical,CA:TRUE");
    srv_tls_extend(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
    srv_tls_extend(ca, ca, NID_subject_key_identifier, "hash");
    srv_tls_extend(cert, ca, NID_subject_alt_name,
                   "IP:127.0.0.1,DNS:localhost,DNS:*.localhost");
    srv_tls_extend(cert, ca, NID_ext_key_usage, "serverAuth");
    CHECK(X509_sign(ca, ca_key, EVP_sha256()) > 0);
    CHECK(X509_sign(cert, ca_key, EVP_sha256()) > 0);
    CHECK(SSL_CTX_use_certificate(ctx, cert) == 1);
    CHECK(SSL_CTX_use_PrivateKey(ctx, key) == 1);
    srv_tls_save(s, ca);
    s->tls = ctx;
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
}

void srv_tls_stop(struct s3server *s)
{
    SSL_CTX_free(s->tls);
    if (s->ca_file[0] != '\0') {
        unlink(s->ca_file);
    }
}

bool srv_tls_accept(struct srv_conn *c)
{
    c->tls = SSL_new(c->s->tls);
    return c->tls != NULL && SSL_set_fd(c->tls, c->fd) == 1 &&
           SSL_accept(c->tls) == 1;
}

long srv_tls_read(struct srv_conn *c, void *out, size_t size)
{
    size_t got = 0;

    return SSL_read_ex(c->tls, out, size, &got) == 1 ? (long)got : 0;
}

long srv_tls_write(struct srv_conn *c, const void *at, size_t size)
{
    size_t put = 0;

    return SSL_write_ex(c->tls, at, size, &put) == 1 ? (long)put : 0;
}

bool srv_tls_has_bytes(struct srv_conn *c)
{
    return SSL_pending(c->tls) > 0;
}

void srv_tls_bye(struct srv_conn *c)
{
    SSL_shutdown(c->tls);
}

void srv_tls_free(struct srv_conn *c)
{
    SSL_free(c->tls);
    c->tls = NULL;
}
