/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/http_kit.h"
#include "tests/http_tls.h"

static SSL_CTX *tls;
static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void serve_tls(struct peer *p)
{
    SSL *ssl = peer_handshake(p, tls);

    while (ssl != NULL && peer_tls_request(ssl)) {
        EXPECT(SSL_write(ssl, ok, sizeof(ok) - 1) == sizeof(ok) - 1);
    }
    SSL_free(ssl);
}

/* "https://127.0.0.1:port" */
static const char *https(const struct server *s, char out[64])
{
    snprintf(out, 64, "https://127.0.0.1:%u", s->port);
    return out;
}

TEST(certificates)
{
    static const struct {
        const char *names;
        int days;
        bool is_other_ca;
        enum http_result want;
    } rows[] = {
        {"IP:127.0.0.1", 1, false, HTTP_DONE},
        {"DNS:localhost,IP:127.0.0.1", 1, false, HTTP_DONE},
        {"DNS:other.example", 1, false, HTTP_TLS},
        {"IP:127.0.0.2", 1, false, HTTP_TLS},
        {"IP:127.0.0.1", -1, false, HTTP_TLS},
        {"IP:127.0.0.1", 1, true, HTTP_TLS},
    };
    struct tls_ca ca;
    struct tls_ca other;

    tls_ca_start(&ca);
    tls_ca_start(&other);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_options options = {
            .ca_bundle = rows[i].is_other_ca ? other.path : ca.path};
        struct http h = client_new(options);
        struct http_request r;
        struct http_event e;
        struct server s;
        char origin[64];

        tls = tls_server_new(&ca, rows[i].names, rows[i].days);
        server_start(&s, serve_tls);
        r = client_get(https(&s, origin), "/");
        e = client_ask(&h, &r);
        fprintf(stderr, "%zu: %s\n", i, e.why);
        expect_result(&e, rows[i].want);
        if (rows[i].want == HTTP_DONE) {
            expect_bytes(e.body, "ok");
            e = client_ask(&h, &r);
            EXPECT(e.is_reused);
        }
        http_destroy(&h);
        server_stop(&s);
        SSL_CTX_free(tls);
    }
    tls_ca_stop(&ca);
    tls_ca_stop(&other);
}

TEST(nobody_knows_our_own_authority)
{
    struct http h = client_new((struct http_options){0});
    struct http_request r;
    struct http_event e;
    struct tls_ca ca;
    struct server s;
    char origin[64];

    tls_ca_start(&ca);
    tls = tls_server_new(&ca, "IP:127.0.0.1", 1);
    server_start(&s, serve_tls);
    r = client_get(https(&s, origin), "/");
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_TLS);
    http_destroy(&h);
    server_stop(&s);
    SSL_CTX_free(tls);
    tls_ca_stop(&ca);
}

/* Closes, or resets, after the client's first bytes. */
static void serve_broken_handshake(struct peer *p)
{
    char byte;

    EXPECT(recv(p->fd, &byte, 1, 0) == 1);
    if (p->number % 2 == 1) {
        peer_reset(p);
    }
}

TEST(broken_handshake_is_no_matter_of_trust)
{
    struct http h = client_new((struct http_options){0});
    struct http_request r;
    struct http_event e;
    struct server s;
    char origin[64];

    server_start(&s, serve_broken_handshake);
    r = client_get(https(&s, origin), "/");
    for (int i = 0; i < 2; i++) {
        e = client_ask(&h, &r);
        expect_result(&e, HTTP_CONNECT);
    }
    http_destroy(&h);
    server_stop(&s);
}

static void serve_plain(struct peer *p)
{
    char bytes[512];

    (void)recv(p->fd, bytes, sizeof(bytes), 0);
    peer_say(p, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
    while (recv(p->fd, bytes, sizeof(bytes), 0) > 0) {
    }
}

TEST(plain_server)
{
    struct http h = client_new((struct http_options){0});
    struct http_request r;
    struct http_event e;
    struct server s;
    char origin[64];

    server_start(&s, serve_plain);
    r = client_get(https(&s, origin), "/");
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_TLS);
    http_destroy(&h);
    server_stop(&s);
}

/* Ten connections answer when all are there; then they say farewell as TLS
 * has it, which libcurl does not take for an end. */
enum { TEN = 10 };
static void serve_ten(struct peer *p)
{
    SSL *ssl = peer_handshake(p, tls);

    EXPECT(ssl != NULL);
    while (peer_tls_request(ssl)) {
        if (p->number >= TEN) {
            EXPECT(SSL_write(ssl, ok, sizeof(ok) - 1) == sizeof(ok) - 1);
            continue;
        }
        server_mark(p->server);
        server_wait_marks(p->server, TEN);
        EXPECT(SSL_write(ssl, ok, sizeof(ok) - 1) == sizeof(ok) - 1);
        server_wait_marks(p->server, TEN + 1);
        (void)SSL_shutdown(ssl);
        close(p->fd);
        p->fd = -1;
        server_mark(p->server);
        break;
    }
    SSL_free(ssl);
}

static void ten_say_farewell(const char *method)
{
    struct tls_ca ca;
    struct http h;
    struct http_request r;
    struct http_event e;
    struct server s;
    char origin[64];

    tls_ca_start(&ca);
    tls = tls_server_new(&ca, "IP:127.0.0.1", 1);
    h = client_new((struct http_options){.ca_bundle = ca.path});
    server_start(&s, serve_ten);
    r = client_get(https(&s, origin), "/");
    for (r.tag = 0; r.tag < TEN; r.tag++) {
        h.ops->submit(h.self, &r);
    }
    for (size_t got = 0; got < TEN;) {
        size_t count = client_turn(&h, &e, 1);

        got += count;
        EXPECT(count == 0 || e.result == HTTP_DONE);
    }
    server_mark(&s);
    server_wait_marks(&s, 2 * TEN + 1);
    r.method = method;
    e = client_ask(&h, &r);
    fprintf(stderr, "%s: %s\n", method, http_result_name(e.result));
    if (e.result == HTTP_STALE) {
        e = client_ask(&h, &r);
    }
    expect_result(&e, HTTP_DONE);
    http_destroy(&h);
    server_stop(&s);
    SSL_CTX_free(tls);
    tls_ca_stop(&ca);
}

TEST(ten_kept_connections_say_farewell)
{
    ten_say_farewell("GET");
    ten_say_farewell("PUT");
}
