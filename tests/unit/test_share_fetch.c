/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/share_fetch.h"

#include <poll.h>

#include "cli/share.h"
#include "tests/s3_kit.h"

#define STATE "s3://bucket/state/"

static struct store *bucket;

/* Write a catalog of @count objects at @key. */
static void put_catalog(const char *key, uint32_t count)
{
    struct catalog_builder *b;
    struct catalog *catalog;
    struct fault why;

    EXPECT_EQ(catalog_builder_new(&b), STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        char name[] = {'o', (char)('a' + i), 0};

        EXPECT_EQ(catalog_builder_add(
                      b,
                      &(struct catalog_object){bytes_of(name), i, BYTES("e")},
                      &why),
                  STATUS_OK);
    }
    EXPECT_EQ(catalog_builder_finish(&b, &catalog), STATUS_OK);
    EXPECT_EQ(share_write(bucket, key, catalog, &why), STATUS_OK);
    catalog_destroy(&catalog);
}

static void setup(void)
{
    kit_start(&(struct s3server_options){.quirks = 0});
    bucket = kit_open();
    put_catalog("state/a", 3);
    put_catalog("state/b", 5);
    put_catalog("state/bc", 7);
}

static void clean(struct share_fetch **f)
{
    share_fetch_destroy(f);
    EXPECT(*f == NULL);
    store_close(&bucket);
    kit_stop();
}

static struct share_fetch *start(char *first, char *second)
{
    struct share_fetch *f;
    struct fault why;
    char *keys[] = {first, second};

    EXPECT_EQ(share_fetch_start(
                  &(struct share_fetch_options){
                      .state_uri = STATE, .keys = keys, .count = 2},
                  &why, &f),
              STATUS_OK);
    return f;
}

static void await(const struct share_fetch *f)
{
    struct pollfd fd = {.fd = share_fetch_fd(f), .events = POLLIN};

    EXPECT_EQ(poll(&fd, 1, -1), 1);
}

TEST(catalogs_are_read_in_turn)
{
    struct share_fetch *f;
    struct fault why = {.text = ""};
    struct catalog *b;

    setup();
    f = start((char[]){"state/a"}, (char[]){"state/b"});
    await(f);
    EXPECT_EQ(share_fetch_join(f, &why), STATUS_OK);
    b = share_fetch_take(f, 1); /* The other one is freed with it. */
    EXPECT_EQ(catalog_count(b), 5);
    catalog_destroy(&b);
    clean(&f);
}

TEST(texts_come_as_they_are)
{
    struct share_fetch *f;
    struct fault why = {.text = ""};
    char *texts[] = {(char[]){"state/y"}, (char[]){"state/x"}};

    setup();
    s3server_put(kit_server, "state/x", "one", 3);
    s3server_put(kit_server, "state/y", "two\n", 4);
    EXPECT_EQ(share_fetch_start(
                  &(struct share_fetch_options){
                      .state_uri = STATE, .text_keys = texts, .text_count = 2},
                  &why, &f),
              STATUS_OK);
    await(f);
    EXPECT_EQ(share_fetch_join(f, &why), STATUS_OK);
    EXPECT_STR(buf_text(share_fetch_text(f, 0)), "two\n");
    EXPECT_STR(buf_text(share_fetch_text(f, 1)), "one");
    buf_fini(share_fetch_text(f, 1)); /* It may be taken. */
    clean(&f);
}

TEST(what_cannot_be_read_is_named)
{
    struct share_fetch *f;
    struct fault why = {.text = ""};

    setup();
    s3server_put(kit_server, "state/c/00000000", "no segment", 10);
    f = start((char[]){"state/a"}, (char[]){"state/c"});
    await(f);
    EXPECT_EQ(share_fetch_join(f, &why), STATUS_MALFORMED);
    EXPECT(why.text[0] != '\0');
    clean(&f);
}

/* The store says nothing for far longer than this may take. */
TEST(a_store_that_is_silent_is_not_waited_for)
{
    struct share_fetch *f;
    struct fault why = {.text = ""};
    uint64_t before;

    setup();
    before = s3server_requests(kit_server, "GET", "");
    s3server_fault(kit_server, &(struct s3server_fault){.count = 1000,
                                                        .act = S3SERVER_DELAY,
                                                        .ms = 1000000});
    f = start((char[]){"state/a"}, (char[]){"state/b"});
    while (s3server_requests(kit_server, "GET", "") == before) {
    }
    share_fetch_cancel(f);
    await(f);
    EXPECT_EQ(share_fetch_join(f, &why), STATUS_STOPPED);
    EXPECT(why.text[0] != '\0');
    share_fetch_destroy(&f);
    f = start((char[]){"state/a"}, (char[]){"state/b"});
    clean(&f);
}

/* It had all when it was told to stop: what follows is not wanted. */
TEST(a_cancel_that_comes_last_counts)
{
    struct share_fetch *f;
    struct fault why = {.text = ""};

    setup();
    f = start((char[]){"state/a"}, (char[]){"state/b"});
    await(f);
    share_fetch_cancel(f);
    EXPECT_EQ(share_fetch_join(f, &why), STATUS_STOPPED);
    clean(&f);
}

/* A catalog is named by what is in it. */
TEST(a_catalog_of_another_name_is_not_taken)
{
    struct share_fetch *f = NULL;
    struct fault why = {.text = ""};
    struct catalog *catalog = NULL;
    char name[128];

    setup();
    EXPECT_EQ(share_read(bucket, &(struct share_want){"state/b", NULL}, &why,
                         &catalog),
              STATUS_OK);
    snprintf(name, sizeof(name), "%s", catalog_name(catalog));
    catalog_destroy(&catalog);
    EXPECT_EQ(share_read(bucket, &(struct share_want){"state/b", name}, &why,
                         &catalog),
              STATUS_OK);
    catalog_destroy(&catalog);
    EXPECT_EQ(share_read(bucket, &(struct share_want){"state/a", name}, &why,
                         &catalog),
              STATUS_MALFORMED);
    EXPECT(catalog == NULL);
    EXPECT(strstr(why.text, "state/a") != NULL);
    clean(&f);
}
