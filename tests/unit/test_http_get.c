/* SPDX-License-Identifier: Apache-2.0 */
/* Our own receive path against a server whose every byte is scripted. */
#include "store/http_get.h"

#include "tests/http_kit.h"
#include "tests/http_tls.h"

static struct http get_new(struct http_options options)
{
    struct http h;
    struct fault why;

    EXPECT_EQ(http_get_new(&options, &why, &h), STATUS_OK);
    return h;
}

static char room[1 << 20];

static struct http_request ask_for(const char *origin, const char *target,
                                   size_t size)
{
    struct http_request r = client_get(origin, target);

    r.into = room;
    r.into_size = size;
    r.sum = CRC_64NVME;
    r.connect_ms = 5000;
    r.first_byte_ms = 5000;
    r.stall_ms = 5000;
    return r;
}

/* ---- answers, byte for byte --------------------------------------------- */

static const char *answer;
static size_t answer_piece; /* Sent in pieces of so many bytes; 0: at once. */
static bool answer_closes;
static bool answer_resets;

static void serve_answer(struct peer *p)
{
    while (peer_request(p)) {
        size_t size = strlen(answer);
        size_t step = answer_piece > 0 ? answer_piece : size;

        for (size_t at = 0; at < size; at += step) {
            peer_say_bytes(p, answer + at, size - at < step ? size - at : step);
        }
        if (answer_resets) {
            peer_reset(p);
        }
        if (answer_closes || answer_resets) {
            return;
        }
    }
}

struct row {
    const char *answer;
    bool closes;
    enum http_result result;
    int code;
    const char *into; /* What is in the room. */
    const char *body; /* What was collected. */
    bool is_kept;
};

static const struct row rows[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, HTTP_DONE, 200,
     "hello", "", true},
    {"HTTP/1.1 206 Partial Content\r\ncontent-length:5 \r\n\r\nhello", false,
     HTTP_DONE, 206, "hello", "", true},
    {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, HTTP_DONE, 200,
     "hello", "", false},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
     true, HTTP_DONE, 200, "hello", "", false},
    {"HTTP/1.1 200 OK\r\n\r\nhello", true, HTTP_DONE, 200, "hello", "", false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: x\r\n\r\n",
     false, HTTP_DONE, 200, "hello", "", true},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
     false, HTTP_DONE, 200, "hello", "", true},
    {"HTTP/1.1 204 No Content\r\n\r\n", false, HTTP_DONE, 204, "", "", true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, HTTP_DONE,
     304, "", "", true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, HTTP_DONE, 200, "",
     "", true},
    {"HTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\n\r\nslow", false,
     HTTP_DONE, 503, "", "slow", true},
    {"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
     "4\r\ngone\r\n0\r\n\r\n",
     false, HTTP_DONE, 404, "", "gone", true},
    {"HTTP/1.1 403 Forbidden\r\n\r\nno", true, HTTP_DONE, 403, "", "no", false},
    /* Broken ones. */
    {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nhello", true, HTTP_SHORT, 200,
     "hello", "", false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", true,
     HTTP_SHORT, 200, "hello", "", false},
    {"HTTP/1.1 200 OK\r\nContent-Le", true, HTTP_SHORT, 0, "", "", false},
    {"HTTP/1.1 100 Continue\r\n\r\n", true, HTTP_SHORT, 0, "", "", false},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", false, HTTP_MALFORMED, 0, "",
     "", false},
    {"HTTP/1.1 304 Not Modified\r\n\r\nno body", false, HTTP_DONE, 304, "", "",
     false},
    {"", true, HTTP_LOST, 0, "", "", false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", false,
     HTTP_TOO_LARGE, 200, "", "", false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "b\r\nhello world\r\n0\r\n\r\n",
     false, HTTP_TOO_LARGE, 200, "", "", false},
    {"HTTP/1.1 200 OK\r\n\r\nhello world", true, HTTP_TOO_LARGE, 200, "", "",
     false},
    {"HELO\r\n\r\n", true, HTTP_MALFORMED, 0, "", "", false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
     true, HTTP_MALFORMED, 0, "", "", false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", true,
     HTTP_MALFORMED, 200, "", "", false},
};

static void expect_row(const struct row *row, const struct http_event *e)
{
    size_t size = strlen(row->into);

    if (e->result != row->result) {
        fprintf(stderr, "%s\n", row->answer);
    }
    expect_result(e, row->result);
    EXPECT_EQ(e->code, row->code);
    expect_bytes(e->body, row->body);
    EXPECT_EQ(e->got, size);
    EXPECT(memcmp(room, row->into, size) == 0);
    EXPECT_EQ(e->sum, crc_add(CRC_64NVME, 0, row->into, size));
}

static void run_row(const struct row *row)
{
    struct http h = get_new((struct http_options){0});
    struct http_request r;
    struct http_event e;
    struct server s;

    answer = row->answer;
    answer_closes = row->closes;
    server_start(&s, serve_answer);
    r = ask_for(s.origin, "/k%2Fx?a=b", 8);
    e = client_ask(&h, &r);
    expect_row(row, &e);
    EXPECT(!e.is_reused);
    /* What is left behind an answer is seen in time only if it comes with it.
     */
    if (row->result == HTTP_DONE &&
        (row->is_kept || row->closes || answer_piece == 0)) {
        e = client_ask(&h, &r);
        expect_row(row, &e);
        EXPECT_EQ(e.is_reused, row->is_kept);
    }
    http_destroy(&h);
    server_join(&s);
    EXPECT(
        bytes_has_prefix(buf_bytes(&s.locked.heads),
                         BYTES("GET /k%2Fx?a=b HTTP/1.1\r\nHost: h\r\n\r\n")));
    server_stop(&s);
}

TEST(answers_at_once)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_row(&rows[i]);
    }
}

TEST(answers_byte_by_byte)
{
    answer_piece = 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_row(&rows[i]);
    }
}

/* A large body, over many reads, with its checksum. */
static char *large;
enum { LARGE = 700001 };

static void serve_large(struct peer *p)
{
    while (peer_request(p)) {
        char head[64];

        snprintf(head, sizeof(head),
                 "HTTP/1.1 206 P\r\nContent-Length: %d\r\n\r\n", LARGE);
        peer_say(p, head);
        peer_say_bytes(p, large, LARGE);
    }
}

TEST(a_large_body_with_its_checksum)
{
    struct http h = get_new((struct http_options){0});
    struct http_request r;
    struct http_event e;
    struct server s;

    large = mem_new(LARGE, 1);
    for (size_t i = 0; i < LARGE; i++) {
        large[i] = (char)(i * 31 + (i >> 9));
    }
    server_start(&s, serve_large);
    r = ask_for(s.origin, "/", sizeof(room));
    for (int i = 0; i < 3; i++) {
        e = client_ask(&h, &r);
        expect_result(&e, HTTP_DONE);
        EXPECT(e.got == LARGE && memcmp(room, large, LARGE) == 0);
        EXPECT_EQ(e.sum, crc_add(CRC_64NVME, 0, large, LARGE));
    }
    http_destroy(&h);
    server_stop(&s);
    free(large);
}

/* ---- kept connections --------------------------------------------------- */

TEST(a_kept_connection_that_was_closed_is_not_used)
{
    struct http h = get_new((struct http_options){0});
    struct http_request r;
    struct http_event e;
    struct server s;

    answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    answer_closes = true; /* Without a word of it. */
    server_start(&s, serve_answer);
    r = ask_for(s.origin, "/", 8);
    for (int i = 0; i < 20; i++) {
        e = client_ask(&h, &r);
        EXPECT(e.result == HTTP_DONE || e.result == HTTP_STALE);
    }
    http_destroy(&h);
    server_stop(&s);
}

static void serve_once(struct peer *p)
{
    EXPECT(peer_request(p));
    peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    if (p->number == 0) { /* It dies of the second request. */
        (void)peer_request(p);
        return;
    }
    while (peer_request(p)) {
        peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}

TEST(death_of_a_kept_connection_is_stale)
{
    struct http h = get_new((struct http_options){0});
    struct http_request r;
    struct http_event e;
    struct server s;

    server_start(&s, serve_once);
    r = ask_for(s.origin, "/", 8);
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_STALE);
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    r.is_fresh = true;
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    EXPECT(!e.is_reused);
    http_destroy(&h);
    server_stop(&s);
}

/* More at once than connections: they wait for their turn. */
TEST(a_queue_beyond_the_limit)
{
    struct http h = get_new((struct http_options){.connections = 3});
    struct http_request rs[40];
    static char rooms[40][8];
    struct http_event e[8];
    struct server s;
    size_t done = 0;

    answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    answer_closes = false;
    server_start(&s, serve_answer);
    for (uint64_t i = 0; i < 40; i++) {
        rs[i] = ask_for(s.origin, "/", 8);
        rs[i].tag = i;
        rs[i].into = rooms[i];
        h.ops->submit(h.self, &rs[i]);
    }
    while (done < 40) {
        size_t count = client_turn(&h, e, 8);

        for (size_t i = 0; i < count; i++) {
            expect_result(&e[i], HTTP_DONE);
        }
        done += count;
    }
    http_destroy(&h);
    server_join(&s);
    EXPECT(s.locked.count <= 3);
    server_stop(&s);
}

/* The struct itself is the caller's again after submit(). */
static void submit_and_forget(const struct http *h, const char *origin,
                              uint64_t tag, const char *target)
{
    struct http_request r = ask_for(origin, target, 8);

    r.tag = tag;
    r.connect_ms = 100;
    h->ops->submit(h->self, &r);
    memset(&r, 0x5a, sizeof(r));
}

/* Answers, after longer than others may take to connect, and closes. */
static void serve_slowly(struct peer *p)
{
    struct pollfd wait = {.fd = p->fd, .events = POLLIN};

    if (!peer_request(p)) { /* It was given up before. */
        return;
    }
    if (strstr(buf_text(&p->head), "/mute") != NULL) {
        EXPECT(poll(&wait, 1, -1) == 1);
        return;
    }
    EXPECT(poll(&wait, 1, 250) == 0);
    peer_say(p, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                "Content-Length: 2\r\n\r\nok");
}

TEST(time_in_the_queue_is_not_time_to_connect)
{
    struct http h = get_new((struct http_options){.connections = 1});
    struct http_event e;
    struct server s;

    server_start(&s, serve_slowly);
    for (uint64_t tag = 0; tag < 3; tag++) {
        submit_and_forget(&h, s.origin, tag, "/");
    }
    for (uint64_t tag = 0; tag < 3; tag++) {
        while (client_turn(&h, &e, 1) == 0) {
        }
        expect_result(&e, HTTP_DONE);
        EXPECT_EQ(e.tag, tag);
    }
    http_destroy(&h);
    server_stop(&s);
}

TEST(a_cancel_lets_the_next_one_start)
{
    struct http h = get_new((struct http_options){.connections = 1});
    struct http_event e;
    struct server s;

    server_start(&s, serve_slowly);
    submit_and_forget(&h, s.origin, 1, "/mute");
    submit_and_forget(&h, s.origin, 2, "/");
    h.ops->cancel(h.self, 1);
    while (client_turn(&h, &e, 1) == 0) {
    }
    expect_result(&e, HTTP_DONE);
    EXPECT_EQ(e.tag, 2);
    http_destroy(&h);
    server_stop(&s);
}

/* ---- time --------------------------------------------------------------- */

static const char *before_silence;

static void serve_silence(struct peer *p)
{
    char c;

    if (peer_request(p)) { /* It may be given up before. */
        peer_say(p, before_silence);
        (void)!recv(p->fd, &c, 1, 0); /* Until the client hangs up. */
    }
}

TEST(silence_is_a_timeout)
{
    static const char *const said[] = {
        "", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel"};

    for (size_t i = 0; i < 3; i++) {
        struct http h = get_new((struct http_options){0});
        struct http_request r;
        struct http_event e;
        struct server s;

        before_silence = said[i];
        server_start(&s, serve_silence);
        r = ask_for(s.origin, "/", 16);
        r.first_byte_ms = i < 2 ? 40 : 20000; /* It comes, however late. */
        r.stall_ms = 40;
        e = client_ask(&h, &r);
        expect_result(&e, HTTP_TIMEOUT);
        EXPECT_EQ(e.got, i == 2 ? 3 : 0);
        http_destroy(&h);
        server_stop(&s);
    }
}

TEST(progress_and_cancel)
{
    struct http h = get_new((struct http_options){0});
    struct http_request r;
    struct http_event e;
    struct server s;

    before_silence = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel";
    server_start(&s, serve_silence);
    r = ask_for(s.origin, "/", 16);
    h.ops->submit(h.self, &r);
    EXPECT(h.ops->progress(h.self, r.tag) == UINT64_MAX);
    while (h.ops->progress(h.self, r.tag) != 3) {
        EXPECT_EQ(client_turn(&h, &e, 1), 0);
    }
    h.ops->cancel(h.self, r.tag);
    EXPECT(h.ops->progress(h.self, r.tag) == UINT64_MAX);
    EXPECT_EQ(h.ops->wait_ms(h.self), -1);
    EXPECT_EQ(h.ops->poll(h.self, &e, 1), 0);
    h.ops->submit(h.self, &r); /* While it connects. */
    h.ops->cancel(h.self, r.tag);
    EXPECT_EQ(h.ops->poll(h.self, &e, 1), 0);
    h.ops->submit(h.self, &r); /* And left to the destroy. */
    http_destroy(&h);
    server_stop(&s);
}

/* ---- no connection ------------------------------------------------------ */

TEST(nobody_listens)
{
    struct http h = get_new((struct http_options){0});
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char origin[64];
    struct http_request r;
    struct http_event e;

    snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", kit_bind(fd));
    close(fd);
    r = ask_for(origin, "/", 8);
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_CONNECT);
    EXPECT(strstr(e.why, "refused") != NULL);
    http_destroy(&h);
}

TEST(a_name_without_an_address)
{
    struct http h = get_new((struct http_options){0});
    struct http_request r = ask_for("http://no-such-host.invalid:80", "/", 8);
    struct http_event e;

    alarm(KIT_HANG_S);
    r.connect_ms = 30000;
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_RESOLVE);
    http_destroy(&h);
}

TEST(a_name_is_looked_up)
{
    struct http h = get_new((struct http_options){0});
    struct http_request r;
    struct http_event e;
    struct server s;
    char origin[64];

    answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    server_start(&s, serve_answer);
    snprintf(origin, sizeof(origin), "http://localhost:%u", s.port);
    r = ask_for(origin, "/", 8);
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    EXPECT(strstr(e.address, "127.0.0.1") != NULL);
    http_destroy(&h);
    server_stop(&s);
}

static void serve_flood(struct peer *p)
{
    EXPECT(peer_request(p));
    peer_say(p, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 100000; i++) {
        peer_say(p, "X-Flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
    }
}

TEST(an_endless_head_is_cut)
{
    struct http h = get_new((struct http_options){0});
    struct http_request r;
    struct http_event e;
    struct server s;

    server_start(&s, serve_flood);
    r = ask_for(s.origin, "/", 8);
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_MALFORMED);
    http_destroy(&h);
    server_stop(&s);
}

static void serve_interim_flood(struct peer *p)
{
    EXPECT(peer_request(p));
    for (int i = 0; i < 10000; i++) {
        peer_say(p, "HTTP/1.1 100 Continue\r\n\r\n");
    }
}

TEST(interim_answers_without_end_are_cut)
{
    struct http h = get_new((struct http_options){0});
    struct http_request r;
    struct http_event e;
    struct server s;

    server_start(&s, serve_interim_flood);
    r = ask_for(s.origin, "/", 8);
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_MALFORMED);
    http_destroy(&h);
    server_stop(&s);
}

/* ---- TLS ---------------------------------------------------------------- */

static SSL_CTX *tls;

static void serve_tls(struct peer *p)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    SSL *ssl = peer_handshake(p, tls);

    while (ssl != NULL && peer_tls_request(ssl)) {
        EXPECT(SSL_write(ssl, ok, sizeof(ok) - 1) == sizeof(ok) - 1);
    }
    SSL_free(ssl);
}

TEST(a_file_without_certificates_is_refused_at_once)
{
    struct http_options none = {.ca_bundle = "tests/data/no-such-file"};
    struct http_options other = {.ca_bundle = "Makefile"};
    struct fault why;
    struct http h;

    EXPECT_EQ(http_get_new(&none, &why, &h), STATUS_NOT_FOUND);
    EXPECT(strstr(why.text, "no-such-file") != NULL);
    EXPECT_EQ(http_get_new(&other, &why, &h), STATUS_INVALID);
    EXPECT(strstr(why.text, "Makefile") != NULL);
}

TEST(handles_share_what_was_read_of_a_file)
{
    struct http_options options;
    struct tls_ca ca = {0};
    struct http first;
    struct http second;
    struct fault why;

    tls_ca_start(&ca);
    options = (struct http_options){.ca_bundle = ca.path};
    first = get_new(options);
    EXPECT_EQ(unlink(ca.path), 0);
    second = get_new(options);
    http_destroy(&first);
    first = get_new(options);
    http_destroy(&second);
    http_destroy(&first);
    EXPECT_EQ(http_get_new(&options, &why, &first), STATUS_NOT_FOUND);
    tls_ca_stop(&ca);
}

TEST(certificates)
{
    static const struct {
        const char *names;
        int days;
        bool is_other_ca;
        enum http_result want;
    } certs[] = {
        {"IP:127.0.0.1", 1, false, HTTP_DONE},
        {"DNS:other.example", 1, false, HTTP_TLS},
        {"IP:127.0.0.2", 1, false, HTTP_TLS},
        {"IP:127.0.0.1", -1, false, HTTP_TLS},
        {"IP:127.0.0.1", 1, true, HTTP_TLS},
    };
    struct tls_ca ca = {0};
    struct tls_ca other = {0};

    tls_ca_start(&ca);
    tls_ca_start(&other);
    for (size_t i = 0; i < sizeof(certs) / sizeof(certs[0]); i++) {
        struct http h = get_new((struct http_options){
            .ca_bundle = certs[i].is_other_ca ? other.path : ca.path});
        struct http_request r;
        struct http_event e;
        struct server s;
        char origin[64];

        tls = tls_server_new(&ca, certs[i].names, certs[i].days);
        server_start(&s, serve_tls);
        snprintf(origin, sizeof(origin), "https://127.0.0.1:%u", s.port);
        r = ask_for(origin, "/", 8);
        e = client_ask(&h, &r);
        expect_result(&e, certs[i].want);
        if (certs[i].want == HTTP_DONE) {
            EXPECT(e.got == 2 && memcmp(room, "ok", 2) == 0);
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
