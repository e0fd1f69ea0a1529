/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/http_kit.h"

/* ---- a server that answers ---------------------------------------------- */

/* Says what it got: "GET /x 3" for three bytes of body. */
static void serve_well(struct peer *p)
{
    while (peer_request(p)) {
        const char *line = buf_text(&p->head);
        bool is_head = strncmp(line, "HEAD", 4) == 0;
        struct buf body = {0};
        struct buf all = {0};

        buf_print(&body, "%.*s %zu", (int)(strstr(line, " HTTP/") - line), line,
                  p->body_bytes);
        buf_print(&all,
                  "HTTP/1.1 200 OK\r\nX-A: one\r\nContent-Length: %zu\r\n",
                  body.size);
        buf_print(&all, "X-Sum: %llx\r\n",
                  (unsigned long long)crc_add(CRC_64NVME, 0, p->body.at,
                                              p->body_bytes));
        buf_print(&all, "x-b:two \r\n\r\n%s", is_head ? "" : buf_text(&body));
        peer_say(p, buf_text(&all));
        buf_fini(&body);
        buf_fini(&all);
    }
}

TEST(every_method)
{
    static const struct {
        const char *method;
        const char *body;
        const char *want;
        const char *length; /* Of the request. */
    } rows[] = {
        {"GET", "", "GET /a?b=c 0", NULL},
        {"HEAD", "", "", NULL},
        {"DELETE", "", "DELETE /a?b=c 0", NULL},
        {"PUT", "", "PUT /a?b=c 0", "0"},
        {"PUT", "12345", "PUT /a?b=c 5", "5"},
        {"POST", "", "POST /a?b=c 0", "0"},
        {"POST", "123", "POST /a?b=c 3", "3"},
    };
    struct http h = client_new((struct http_options){0});
    struct server s;

    server_start(&s, serve_well);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_request r = client_get(s.origin, "/a?b=c");
        struct http_event e;
        struct bytes value;

        r.method = rows[i].method;
        r.body = bytes_of(rows[i].body);
        buf_clear(&s.locked.heads); /* The server waits for the client. */
        e = client_ask(&h, &r);
        expect_result(&e, HTTP_DONE);
        EXPECT_EQ(e.code, 200);
        expect_bytes(e.body, rows[i].want);
        EXPECT_EQ(e.is_reused, i > 0);
        EXPECT_STR(e.address, s.origin + strlen("http://"));
        EXPECT(http_header(e.headers, "X-B", &value) && bytes_is(value, "two"));
        EXPECT_EQ(
            http_header(buf_bytes(&s.locked.heads), "content-length", &value),
            rows[i].length != NULL);
        EXPECT(rows[i].length == NULL || bytes_is(value, rows[i].length));
    }
    EXPECT_EQ(s.locked.count, 1);
    http_destroy(&h);
    server_stop(&s);
}

TEST(exact_bytes_go_out)
{
    struct http h = client_new((struct http_options){0});
    struct server s;
    struct http_request r;
    struct http_event e;

    server_start(&s, serve_well);
    r = client_get(s.origin, "/a/../b//c/./%2F%2f%7e+~?x=%20&y");
    r.headers = BYTES("Host: other:81\r\nX-Empty: \r\nX-Sp: a  b\r\n"
                      "Authorization: AWS4 Credential=a/b, Signature=c\r\n");
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    expect_bytes(buf_bytes(&s.locked.heads),
                 "GET /a/../b//c/./%2F%2f%7e+~?x=%20&y HTTP/1.1\r\n"
                 "Host: other:81\r\nUser-Agent: smshard\r\nX-Empty:\r\n"
                 "X-Sp: a  b\r\n"
                 "Authorization: AWS4 Credential=a/b, Signature=c\r\n\r\n");
    http_destroy(&h);
    server_stop(&s);
}

TEST(own_agent_and_accept_stand)
{
    struct http h = client_new((struct http_options){0});
    struct server s;
    struct http_request r;

    server_start(&s, serve_well);
    r = client_get(s.origin, "/");
    r.headers = BYTES("Host: h\r\nuser-agent: me\r\naccept: text/xml\r\n");
    (void)client_ask(&h, &r);
    expect_bytes(buf_bytes(&s.locked.heads),
                 "GET / HTTP/1.1\r\nHost: h\r\nuser-agent: me\r\n"
                 "accept: text/xml\r\n\r\n");
    http_destroy(&h);
    server_stop(&s);
}

TEST(body_goes_into_place_with_its_sum)
{
    static const char want[] = "GET /123 0";
    struct http h = client_new((struct http_options){0});
    struct server s;
    struct http_request r;
    struct http_event e;
    char into[sizeof(want)] = {0};

    server_start(&s, serve_well);
    r = client_get(s.origin, "/123");
    r.into = into;
    r.into_size = sizeof(want) - 1;
    r.sum = CRC_32C;
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    EXPECT_EQ(e.got, r.into_size);
    EXPECT_EQ(e.body.size, 0);
    EXPECT_EQ(e.sum, crc_add(CRC_32C, 0, want, r.into_size));
    EXPECT_STR(into, want);
    http_destroy(&h);
    server_stop(&s);
}

TEST(large_put)
{
    enum { SIZE = 20 << 20 };
    struct http h = client_new((struct http_options){0});
    char *body = mem_new(SIZE, 1);
    struct server s;
    struct http_request r;
    struct http_event e;
    struct bytes value;

    for (int i = 0; i < SIZE; i++) {
        body[i] = (char)(i * 7 >> 3);
    }
    server_start(&s, serve_well);
    r = client_get(s.origin, "/big");
    r.method = "PUT";
    r.body = (struct bytes){body, SIZE};
    r.stall_ms = 20000;
    r.first_byte_ms = 20000;
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    expect_bytes(e.body, "PUT /big 20971520");
    EXPECT(!http_header(buf_bytes(&s.locked.heads), "expect", &value));
    EXPECT(
        !http_header(buf_bytes(&s.locked.heads), "transfer-encoding", &value));
    EXPECT(http_header(e.headers, "x-sum", &value));
    EXPECT_EQ(strtoull(value.at, NULL, 16), crc_add(CRC_64NVME, 0, body, SIZE));
    http_destroy(&h);
    server_stop(&s);
    free(body);
}

/* ---- what is said in other words ---------------------------------------- */

static const char *script;
static size_t script_size;

/* Answers every request with @script and closes. */
static void serve_script(struct peer *p)
{
    if (peer_request(p)) {
        peer_say_bytes(p, script, script_size);
    }
}

struct row {
    const char *name;
    const char *answer;
    enum http_result want;
    int code;
    const char *body; /* With @into, if has_into. */
    const char *headers;
    bool has_into;
    bool is_head;
};

static const struct row rows[] = {
    {"chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
     HTTP_DONE, 200, "abcde", "Transfer-Encoding: chunked\r\n", false, false},
    {"chunked into",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
     HTTP_DONE, 200, "abcde", "Transfer-Encoding: chunked\r\n", true, false},
    {"interim",
     "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\n"
     "Content-Length: 2\r\n\r\nok",
     HTTP_DONE, 200, "ok", "A: 1\r\nContent-Length: 2\r\n", false, false},
    {"folded", "HTTP/1.1 200 OK\r\nA: 1\r\n  2\r\nContent-Length: 0\r\n\r\n",
     HTTP_DONE, 200, "", "A: 1   2\r\nContent-Length: 0\r\n", false, false},
    {"bare lines", "HTTP/1.1 200 OK\nA: 1\nContent-Length: 1\n\nx", HTTP_DONE,
     200, "x", "A: 1\r\nContent-Length: 1\r\n", false, false},
    {"until close", "HTTP/1.1 200 OK\r\n\r\nabc", HTTP_DONE, 200, "abc", "",
     true, false},
    {"no redirect",
     "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n"
     "Content-Length: 2\r\n\r\ngo",
     HTTP_DONE, 301, "go",
     "Location: http://127.0.0.1:1/\r\nContent-Length: 2\r\n", true, false},
    {"error body is not put into place",
     "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\ngone", HTTP_DONE, 404, "gone",
     "Content-Length: 4\r\n", true, false},
    {"204", "HTTP/1.1 204 None\r\n\r\n", HTTP_DONE, 204, "", "", false, false},
    {"304", "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", HTTP_DONE, 304,
     "", "Content-Length: 9\r\n", false, false},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
     HTTP_DONE, 200, "", "Content-Length: 99999999999\r\n", true, true},
    {"HEAD of an error", "HTTP/1.1 404 No\r\nContent-Length: 300\r\n\r\n",
     HTTP_DONE, 404, "", "Content-Length: 300\r\n", false, true},
    {"short", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", HTTP_SHORT,
     200, "abc", "Content-Length: 5\r\n", true, false},
    {"short and collected", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
     HTTP_SHORT, 200, "abc", "Content-Length: 5\r\n", false, false},
    {"short chunks",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
     HTTP_SHORT, 200, "abc", "Transfer-Encoding: chunked\r\n", true, false},
    {"no last chunk",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
     HTTP_SHORT, 200, "abc", "Transfer-Encoding: chunked\r\n", true, false},
    {"half a head", "HTTP/1.1 200 OK\r\nContent-Len", HTTP_SHORT, 0, "", "",
     true, false},
    {"a head without its end", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
     HTTP_SHORT, 0, "", "", true, false},
    {"only an interim head", "HTTP/1.1 100 Continue\r\n\r\n", HTTP_SHORT, 0, "",
     "", true, false},
    {"nothing", "", HTTP_LOST, 0, "", "", true, false},
    {"too large", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef",
     HTTP_TOO_LARGE, 200, "", "Content-Length: 6\r\n", true, false},
    {"too large to read",
     "HTTP/1.1 200 OK\r\n"
     "Content-Length: 99999999999999999999999\r\n\r\nabcdef",
     HTTP_TOO_LARGE, 200, "", "Content-Length: 99999999999999999999999\r\n",
     true, false},
    {"too large to collect",
     "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef", HTTP_TOO_LARGE, 200,
     "", "Content-Length: 6\r\n", false, false},
    {"too large chunks",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
     HTTP_TOO_LARGE, 200, "", "Transfer-Encoding: chunked\r\n", true, false},
    {"HTTP/0.9", "hello there\n", HTTP_MALFORMED, 0, "", "", true, false},
    {"TLS", "\x15\x03\x01\x00\x02\x02\x28", HTTP_MALFORMED, 0, "", "", true,
     false},
};

TEST(answers)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct http h = client_new((struct http_options){0});
        char into[6] = {0};
        struct server s;
        struct http_request r;
        struct http_event e;

        script = row->answer;
        script_size = strncmp(row->name, "TLS", 3) == 0 ? 7 : strlen(script);
        server_start(&s, serve_script);
        r = client_get(s.origin, "/");
        r.method = row->is_head ? "HEAD" : "GET";
        r.into = row->has_into ? into : NULL;
        r.into_size = row->has_into ? 5 : 0;
        r.body_max = 5;
        r.sum = CRC_64NVME;
        e = client_ask(&h, &r);
        fprintf(stderr, "%s\n", row->name);
        expect_result(&e, row->want);
        EXPECT_EQ(e.code, row->code);
        expect_bytes(e.headers, row->headers);
        if (e.got > 0) {
            EXPECT_STR(into, row->body);
            EXPECT_EQ(e.got, strlen(row->body));
            EXPECT_EQ(e.body.size, 0);
        } else {
            expect_bytes(e.body, row->body);
        }
        EXPECT_EQ(e.sum, crc_add(CRC_64NVME, 0, into, e.got));
        EXPECT(!e.is_reused);
        http_destroy(&h);
        server_stop(&s);
    }
}

TEST(the_start_of_a_long_error_is_kept)
{
    enum { SIZE = 200 << 10, KEPT = 64 << 10 };
    struct http h = client_new((struct http_options){0});
    struct buf answer = {0};
    struct server s;
    struct http_request r;
    struct http_event e;

    buf_print(&answer, "HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n", SIZE);
    memset(buf_reserve(&answer, SIZE), 'x', SIZE);
    buf_add_done(&answer, SIZE);
    script = answer.at;
    script_size = answer.size;
    server_start(&s, serve_script);
    r = client_get(s.origin, "/");
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    EXPECT_EQ(e.code, 500);
    EXPECT_EQ(e.body.size, KEPT);
    EXPECT(memcmp(e.body.at, answer.at + answer.size - KEPT, KEPT) == 0);
    http_destroy(&h);
    server_stop(&s);
    buf_fini(&answer);
}

static const char *script_start;

/* Sends @script_start, then @script until the client has had enough. */
static void serve_without_end(struct peer *p)
{
    if (!peer_request(p)) {
        return;
    }
    peer_say(p, script_start);
    while (send(p->fd, script, script_size, MSG_NOSIGNAL) > 0) {
    }
}

TEST(a_head_without_end)
{
    static const struct {
        const char *start;
        const char *again;
    } scripts[] = {
        {"HTTP/1.1 200 OK\r\n", "X-A: 0123456789\r\n"},
        {"HTTP/1.1 200 OK\r\n", "0123456789"},
        {"", "HTTP/1.1 100 Continue\r\nA: b\r\n\r\n"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
         "X-A: 0123456789\r\n"},
    };

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct http h = client_new((struct http_options){0});
        struct server s;
        struct http_request r;
        struct http_event e;

        script_start = scripts[i].start;
        script = scripts[i].again;
        script_size = strlen(script);
        server_start(&s, serve_without_end);
        r = client_get(s.origin, "/");
        e = client_ask(&h, &r);
        expect_result(&e, HTTP_MALFORMED);
        EXPECT(e.headers.size < HTTP_HEADERS_MAX);
        http_destroy(&h);
        server_stop(&s);
    }
}

/* ---- waiting for 100 ---------------------------------------------------- */

static void serve_expect(struct peer *p)
{
    struct bytes value;

    while (peer_read_head(p)) {
        EXPECT(http_header(buf_bytes(&p->head), "expect", &value) &&
               bytes_is(value, "100-continue"));
        if (strncmp(buf_text(&p->head), "PUT /no ", 8) == 0) {
            peer_say(p, "HTTP/1.1 412 No\r\nContent-Length: 2\r\n"
                        "Connection: close\r\n\r\nno");
            return;
        }
        peer_say(p, "HTTP/1.1 100 Continue\r\n\r\n");
        peer_read_body(p);
        peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        peer_say_bytes(p, p->body.at, p->body_bytes);
    }
}

TEST(expect_100)
{
    struct http h = client_new((struct http_options){0});
    struct server s;
    struct http_request r;
    struct http_event e;

    server_start(&s, serve_expect);
    r = client_get(s.origin, "/yes");
    r.method = "PUT";
    r.body = BYTES("0123456789");
    r.is_expect = true;
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    EXPECT_EQ(e.code, 200);
    expect_bytes(e.body, "0123456789");
    r.target = "/no";
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    EXPECT_EQ(e.code, 412);
    expect_bytes(e.body, "no");
    http_destroy(&h);
    server_stop(&s);
}

/* ---- http_call ---------------------------------------------------------- */

TEST(call)
{
    struct http_options options = {0};
    struct http_kept keep = {0};
    struct fault why;
    struct server s;
    struct http_request r;

    server_start(&s, serve_well);
    r = client_get(s.origin, "/call");
    EXPECT_EQ(http_call(&options, &r, 30000, &why, &keep), STATUS_OK);
    EXPECT_EQ(keep.event.code, 200);
    expect_bytes(keep.event.body, "GET /call 0");
    expect_bytes(keep.event.headers,
                 "X-A: one\r\nContent-Length: 11\r\nX-Sum: 0\r\nx-b:two \r\n");
    http_kept_fini(&keep);
    server_stop(&s);
}

static void serve_silence(struct peer *p)
{
    while (peer_request(p)) {
        server_mark(p->server);
    }
}

TEST(call_that_is_not_answered)
{
    struct http_options options = {0};
    struct http_kept keep = {0};
    struct fault why;
    struct server s;
    struct http_request r;

    server_start(&s, serve_silence);
    r = client_get(s.origin, "/secret?token=1");
    EXPECT_EQ(http_call(&options, &r, 50, &why, &keep), STATUS_TIMEOUT);
    EXPECT_EQ(keep.event.result, HTTP_TIMEOUT);
    EXPECT(strstr(why.text, s.origin) != NULL);
    EXPECT(strstr(why.text, "token") == NULL);
    http_kept_fini(&keep);
    server_stop(&s);
}

TEST(ca_bundle_that_is_none)
{
    static const struct {
        const char *path;
        enum status want;
    } bundles[] = {{"tests/data/no-such-file", STATUS_NOT_FOUND},
                   {"tests/data", STATUS_INVALID},
                   {"Makefile", STATUS_INVALID}};

    for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
        struct http_options options = {.ca_bundle = bundles[i].path};
        struct fault why;
        struct http h;

        EXPECT_EQ(http_curl_new(&options, &why, &h), bundles[i].want);
        EXPECT(strncmp(why.text, "CA bundle: ", 11) == 0);
        EXPECT(strstr(why.text, bundles[i].path) != NULL);
    }
}
