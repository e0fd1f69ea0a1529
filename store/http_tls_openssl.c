/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL reads through a BIO of our own: its socket BIO may raise SIGPIPE.
 * It reads ahead, so that one recv(2) brings many records.
 *
 * To read a file of trusted certificates takes tens of milliseconds, and every
 * lane has a handle for every source: those that are alive share what was
 * read. A context is not changed once it is set up, which makes it safe for
 * all threads. */
#include "store/http_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "base/mem.h"

enum { TLS_READ_AHEAD = 128 << 10 };

struct http_tls {
    struct http_tls *next;
    uint32_t users;
    char *ca_bundle; /* NULL: the system's. */
    SSL_CTX *context;
    BIO_METHOD *method;
};

static struct {
    pthread_mutex_t lock; /* Held while a file is read: who else wants it has
                             to wait for it anyway. */
    struct {
        struct http_tls *first; /* Those that are in use. */
    } locked;
} tls_process = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct http_tls_link {
    SSL *ssl;
    int fd;
    int error;      /* errno of the last call on the socket. */
    bool is_ended;  /* The socket said so. */
    bool is_cut;    /* The handshake ended by the transport. */
    bool is_broken; /* OpenSSL must not be asked again. */
};

/* ---- the BIO ------------------------------------------------------------ */

static int tls_bio_result(BIO *bio, struct http_tls_link *l, ssize_t n,
                          bool is_read)
{
    BIO_clear_retry_flags(bio);
    if (n >= 0) {
        l->is_ended = l->is_ended || (is_read && n == 0);
        return (int)n;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        if (is_read) {
            BIO_set_retry_read(bio);
        } else {
            BIO_set_retry_write(bio);
        }
        return -1;
    }
    l->error = errno;
    return -1;
}

static int tls_bio_read(BIO *bio, char *to, int size)
{
    struct http_tls_link *l = BIO_get_data(bio);

    return tls_bio_result(bio, l, recv(l->fd, to, (size_t)size, 0), true);
}

static int tls_bio_write(BIO *bio, const char *from, int size)
{
    struct http_tls_link *l = BIO_get_data(bio);

    return tls_bio_result(bio, l, send(l->fd, from, (size_t)size, MSG_NOSIGNAL),
                          false);
}

static long tls_bio_ctrl(BIO *bio, int command, long number, void *at)
{
    struct http_tls_link *l = BIO_get_data(bio);

    (void)number;
    (void)at;
    if (command == BIO_CTRL_EOF) {
        return l->is_ended;
    }
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int tls_bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *tls_bio_method(void)
{
    int type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK;
    BIO_METHOD *m = BIO_meth_new(type, "smshard socket");

    CHECK(m != NULL && BIO_meth_set_read(m, tls_bio_read) == 1 &&
          BIO_meth_set_write(m, tls_bio_write) == 1 &&
          BIO_meth_set_ctrl(m, tls_bio_ctrl) == 1 &&
          BIO_meth_set_create(m, tls_bio_create) == 1);
    return m;
}

/* ---- what is shared ----------------------------------------------------- */

static enum status tls_trust(SSL_CTX *context, const char *ca_bundle,
                             struct fault *why)
{
    if (ca_bundle == NULL) {
        return SSL_CTX_set_default_verify_paths(context) == 1
                   ? STATUS_OK
                   : fault_set(why, STATUS_OS,
                               "TLS: the system's trusted "
                               "certificates can't be read");
    }
    if (access(ca_bundle, R_OK) != 0) {
        return fault_set(why, STATUS_NOT_FOUND,
                         "%s: the file of trusted certificates can't be "
                         "read: %s",
                         ca_bundle, strerror(errno));
    }
    if (SSL_CTX_load_verify_file(context, ca_bundle) != 1) {
        return fault_set(why, STATUS_INVALID,
                         "%s: no certificates in it; it must be a PEM file "
                         "of trusted certificates",
                         ca_bundle);
    }
    return STATUS_OK;
}

static bool tls_configure(SSL_CTX *context)
{
    static const unsigned char protocols[] = "\x08http/1.1";

    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, TLS_READ_AHEAD);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_alpn_protos(context, protocols, sizeof(protocols) - 1) ==
               0;
}

static void tls_free(struct http_tls *t)
{
    SSL_CTX_free(t->context);
    BIO_meth_free(t->method);
    free(t->ca_bundle);
    free(t);
}

static enum status tls_make(const char *ca_bundle, struct fault *why,
                            struct http_tls **out)
{
    struct http_tls *t = mem_new(1, sizeof(*t));
    enum status s;

    ERR_clear_error();
    t->ca_bundle = ca_bundle != NULL ? mem_copy(ca_bundle) : NULL;
    t->method = tls_bio_method();
    t->context = SSL_CTX_new(TLS_client_method());
    if (t->context == NULL || !tls_configure(t->context)) {
        s = fault_set(why, STATUS_OS, "TLS: OpenSSL can't be set up");
    } else {
        s = tls_trust(t->context, ca_bundle, why);
    }
    ERR_clear_error();
    if (s != STATUS_OK) {
        tls_free(t);
        t = NULL;
    }
    *out = t;
    return s;
}

static bool tls_is_for(const struct http_tls *t, const char *ca_bundle)
{
    return t->ca_bundle == NULL || ca_bundle == NULL
               ? t->ca_bundle == ca_bundle
               : strcmp(t->ca_bundle, ca_bundle) == 0;
}

enum status http_tls_acquire(const char *ca_bundle, struct fault *why,
                             struct http_tls **out)
{
    struct http_tls *t;
    enum status s = STATUS_OK;

    CHECK(pthread_mutex_lock(&tls_process.lock) == 0);
    t = tls_process.locked.first;
    while (t != NULL && !tls_is_for(t, ca_bundle)) {
        t = t->next;
    }
    if (t == NULL) {
        s = tls_make(ca_bundle, why, &t);
        if (s == STATUS_OK) {
            t->next = tls_process.locked.first;
            tls_process.locked.first = t;
        }
    }
    if (t != NULL) {
        t->users++;
    }
    CHECK(pthread_mutex_unlock(&tls_process.lock) == 0);
    *out = t;
    return s;
}

void http_tls_release(struct http_tls **out)
{
    struct http_tls **at = &tls_process.locked.first;
    struct http_tls *t = *out;

    *out = NULL;
    if (t == NULL) {
        return;
    }
    CHECK(pthread_mutex_lock(&tls_process.lock) == 0);
    if (--t->users == 0) {
        while (*at != t) {
            CHECK(*at != NULL);
            at = &(*at)->next;
        }
        *at = t->next;
        tls_free(t);
    }
    CHECK(pthread_mutex_unlock(&tls_process.lock) == 0);
}

/* ---- one connection ----------------------------------------------------- */

static bool tls_is_address(const char *host)
{
    unsigned char to[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, to) == 1 ||
           inet_pton(AF_INET6, host, to) == 1;
}

static bool tls_expect(SSL *ssl, const char *host)
{
    bool is_set;
    char *name;

    if (tls_is_address(host)) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    name = mem_copy(host); /* It is copied, but the prototype does not say. */
    is_set = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
                      TLSEXT_NAMETYPE_host_name, name) == 1 &&
             SSL_set1_host(ssl, host) == 1;
    free(name);
    return is_set;
}

struct http_tls_link *http_tls_open(struct http_tls *t, int fd,
                                    const char *host)
{
    struct http_tls_link *l = mem_new(1, sizeof(*l));
    BIO *bio = BIO_new(t->method);

    ERR_clear_error();
    l->fd = fd;
    l->ssl = SSL_new(t->context);
    if (bio == NULL || l->ssl == NULL || !tls_expect(l->ssl, host)) {
        BIO_free(bio);
        l->is_broken = true;
        http_tls_close(&l, false);
        return NULL;
    }
    BIO_set_data(bio, l);
    SSL_set_bio(l->ssl, bio, bio);
    SSL_set_connect_state(l->ssl);
    return l;
}

static void tls_explain(struct http_tls_link *l, char *why)
{
    unsigned long code = ERR_peek_last_error();
    long verify = SSL_get_verify_result(l->ssl);
    const char *text = ERR_reason_error_string(code);

    if (l->error != 0) {
        text = strerror(l->error);
    } else if (l->is_ended) {
        text = "the peer closed the connection without ending TLS";
    } else if (!SSL_is_init_finished(l->ssl) && verify != X509_V_OK) {
        text = X509_verify_cert_error_string(verify);
    }
    snprintf(why, HTTP_WHY_MAX, "%s", text != NULL ? text : "TLS failed");
}

static enum http_link_state tls_state(struct http_tls_link *l, int result,
                                      char *why)
{
    switch (SSL_get_error(l->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return HTTP_LINK_READ;
    case SSL_ERROR_WANT_WRITE:
        return HTTP_LINK_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        snprintf(why, HTTP_WHY_MAX, "the peer closed the connection");
        return HTTP_LINK_END;
    default:
        l->is_cut = l->error != 0 || l->is_ended;
        l->is_broken = true;
        tls_explain(l, why);
        return HTTP_LINK_BROKEN;
    }
}

enum http_link_state http_tls_shake(struct http_tls_link *l, char *why)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(l->ssl);
    return result == 1 ? HTTP_LINK_OK : tls_state(l, result, why);
}

enum http_link_state http_tls_read(struct http_tls_link *l, void *to,
                                   size_t size, size_t *got, char *why)
{
    int result;

    ERR_clear_error();
    result = SSL_read_ex(l->ssl, to, size, got);
    return result == 1 ? HTTP_LINK_OK : tls_state(l, result, why);
}

enum http_link_state http_tls_write(struct http_tls_link *l, const void *from,
                                    size_t size, size_t *put, char *why)
{
    int result;

    ERR_clear_error();
    result = SSL_write_ex(l->ssl, from, size, put);
    return result == 1 ? HTTP_LINK_OK : tls_state(l, result, why);
}

bool http_tls_is_cut(const struct http_tls_link *l)
{
    return l->is_cut;
}

bool http_tls_has_more(const struct http_tls_link *l)
{
    return SSL_has_pending(l->ssl) == 1;
}

void http_tls_close(struct http_tls_link **l, bool is_polite)
{
    if (*l != NULL) {
        ERR_clear_error();
        if (is_polite && !(*l)->is_broken) {
            (void)SSL_shutdown((*l)->ssl);
        }
        SSL_free((*l)->ssl);
        ERR_clear_error();
        free(*l);
    }
    *l = NULL;
}
