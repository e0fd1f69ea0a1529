/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 store where the way to the server is the trouble: certificates,
 * proxies, nobody there, silence, answers without an end, a slow one among
 * many quick ones. */
#include "store/store_s3.h"

#include "store/s3_bucket.h"
#include "tests/s3_kit.h"

enum { QUICK = 60 }; /* Reads before a slow one is noticed. */

static char etag_of_large[STORE_ETAG_MAX];

/* One GET of "k"; the line of its failure must say @says. */
static void expect_failure(enum status want, const char *says)
{
    struct store *s = kit_open();
    struct store_request r = {
        .op = STORE_GET, .key = BYTES("k"), .into = kit_room, .size = 10};
    struct store_event e;

    EXPECT_EQ(kit_ask(s, r, &e), want);
    if (strstr(e.why.text, says) == NULL) {
        fprintf(stderr, "\"%s\" does not say \"%s\"\n", e.why.text, says);
        EXPECT(false);
    }
    EXPECT(strstr(e.why.text, "secret") == NULL);
    store_close(&s);
}

static void expect_success(void)
{
    struct store *s = kit_open();
    struct store_request r = {
        .op = STORE_GET, .key = BYTES("k"), .into = kit_room, .size = 10};
    struct store_event e;

    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    EXPECT_EQ(e.got, 10);
    r = (struct store_request){
        .op = STORE_PUT, .key = BYTES("w"), .body = "new", .size = 3};
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    EXPECT(s3server_has(kit_server, "w"));
    store_close(&s);
}

static void start_tls(bool is_expired)
{
    kit_start(&(struct s3server_options){.is_tls = true,
                                         .is_cert_expired = is_expired});
    s3server_put(kit_server, "k", "0123456789", 10);
}

/* ---- certificates ------------------------------------------------------- */

TEST(an_authority_of_ones_own)
{
    start_tls(false);
    expect_success();
    kit_stop();
}

TEST(an_authority_that_nobody_knows)
{
    start_tls(false);
    unsetenv("AWS_CA_BUNDLE");
    expect_failure(STATUS_STORE, "AWS_CA_BUNDLE");
    kit_stop();
}

TEST(a_certificate_that_has_expired)
{
    start_tls(true);
    expect_failure(STATUS_STORE, "expired");
    kit_stop();
}

TEST(a_certificate_of_another_name)
{
    char url[64];

    start_tls(false);
    snprintf(url, sizeof(url), "https://0x7f.1%s",
             strrchr(s3server_url(kit_server), ':'));
    setenv("AWS_ENDPOINT_URL_S3", url, 1);
    expect_failure(STATUS_STORE, "TLS failed");
    kit_stop();
}

TEST(http_where_https_is_spoken)
{
    char url[64];

    start_tls(false);
    snprintf(url, sizeof(url), "http%s",
             s3server_url(kit_server) + strlen("https"));
    setenv("AWS_ENDPOINT_URL_S3", url, 1);
    expect_failure(STATUS_STORE, url);
    kit_stop();
}

/* ---- nobody there ------------------------------------------------------- */

TEST(nobody_listens)
{
    char url[64];

    kit_start_large(0);
    snprintf(url, sizeof(url), "%s", s3server_url(kit_server));
    kit_stop();
    expect_failure(STATUS_STORE, url);
    free(kit_large);
}

TEST(a_name_that_nobody_has)
{
    kit_start_large(0);
    setenv("AWS_ENDPOINT_URL_S3", "http://store.invalid:9", 1);
    expect_failure(STATUS_STORE, "store.invalid");
    kit_stop();
    free(kit_large);
}

/* ---- proxies ------------------------------------------------------------ */

/* The server itself plays the proxy: the name behind it is nobody's. */
TEST(all_goes_through_the_proxy)
{
    char url[64];

    kit_start_large(0);
    snprintf(url, sizeof(url), "%s", s3server_url(kit_server));
    setenv("http_proxy", url, 1);
    setenv("AWS_ENDPOINT_URL_S3", "http://store.invalid:9", 1);
    expect_success();
    EXPECT_EQ(s3server_requests(kit_server, NULL, NULL), 2);
    kit_stop();
    free(kit_large);
}

TEST(a_proxy_that_is_not_there)
{
    kit_start_large(0);
    setenv("http_proxy", "http://me:secret@127.0.0.1:1", 1);
    expect_failure(STATUS_STORE, "proxy");
    EXPECT_EQ(s3server_requests(kit_server, NULL, NULL), 0);
    kit_stop();
    free(kit_large);
}

/* ---- answers without an end --------------------------------------------- */

struct size_row {
    const char *method;
    const char *answer;
};

/* Sizes that nobody asked for are not waited for, nor room made for them. */
static const struct size_row sizes[] = {
    {"GET", "HTTP/1.1 200 OK\r\nETag: \"e\"\r\n"
            "Content-Length: 5368709120\r\n\r\n"},
    {"GET", "HTTP/1.1 206 Partial\r\nETag: \"e\"\r\n"
            "Content-Range: bytes 0-5368709119/5368709120\r\n"
            "Content-Length: 5368709120\r\n\r\n"},
    {"GET", "HTTP/1.1 206 Partial\r\nETag: \"e\"\r\n"
            "Content-Range: bytes 0-9/99999999999999999999999\r\n"
            "Content-Length: 10\r\n\r\n0123456789"},
    {"GET", "HTTP/1.1 403 No\r\nContent-Length: 5368709120\r\n\r\n<Error>"},
};

static void run_size(const void *self)
{
    const struct size_row *row = self;
    struct store *s;
    struct store_event e;

    kit_start_large(0);
    setenv("AWS_MAX_ATTEMPTS", "2", 1);
    s3server_fault(kit_server,
                   &(struct s3server_fault){.method = row->method,
                                            .act = S3SERVER_RAW,
                                            .message = row->answer});
    s = kit_open();
    EXPECT(kit_ask(s,
                   (struct store_request){.op = STORE_GET,
                                          .key = BYTES("k"),
                                          .into = kit_room,
                                          .size = 10},
                   &e) != STATUS_OK);
    EXPECT(e.why.text[0] != '\0');
    kit_stop_large(&s);
}

TEST(sizes_that_nobody_asked_for)
{
    EXPECT(kit_apart(run_size, sizes, sizeof(sizes) / sizeof(sizes[0]),
                     sizeof(sizes[0])));
}

static enum status take_none(void *self, const struct store_object *o,
                             struct fault *why)
{
    (void)self;
    (void)o;
    (void)why;
    return STATUS_OK;
}

/* A page is collected: it must end somewhere. */
TEST(a_page_without_an_end)
{
    struct fault why = {""};
    struct store *s;

    kit_start_large(0);
    setenv("AWS_MAX_ATTEMPTS", "1", 1);
    s3server_fault(kit_server,
                   &(struct s3server_fault){.act = S3SERVER_ENDLESS_BODY});
    s = kit_open();
    EXPECT(store_sync_list(s, "l", take_none, NULL, &why) != STATUS_OK);
    EXPECT(strstr(why.text, "large") != NULL);
    kit_stop_large(&s);
}

/* ---- a slow one among many ---------------------------------------------- */

/* A byte now and then keeps a connection alive, and a job waiting. */
TEST(a_trickle_is_given_up)
{
    struct store_request r;
    struct store_event e;
    struct store *s;

    kit_start_large(0);
    s = kit_open();
    s3server_fault(kit_server,
                   &(struct s3server_fault){
                       .count = 1, .act = S3SERVER_DRIP, .bytes = 1, .ms = 20});
    r = kit_get_large();
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    EXPECT(memcmp(kit_room, kit_large, KIT_LARGE) == 0);
    EXPECT_EQ(s3server_requests(kit_server, "GET", "large"), 2);
    kit_stop_large(&s);
}

static uint64_t hedges_of_bucket(void)
{
    struct s3_bucket *b = NULL;
    struct retry_pool pool;
    struct fault why;

    EXPECT_EQ(s3_bucket_get("bucket", &why, &b), STATUS_OK);
    s3_bucket_pool(b, &pool);
    return pool.hedge.hedges;
}

static void read_quick(struct store *s)
{
    struct store_request r = kit_get_large();
    struct store_event e;

    r.etag = etag_of_large;
    r.is_whole = false;
    for (int i = 0; i < QUICK; i++) {
        EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
        memcpy(etag_of_large, e.etag, sizeof(etag_of_large));
    }
    EXPECT_EQ(hedges_of_bucket(), 0);
}

/* No head comes: a second request beside it brings the bytes. */
TEST(silence_is_asked_beside)
{
    struct store_request r;
    struct store_event e;
    struct store *s;

    kit_start_large(0);
    s = kit_open();
    r = kit_get_large();
    r.is_whole = false;
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    memcpy(etag_of_large, e.etag, sizeof(etag_of_large));
    read_quick(s);
    s3server_fault(kit_server, &(struct s3server_fault){.count = 1,
                                                        .act = S3SERVER_DELAY,
                                                        .ms = 100000});
    memset(kit_room, 0, sizeof(kit_room));
    r.etag = etag_of_large;
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    EXPECT(memcmp(kit_room, kit_large, KIT_LARGE) == 0);
    EXPECT_EQ(hedges_of_bucket(), 1);
    kit_stop_large(&s);
}

/* The one beside it is refused: that ends nothing. */
TEST(a_refusal_beside_silence_ends_nothing)
{
    struct store_request r;
    struct store_event e;
    struct store *s;

    kit_start_large(0);
    s = kit_open();
    r = kit_get_large();
    r.is_whole = false;
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    memcpy(etag_of_large, e.etag, sizeof(etag_of_large));
    read_quick(s);
    s3server_fault(kit_server, &(struct s3server_fault){.count = 1,
                                                        .act = S3SERVER_DELAY,
                                                        .ms = 1500});
    s3server_fault(kit_server,
                   &(struct s3server_fault){.count = 1,
                                            .act = S3SERVER_ANSWER,
                                            .code = 403,
                                            .error = "AccessDenied"});
    memset(kit_room, 0, sizeof(kit_room));
    r.etag = etag_of_large;
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    EXPECT(memcmp(kit_room, kit_large, KIT_LARGE) == 0);
    EXPECT_EQ(hedges_of_bucket(), 1);
    kit_stop_large(&s);
}
