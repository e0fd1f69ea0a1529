/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of http_curl: kept, dead, slow, many; and requests that are
 * given up. */
#define TEST_MAY_LEAVE_FILES /* Of peers that are made to hang. */
#include "tests/http_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void serve_ok(struct peer *p)
{
    while (peer_request(p)) {
        peer_say(p, ok);
    }
}

/* ---- kept connections that die ------------------------------------------ */

enum { TEN = 10 };
static bool kills_by_reset;

static void kill_connection(struct peer *p)
{
    if (kills_by_reset) {
        peer_reset(p);
    }
    close(p->fd);
    p->fd = -1;
}

/* Ten connections answer when all are there, and die. */
static void serve_ten(struct peer *p)
{
    if (p->number >= TEN) {
        serve_ok(p);
        return;
    }
    EXPECT(peer_request(p));
    server_mark(p->server);
    server_wait_marks(p->server, TEN);
    peer_say(p, ok);
    server_wait_marks(p->server, TEN + 1); /* The client has it. */
    kill_connection(p);
    server_mark(p->server);
}

static void ten_die(const char *method, bool is_reset)
{
    struct http h = client_new((struct http_options){0});
    struct server s;
    struct http_request r;
    struct http_event e;

    kills_by_reset = is_reset;
    server_start(&s, serve_ten);
    r = client_get(s.origin, "/");
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
    if (e.result == HTTP_STALE) {
        e = client_ask(&h, &r);
    }
    expect_result(&e, HTTP_DONE);
    expect_bytes(e.body, "ok");
    http_destroy(&h);
    server_stop(&s);
}

TEST(ten_kept_connections_are_closed)
{
    ten_die("GET", false);
    ten_die("PUT", false);
}

TEST(ten_kept_connections_are_reset)
{
    ten_die("GET", true);
    ten_die("DELETE", true);
}

/* The first connection answers once, and dies of the second request. */
static void serve_then_die(struct peer *p)
{
    for (int i = 0; peer_request(p); i++) {
        if (p->number == 0 && i == 1) {
            kill_connection(p);
            return;
        }
        peer_say(p, ok);
    }
}

static int requests_in(const char *heads)
{
    int count = 0;

    while ((heads = strstr(heads, " HTTP/1.1\r\n")) != NULL) {
        heads++;
        count++;
    }
    return count;
}

/* A write is not sent again: it may have happened. */
TEST(death_in_a_kept_connection)
{
    static const struct {
        const char *method;
        const char *body;
        enum http_result want;
    } rows[] = {
        {"GET", "", HTTP_DONE},      {"HEAD", "", HTTP_DONE},
        {"PUT", "body", HTTP_STALE}, {"PUT", "", HTTP_STALE},
        {"DELETE", "", HTTP_STALE},  {"POST", "body", HTTP_STALE},
    };

    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct http h = client_new((struct http_options){0});
        struct server s;
        struct http_request r;
        struct http_event e;

        kills_by_reset = i % 2 == 1;
        server_start(&s, serve_then_die);
        r = client_get(s.origin, "/");
        e = client_ask(&h, &r);
        expect_result(&e, HTTP_DONE);
        r.method = rows[i / 2].method;
        r.body = bytes_of(rows[i / 2].body);
        e = client_ask(&h, &r);
        expect_result(&e, rows[i / 2].want);
        EXPECT_EQ(e.is_reused, rows[i / 2].want == HTTP_STALE);
        http_destroy(&h);
        server_join(&s);
        EXPECT_EQ(requests_in(buf_text(&s.locked.heads)),
                  rows[i / 2].want == HTTP_STALE ? 2 : 3);
        server_stop(&s);
    }
}

static void serve_death(struct peer *p)
{
    if (peer_request(p)) {
        kill_connection(p);
    }
}

TEST(death_in_a_new_connection)
{
    for (int i = 0; i < 4; i++) {
        struct http h = client_new((struct http_options){0});
        struct server s;
        struct http_request r;
        struct http_event e;

        kills_by_reset = i % 2 == 1;
        server_start(&s, serve_death);
        r = client_get(s.origin, "/");
        r.method = i < 2 ? "GET" : "PUT";
        e = client_ask(&h, &r);
        expect_result(&e, HTTP_LOST);
        http_destroy(&h);
        server_join(&s);
        EXPECT_EQ(s.locked.count, 1);
        server_stop(&s);
    }
}

/* Dies while a body of megabytes comes in. */
static void serve_death_in_upload(struct peer *p)
{
    if (peer_read_head(p)) {
        peer_reset(p);
    }
}

TEST(death_while_a_body_goes_out)
{
    enum { SIZE = 8 << 20 };
    struct http h = client_new((struct http_options){0});
    char *body = mem_new(SIZE, 1);
    struct server s;
    struct http_request r;
    struct http_event e;

    server_start(&s, serve_death_in_upload);
    r = client_get(s.origin, "/");
    r.method = "PUT";
    r.body = (struct bytes){body, SIZE};
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_LOST);
    http_destroy(&h);
    server_stop(&s);
    free(body);
}

TEST(fresh_is_a_new_connection)
{
    struct http h = client_new((struct http_options){0});
    struct server s;
    struct http_request r;
    struct http_event e;

    server_start(&s, serve_ok);
    r = client_get(s.origin, "/");
    (void)client_ask(&h, &r);
    e = client_ask(&h, &r);
    EXPECT(e.is_reused);
    r.is_fresh = true;
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    EXPECT(!e.is_reused);
    http_destroy(&h);
    server_join(&s);
    EXPECT_EQ(s.locked.count, 2);
    server_stop(&s);
}

/* ---- in the middle ------------------------------------------------------ */

/* Answers with ten of twenty bytes; what comes after waits for a mark. */
static void serve_half(struct peer *p)
{
    if (!peer_request(p)) {
        return;
    }
    peer_say(p, "HTTP/1.1 206 Part\r\nContent-Length: 20\r\nETag: \"e\"\r\n\r\n"
                "0123456789");
    server_wait_marks(p->server, 1);
    if (kills_by_reset) {
        kill_connection(p);
    } else {
        (void)peer_request(p); /* Until the client closes. */
    }
}

static void turn_until_progress(const struct http *h, uint64_t tag,
                                uint64_t want)
{
    struct http_event e;

    while (h->ops->progress(h->self, tag) != want) {
        EXPECT_EQ(client_turn(h, &e, 1), 0);
    }
}

TEST(reset_in_a_body)
{
    struct http h = client_new((struct http_options){0});
    char into[20] = {0};
    struct server s;
    struct http_request r;
    struct http_event e;
    struct bytes value;

    kills_by_reset = true;
    server_start(&s, serve_half);
    r = client_get(s.origin, "/");
    r.into = into;
    r.into_size = sizeof(into);
    r.sum = CRC_64NVME;
    h.ops->submit(h.self, &r);
    EXPECT_EQ(h.ops->progress(h.self, r.tag), UINT64_MAX);
    turn_until_progress(&h, r.tag, 10);
    server_mark(&s);
    while (client_turn(&h, &e, 1) == 0) {
    }
    expect_result(&e, HTTP_SHORT);
    EXPECT_EQ(e.code, 206);
    EXPECT_EQ(e.got, 10);
    EXPECT_EQ(e.sum, crc_add(CRC_64NVME, 0, "0123456789", 10));
    EXPECT(http_header(e.headers, "etag", &value) && bytes_is(value, "\"e\""));
    http_destroy(&h);
    server_stop(&s);
}

TEST(stall_in_a_body)
{
    struct http h = client_new((struct http_options){0});
    char into[20] = {0};
    struct server s;
    struct http_request r;
    struct http_event e;

    kills_by_reset = false;
    server_start(&s, serve_half);
    server_mark(&s);
    r = client_get(s.origin, "/");
    r.into = into;
    r.into_size = sizeof(into);
    r.stall_ms = 50;
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_TIMEOUT);
    EXPECT_EQ(e.got, 10);
    EXPECT_STR(e.why, "no byte moved for 50 ms");
    http_destroy(&h);
    server_stop(&s);
}

/* ---- slow and absent servers -------------------------------------------- */

/* Reads all and never answers. */
static void serve_silence(struct peer *p)
{
    while (peer_request(p)) {
        server_mark(p->server);
    }
}

TEST(no_first_byte)
{
    struct http h = client_new((struct http_options){0});
    struct server s;
    struct http_request r;
    struct http_event e;

    server_start(&s, serve_silence);
    r = client_get(s.origin, "/");
    r.first_byte_ms = 40;
    r.stall_ms = 10; /* Counts only while something is on its way. */
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_TIMEOUT);
    EXPECT_STR(e.why, "no answer within 40 ms");
    r.method = "PUT";
    r.body = BYTES("body");
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_TIMEOUT);
    EXPECT_STR(e.why, "no answer within 40 ms");
    http_destroy(&h);
    server_stop(&s);
}

/* Takes the head, and nothing of the body. */
static void serve_full(struct peer *p)
{
    if (peer_read_head(p)) {
        server_wait_marks(p->server, 1);
    }
}

TEST(stall_while_a_body_goes_out)
{
    enum { SIZE = 32 << 20 };
    struct http h = client_new((struct http_options){0});
    char *body = mem_new(SIZE, 1);
    struct server s;
    struct http_request r;
    struct http_event e;

    server_start(&s, serve_full);
    r = client_get(s.origin, "/");
    r.method = "PUT";
    r.body = (struct bytes){body, SIZE};
    r.first_byte_ms = 1;
    r.stall_ms = 100;
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_TIMEOUT);
    EXPECT_STR(e.why, "no byte moved for 100 ms");
    server_mark(&s);
    http_destroy(&h);
    server_stop(&s);
    free(body);
}

/* A socket that takes no more connections. */
struct closed {
    int fd;
    int fillers[4];
    char origin[64];
};

static void closed_start(struct closed *c, bool is_full)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint16_t port;

    alarm(KIT_HANG_S);
    kit_clear_environment();
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    port = kit_bind(c->fd);
    snprintf(c->origin, sizeof(c->origin), "http://127.0.0.1:%u", port);
    at.sin_port = htons(port);
    EXPECT(!is_full || listen(c->fd, 0) == 0);
    for (size_t i = 0; is_full && i < 4; i++) {
        c->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(c->fillers[i], (struct sockaddr *)&at, sizeof(at));
    }
}

TEST(connection_not_in_time)
{
    struct http h = client_new((struct http_options){0});
    struct closed c;
    struct http_request r;
    struct http_event e;

    closed_start(&c, true);
    r = client_get(c.origin, "/");
    r.connect_ms = 50;
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_CONNECT);
    EXPECT_STR(e.address, "");
    http_destroy(&h);
}

TEST(handshake_not_in_time)
{
    struct http h = client_new((struct http_options){0});
    struct server s;
    struct http_request r;
    struct http_event e;
    char origin[64];

    server_start(&s, serve_silence);
    snprintf(origin, sizeof(origin), "https://127.0.0.1:%u", s.port);
    r = client_get(origin, "/");
    r.connect_ms = 50;
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_CONNECT);
    http_destroy(&h);
    server_stop(&s);
}

TEST(refused)
{
    struct http h = client_new((struct http_options){0});
    struct closed c;
    struct http_request r;
    struct http_event e;

    closed_start(&c, false);
    r = client_get(c.origin, "/");
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_CONNECT);
    EXPECT_EQ(e.code, 0);
    http_destroy(&h);
}

/* Names that no server has to be asked about: a label may have 63 bytes. */
TEST(unresolvable)
{
    struct http h = client_new((struct http_options){0});
    char origin[128] = "http://";
    struct http_request r;
    struct http_event e;

    alarm(KIT_HANG_S);
    kit_clear_environment();
    memset(origin + 7, 'x', 70);
    r = client_get(origin, "/");
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_RESOLVE);
    r = client_get("http://bad host/", "/");
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_RESOLVE);
    http_destroy(&h);
}

TEST(out_of_files)
{
    struct http h = client_new((struct http_options){0});
    struct rlimit limit = {0, 0};
    struct closed c;
    struct http_request r;
    struct http_event e;

    closed_start(&c, false);
    limit.rlim_cur = (rlim_t)dup(c.fd);
    limit.rlim_max = limit.rlim_cur;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    r = client_get(c.origin, "/");
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_OS);
    http_destroy(&h);
}

/* ---- given up ----------------------------------------------------------- */

/* After @h gave something up: it still works and tells nothing more. */
static void expect_alive(const struct http *h, const char *origin)
{
    struct http_request r = client_get(origin, "/alive");
    struct http_event e;

    r.tag = 99;
    r.is_fresh = true;
    e = client_ask(h, &r);
    expect_result(&e, HTTP_DONE);
    EXPECT_EQ(h->ops->progress(h->self, 7), UINT64_MAX);
}

/* "/alive" is answered, "/half" by half, nothing else is. */
static void serve_some(struct peer *p)
{
    while (peer_request(p)) {
        const char *line = buf_text(&p->head);

        if (strncmp(line, "GET /alive ", 11) == 0) {
            peer_say(p, ok);
        } else if (strncmp(line, "GET /half ", 10) == 0) {
            peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
                        "0123456789");
        }
        server_mark(p->server);
    }
}

TEST(cancel_in_each_state)
{
    struct http h = client_new((struct http_options){.connections = 1});
    struct http_event e;
    char into[20];
    struct server s;
    struct closed c;
    struct http_request r;

    closed_start(&c, true);
    server_start(&s, serve_some);
    r = client_get(s.origin, "/"); /* Before the first poll. */
    h.ops->submit(h.self, &r);
    h.ops->cancel(h.self, r.tag);
    expect_alive(&h, s.origin);
    r = client_get(c.origin, "/"); /* While it connects. */
    h.ops->submit(h.self, &r);
    EXPECT_EQ(h.ops->poll(h.self, &e, 1), 0);
    h.ops->cancel(h.self, r.tag);
    expect_alive(&h, s.origin);
    r = client_get("http://no.such.host.invalid", "/"); /* And resolves. */
    h.ops->submit(h.self, &r);
    (void)h.ops->poll(h.self, &e, 1);
    h.ops->cancel(h.self, r.tag);
    expect_alive(&h, s.origin);
    r = client_get(s.origin, "/half"); /* In its body. */
    r.into = into;
    r.into_size = sizeof(into);
    h.ops->submit(h.self, &r);
    turn_until_progress(&h, r.tag, 10);
    h.ops->cancel(h.self, r.tag);
    expect_alive(&h, s.origin);
    http_destroy(&h);
    server_stop(&s);
}

TEST(cancel_of_queued_and_ended)
{
    struct http h = client_new((struct http_options){.connections = 1});
    struct http_event e;
    struct server s;
    struct http_request r;

    server_start(&s, serve_some);
    r = client_get(s.origin, "/silent");
    h.ops->submit(h.self, &r);
    r.tag = 8; /* Waits for the connection. */
    h.ops->submit(h.self, &r);
    EXPECT_EQ(client_turn(&h, &e, 1), 0);
    h.ops->cancel(h.self, 8);
    h.ops->cancel(h.self, 7);
    expect_alive(&h, s.origin);
    for (r.tag = 1; r.tag <= 3; r.tag++) { /* All have ended, one is told. */
        r.target = "/alive";
        h.ops->submit(h.self, &r);
    }
    while (h.ops->progress(h.self, 1) != 2 || h.ops->progress(h.self, 2) != 2 ||
           h.ops->progress(h.self, 3) != 2) {
        EXPECT_EQ(client_turn(&h, &e, 0), 0);
    }
    EXPECT_EQ(h.ops->wait_ms(h.self), 0);
    EXPECT_EQ(client_turn(&h, &e, 1), 1);
    h.ops->cancel(h.self, e.tag); /* Too late: nothing happens. */
    for (uint64_t tag = 1; tag <= 3; tag++) {
        h.ops->cancel(h.self, tag);
    }
    expect_alive(&h, s.origin);
    http_destroy(&h);
    server_stop(&s);
}

TEST(destroy_in_flight)
{
    struct http h = client_new((struct http_options){.connections = 2});
    struct http_event e;
    struct server s;
    struct http_request r;

    server_start(&s, serve_some);
    r = client_get(s.origin, "/silent");
    for (r.tag = 0; r.tag < 5; r.tag++) {
        h.ops->submit(h.self, &r);
    }
    EXPECT_EQ(client_turn(&h, &e, 1), 0);
    http_destroy(&h);
    server_stop(&s);
}

/* ---- many --------------------------------------------------------------- */

TEST(more_than_connections_wait)
{
    enum { COUNT = 200, LIMIT = 4 };
    struct http h = client_new((struct http_options){.connections = LIMIT});
    bool has_come[COUNT] = {false};
    struct http_event events[3];
    struct server s;
    struct http_request r;

    server_start(&s, serve_ok);
    r = client_get(s.origin, "/");
    r.connect_ms = 20000;
    r.first_byte_ms = 20000;
    r.stall_ms = 20000;
    for (r.tag = 0; r.tag < COUNT; r.tag++) {
        h.ops->submit(h.self, &r);
    }
    for (size_t got = 0; got < COUNT;) {
        size_t count = client_turn(&h, events, 3);

        for (size_t i = 0; i < count; i++) {
            expect_result(&events[i], HTTP_DONE);
            expect_bytes(events[i].body, "ok");
            EXPECT(!has_come[events[i].tag]);
            has_come[events[i].tag] = true;
        }
        got += count;
    }
    http_destroy(&h);
    server_join(&s);
    EXPECT(s.locked.count <= LIMIT);
    server_stop(&s);
}

static void *client_run(void *server)
{
    struct http h = client_new((struct http_options){0});
    const struct server *s = server;
    struct http_request r = client_get(s->origin, "/");

    for (int i = 0; i < 20; i++) {
        struct http_event e = client_ask(&h, &r);

        expect_result(&e, HTTP_DONE);
    }
    http_destroy(&h);
    return NULL;
}

TEST(one_handle_a_thread)
{
    enum { COUNT = 4 };
    pthread_t threads[COUNT];
    struct server s;

    server_start(&s, serve_ok);
    for (int i = 0; i < COUNT; i++) {
        EXPECT(pthread_create(&threads[i], NULL, client_run, &s) == 0);
    }
    for (int i = 0; i < COUNT; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    server_join(&s);
    EXPECT_EQ(s.locked.count, COUNT);
    server_stop(&s);
}
