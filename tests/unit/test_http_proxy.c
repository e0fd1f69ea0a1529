/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/http_kit.h"

struct row {
    const char *origin;
    const char *env[3]; /* "name=value" */
    bool want;
};

static const struct row rows[] = {
    {"http://h", {0}, false},
    {"http://h", {"http_proxy=http://p:1"}, true},
    {"http://h:80", {"http_proxy=p"}, true},
    {"http://h", {"http_proxy="}, false},
    {"http://h", {"HTTP_PROXY=http://p:1"}, false},
    {"http://h", {"https_proxy=http://p:1"}, false},
    {"https://h", {"http_proxy=http://p:1"}, false},
    {"https://h", {"https_proxy=http://p:1"}, true},
    {"HTTPS://h", {"HTTPS_PROXY=http://p:1"}, true},
    {"https://h", {"https_proxy=", "HTTPS_PROXY=http://p:1"}, true},
    {"http://h", {"all_proxy=http://p:1"}, true},
    {"https://h", {"ALL_PROXY=socks5://p:1"}, true},
    {"http://h", {"all_proxy=p", "no_proxy=*"}, false},
    {"http://h", {"all_proxy=p", "no_proxy=*,x"}, true},
    {"http://h", {"all_proxy=p", "no_proxy=h"}, false},
    {"http://h", {"all_proxy=p", "NO_PROXY=h"}, false},
    {"http://h", {"all_proxy=p", "no_proxy=x", "NO_PROXY=h"}, true},
    {"http://h", {"all_proxy=p", "no_proxy=,"}, true},
    {"http://h:8080", {"all_proxy=p", "no_proxy=a, H ,b"}, false},
    {"http://h/", {"all_proxy=p", "no_proxy=a h b"}, false},
    {"http://x.h.org", {"all_proxy=p", "no_proxy=h.org"}, false},
    {"http://x.h.org", {"all_proxy=p", "no_proxy=.h.org"}, false},
    {"http://h.org", {"all_proxy=p", "no_proxy=.h.org"}, false},
    {"http://h.org.", {"all_proxy=p", "no_proxy=h.org"}, false},
    {"http://h.org", {"all_proxy=p", "no_proxy=h.org."}, false},
    {"http://xh.org", {"all_proxy=p", "no_proxy=h.org"}, true},
    {"http://h.org", {"all_proxy=p", "no_proxy=x.h.org"}, true},
    {"http://h.org", {"all_proxy=p", "no_proxy=."}, true},
    {"http://10.1.2.3", {"all_proxy=p", "no_proxy=10.1.2.3"}, false},
    {"http://10.1.2.3", {"all_proxy=p", "no_proxy=10.1.2.4"}, true},
    {"http://10.1.2.3:9", {"all_proxy=p", "no_proxy=10.0.0.0/8"}, false},
    {"http://10.1.2.3", {"all_proxy=p", "no_proxy=10.1.2.0/30"}, false},
    {"http://10.1.2.4", {"all_proxy=p", "no_proxy=10.1.2.0/30"}, true},
    {"http://10.1.2.3", {"all_proxy=p", "no_proxy=0.0.0.0/0"}, false},
    {"http://10.1.2.3", {"all_proxy=p", "no_proxy=10.0.0.0/33"}, true},
    {"http://10.1.2.3", {"all_proxy=p", "no_proxy=2.3"}, true},
    {"http://[fd00::1]:9", {"all_proxy=p", "no_proxy=fd00::1"}, false},
    {"http://[fd00::1]", {"all_proxy=p", "no_proxy=fd00::/8"}, false},
    {"http://[fd01::1]", {"all_proxy=p", "no_proxy=fd00::/15"}, false},
    {"http://[fd01::1]", {"all_proxy=p", "no_proxy=fd00::/16"}, true},
    {"http://[fd00::1]", {"all_proxy=p", "no_proxy=10.0.0.0/8"}, true},
    {"nonsense", {"all_proxy=p"}, false},
};

static void row_environment(const struct row *row)
{
    kit_clear_environment();
    for (size_t i = 0; i < 3 && row->env[i] != NULL; i++) {
        char *text = mem_copy(row->env[i]);
        char *value = strchr(text, '=');

        *value = '\0';
        EXPECT(setenv(text, value + 1, 1) == 0);
        free(text);
    }
}

TEST(which_origins_have_a_proxy)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        row_environment(&rows[i]);
        if (http_has_proxy(rows[i].origin) != rows[i].want) {
            fprintf(stderr, "row %zu: %s %s %s\n", i, rows[i].origin,
                    rows[i].env[0], rows[i].env[1]);
            exit(1);
        }
    }
}

/* ---- on the wire -------------------------------------------------------- */

/* As a proxy: answers itself, and connects to nothing. */
static void serve_proxy(struct peer *p)
{
    while (peer_request(p)) {
        if (strncmp(buf_text(&p->head), "CONNECT", 7) == 0) {
            peer_say(p, "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
        } else {
            peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
}

static void proxy_use(const struct server *s, const char *name,
                      const char *user)
{
    char text[128];

    snprintf(text, sizeof(text), "http://%s127.0.0.1:%u", user, s->port);
    EXPECT(setenv(name, text, 1) == 0);
}

TEST(plain_request_names_the_whole_url)
{
    struct http h = client_new((struct http_options){0});
    struct server s;
    struct http_request r;
    struct http_event e;
    struct bytes head;

    server_start(&s, serve_proxy);
    proxy_use(&s, "http_proxy", "");
    r = client_get("http://store.example:81", "/a/../b//%2F?x=%20");
    r.headers = BYTES("Host: store.example:81\r\n");
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_DONE);
    expect_bytes(e.body, "ok");
    head = buf_bytes(&s.locked.heads);
    EXPECT(bytes_has_prefix(head, BYTES("GET http://store.example:81/a/../b//"
                                        "%2F?x=%20 HTTP/1.1\r\n"
                                        "Host: store.example:81\r\n")));
    http_destroy(&h);
    server_stop(&s);
}

/* What a request carries is not for the proxy. */
TEST(https_goes_through_a_tunnel)
{
    struct http h = client_new((struct http_options){0});
    struct server s;
    struct http_request r;
    struct http_event e;

    server_start(&s, serve_proxy);
    proxy_use(&s, "https_proxy", "me:hush@");
    r = client_get("https://store.example", "/secret");
    r.headers = BYTES("Host: store.example\r\nAuthorization: token\r\n");
    e = client_ask(&h, &r);
    expect_result(&e, HTTP_CONNECT);
    EXPECT_EQ(e.code, 0);
    EXPECT(strstr(e.why, "407") != NULL);
    EXPECT(strstr(e.why, "hush") == NULL);
    EXPECT(bytes_has_prefix(buf_bytes(&s.locked.heads),
                            BYTES("CONNECT store.example:443 HTTP/1.1\r\n")));
    EXPECT(strstr(buf_text(&s.locked.heads), "secret") == NULL);
    EXPECT(strstr(buf_text(&s.locked.heads), "token") == NULL);
    http_destroy(&h);
    server_stop(&s);
}

TEST(exceptions_and_direct_handles_go_straight)
{
    for (int i = 0; i < 2; i++) {
        struct http h = client_new((struct http_options){.is_direct = i == 1});
        struct server s;
        struct http_request r;
        struct http_event e;

        server_start(&s, serve_proxy);
        EXPECT(setenv("all_proxy", "http://127.0.0.1:1", 1) == 0);
        EXPECT(i == 1 || setenv("no_proxy", "127.0.0.0/8", 1) == 0);
        r = client_get(s.origin, "/straight");
        e = client_ask(&h, &r);
        expect_result(&e, HTTP_DONE);
        EXPECT(bytes_has_prefix(buf_bytes(&s.locked.heads),
                                BYTES("GET /straight HTTP/1.1\r\n")));
        http_destroy(&h);
        server_stop(&s);
    }
}

TEST(bad_proxy_is_told_without_its_password)
{
    static const char *const bad[] = {"http://me:hush@127.0.0.1:0x/",
                                      "gopher://me:hush@127.0.0.1:70"};
    struct http h = client_new((struct http_options){0});

    kit_clear_environment();
    for (size_t i = 0; i < 2; i++) {
        struct http_request r = client_get("http://store.example", "/");
        struct http_event e;

        EXPECT(setenv("http_proxy", bad[i], 1) == 0);
        e = client_ask(&h, &r);
        EXPECT(e.result == HTTP_RESOLVE || e.result == HTTP_CONNECT);
        EXPECT(strstr(e.why, "hush") == NULL);
        EXPECT(strstr(e.why, "proxy") != NULL);
    }
    http_destroy(&h);
}
