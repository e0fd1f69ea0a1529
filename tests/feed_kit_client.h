/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of feed and take: the owner's loop, and clients. */

#ifndef TESTS_FEED_KIT_CLIENT_H
#define TESTS_FEED_KIT_CLIENT_H

#include "tests/feed_kit.h"

/* ---- The owner's loop. ----------------------------------------------------
 */

static inline void fk_step(void)
{
    struct fault why;
    enum status s;

    fk.now_ms += 10;
    s = feed_step(fk.feed, fk.now_ms, &why);
    fk_coordinate();
    if (s == STATUS_OK) {
        s = feed_step(fk.feed, fk.now_ms, &why);
    }
    if (s != STATUS_OK) {
        fk.failed = s;
        fk.why = why;
        fk.failures++;
    }
    holder_check(fk.holder);
}

/* Step until @fd has something to read. */
static inline void fk_step_until(int fd)
{
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
                          {.fd = feed_fd(fk.feed), .events = POLLIN}};

    do {
        fk_step();
        EXPECT(poll(p, 2, 1) >= 0);
    } while ((p[0].revents & (POLLIN | POLLHUP)) == 0);
}

/* Step until nothing is ready. */
static inline void fk_settle(void)
{
    for (unsigned i = 0; i < 20; i++) {
        fk_step();
    }
}

static inline int fk_connect(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    EXPECT(fd >= 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", feed_path(fk.feed));
    EXPECT(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    return fd;
}

static inline void fk_write(int fd, const char *text)
{
    size_t size = strlen(text);

    EXPECT(write(fd, text, size) == (ssize_t)size);
}

/* The next line from the feed, "" at its end; lives until the next call. */
static inline const char *fk_read(int fd)
{
    static char line[8192];
    size_t size = 0;

    for (;;) {
        ssize_t got;

        fk_step_until(fd);
        got = read(fd, line + size, 1);
        EXPECT(got >= 0 || errno == ECONNRESET);
        if (got <= 0 || line[size] == '\n') {
            line[size] = '\0';
            return line;
        }
        size += (size_t)got;
        EXPECT(size < sizeof(line));
    }
}

static inline const char *fk_ask(int fd, const char *line)
{
    fk_write(fd, line);
    fk_write(fd, "\n");
    return fk_read(fd);
}

/* Ask for the next unit; return its position. Its file is as it should be. */
static inline uint64_t fk_next(int fd, char *path)
{
    const char *line = fk_ask(fd, "next train");
    unsigned long long epoch;
    unsigned long long position;
    unsigned long long lease;
    unsigned long long size;
    char want[32];
    char name[KIT_PATH_MAX];

    if (sscanf(line, "unit %llu %llu %llu %llu %4095s", &epoch, &position,
               &lease, &size, name) != 5) {
        EXPECT_STR(line, "a unit");
    }
    EXPECT_EQ(size, 10 + position);
    EXPECT_EQ(epoch, fk.epoch);
    snprintf(want, sizeof(want), "/u%%20%llu", position);
    EXPECT(strlen(name) > strlen(want));
    EXPECT_STR(name + strlen(name) - strlen(want), want);
    snprintf(name + strlen(name) - strlen(want), sizeof(want), "/u %llu",
             position);
    EXPECT(strncmp(name, kit_base, strlen(kit_base)) == 0);
    kit_expect_file(name + strlen(kit_base) + 1, position, 10 + position);
    if (path != NULL) {
        snprintf(path, KIT_PATH_MAX, "%s", name);
    }
    return position;
}

static inline const char *fk_say(int fd, const char *verb, uint64_t position)
{
    char line[128];

    snprintf(line, sizeof(line), "%s train %llu", verb,
             (unsigned long long)position);
    return fk_ask(fd, line);
}

static inline void fk_start(uint64_t units, uint64_t epochs, uint32_t ranks)
{
    struct feed_options options = {.folder = NULL};

    kit_enter();
    memset(&fk, 0, sizeof(fk));
    fk.units = units;
    fk.epochs = epochs;
    fk.run = 4;
    fk.now_ms = 1000;
    snprintf(fk.uri, sizeof(fk.uri), "mem://feed/");
    snprintf(fk.folder, sizeof(fk.folder), "%s", kit_path("data/train"));
    fk.store = kit_open(fk.uri);
    for (uint64_t i = 0; i < units; i++) {
        char key[32];

        snprintf(key, sizeof(key), "p/u %llu", (unsigned long long)i);
        kit_put(fk.store, key, i, 10 + i);
    }
    fk.holder = holder_new(&(struct holder_options){.rank_count = ranks,
                                                    .ahead_units = 4,
                                                    .lease_ms = 60000,
                                                    .beat_ms = 1000,
                                                    .gap_ms = 10,
                                                    .now_ms = fk.now_ms});
    fk.channel = (struct feed_channel){
        .source = {.name = "train",
                   .folder = fk.folder,
                   .root_uri = fk.uri,
                   .prefix = BYTES("p/")},
        .holder = fk.holder,
        .ahead_units = 3,
        .ahead_bytes = 1 << 20,
    };
    fk_start_lanes();
    options = (struct feed_options){.folder = kit_path(".smshard"),
                                    .channels = &fk.channel,
                                    .channel_count = 1,
                                    .rank_count = ranks,
                                    .fetch = fk.fetch,
                                    .parts = 2,
                                    .object = fk_object,
                                    .object_self = &fk};
    EXPECT_OK(feed_new(&options, &fk.why, &fk.feed), fk.why);
}

static inline void fk_end(void)
{
    char path[KIT_PATH_MAX];

    snprintf(path, sizeof(path), "%s", feed_path(fk.feed));
    feed_destroy(&fk.feed);
    fetch_stop(&fk.fetch);
    EXPECT(fk.feed == NULL);
    EXPECT(!file_is_there(path));
    EXPECT(!kit_is_there("data/train/.smshard.units"));
    holder_destroy(&fk.holder);
    store_close(&fk.store);
}

#endif /* TESTS_FEED_KIT_CLIENT_H */
