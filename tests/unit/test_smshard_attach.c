/* SPDX-License-Identifier: Apache-2.0 */
/* The consumers' library before a worker that gives it what no worker of ours
 * would: it answers out of the hook, while the library waits. */
#define SMSHARD_HOOKS
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/harness.h"
#include "worker/client/smshard_state.h"

/* What the worker answers, and what it was asked. */
static struct {
    char folder[64];
    char path[80];
    int listen_fd;
    int fd; /* Of the last consumer. */
    struct ring_layout layout;
    struct ring_reply reply;
    size_t reply_size;
    int fds[RING_FDS];
    size_t fd_count;
    struct ring_hello hello;
    struct smshard *sleeper;
} fake;

static void fake_send(void)
{
    struct iovec part = {&fake.reply, fake.reply_size};
    union {
        char bytes[CMSG_SPACE(RING_FDS * sizeof(int))];
        struct cmsghdr head;
    } extra = {{0}};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

    if (fake.fd_count > 0) {
        m.msg_control = extra.bytes;
        m.msg_controllen = CMSG_SPACE(fake.fd_count * sizeof(int));
        extra.head.cmsg_level = SOL_SOCKET;
        extra.head.cmsg_type = SCM_RIGHTS;
        extra.head.cmsg_len = CMSG_LEN(fake.fd_count * sizeof(int));
        memcpy(CMSG_DATA(&extra.head), fake.fds, fake.fd_count * sizeof(int));
    }
    EXPECT(sendmsg(fake.fd, &m, MSG_NOSIGNAL) == (ssize_t)fake.reply_size);
}

static void fake_hang_up(void)
{
    if (fake.fd >= 0) {
        close(fake.fd);
        fake.fd = -1;
    }
}

void smshard_hook(enum smshard_point point)
{
    if (point == SMSHARD_AT_HELLO) {
        fake_hang_up();
        fake.fd = accept4(fake.listen_fd, NULL, NULL, SOCK_CLOEXEC);
        EXPECT(recv(fake.fd, &fake.hello, sizeof(fake.hello), MSG_DONTWAIT) ==
               (ssize_t)sizeof(fake.hello));
        fake_send();
    } else if (point == SMSHARD_AT_WAIT && fake.sleeper != NULL) {
        EXPECT_EQ(atomic_load(&fake.sleeper->shared->waiters), 1);
        atomic_fetch_add(&fake.sleeper->shared->bell, 1); /* No sleep. */
    }
}

static int memory(size_t size, int seals)
{
    int fd = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    EXPECT(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    EXPECT(seals == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

static void replace(int which, int fd)
{
    close(fake.fds[which]);
    fake.fds[which] = fd;
}

static void fake_listen(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(fake.folder, sizeof(fake.folder), "/tmp/smshard-test-XXXXXX");
    EXPECT(mkdtemp(fake.folder) != NULL);
    snprintf(fake.path, sizeof(fake.path), "%s/ring", fake.folder);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", fake.path);
    fake.listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    EXPECT(bind(fake.listen_fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    EXPECT(listen(fake.listen_fd, 4) == 0);
    fake.fd = -1;
}

/* A worker that answers as it should. */
static void begin(enum ring_mode mode)
{
    const struct ring_shape shape = {.mode = mode,
                                     .slot_count = 4,
                                     .slots_max = 4,
                                     .queue_count =
                                         mode == RING_BROADCAST ? 2 : 1,
                                     .entries_max = 8,
                                     .slot_size = 4096};

    fake_listen();
    EXPECT(ring_layout_make(&shape, &fake.layout));
    fake.reply = (struct ring_reply){.magic = RING_MAGIC,
                                     .abi = RING_ABI,
                                     .answer = RING_WELCOME,
                                     .shape = shape,
                                     .hold_max = 4,
                                     .incarnation = 77};
    fake.reply_size = sizeof(fake.reply);
    fake.fds[RING_FD_DATA] = memory(fake.layout.data_size, F_SEAL_SHRINK);
    fake.fds[RING_FD_TABLES] = memory(fake.layout.tables_size, F_SEAL_SHRINK);
    fake.fds[RING_FD_CONTROL] = memory(fake.layout.control_size, F_SEAL_SHRINK);
    fake.fds[RING_FD_NEWS] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fake.fds[RING_FD_RELEASED] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fake.fd_count = RING_FDS;
}

static void end(void)
{
    fake_hang_up();
    for (int i = 0; i < RING_FDS; i++) {
        close(fake.fds[i]);
    }
    close(fake.listen_fd);
    EXPECT(unlink(fake.path) == 0 && rmdir(fake.folder) == 0);
}

/* ---- What is not taken. ----------------------------------------------------
 */

static uint32_t files_open(void)
{
    uint32_t count = 0;

    for (int fd = 0; fd < 64; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static int try_open(char *why, size_t size, struct smshard **out)
{
    struct smshard_options o = SMSHARD_OPTIONS;

    o.socket = fake.path;
    o.channel = "train";
    o.rank = 0;
    return smshard_open(&o, why, size, out);
}

/* It is said why, and nothing that came is left open. */
static void expect_not_opened(int status, const char *part)
{
    struct smshard *ring = NULL;
    char why[512] = "";
    uint32_t files = files_open();

    EXPECT_EQ((unsigned)try_open(why, sizeof(why), &ring), (unsigned)status);
    EXPECT(ring == NULL);
    if (strstr(why, part) == NULL) {
        fprintf(stderr, "%s\n", why);
        EXPECT(false);
    }
    fake_hang_up();
    EXPECT_EQ(files_open(), files);
}

static void expect_opened(void)
{
    struct smshard *ring = NULL;
    uint32_t files = files_open();

    EXPECT(try_open(NULL, 0, &ring) == SMSHARD_OK);
    smshard_close(&ring);
    fake_hang_up();
    EXPECT_EQ(files_open(), files);
}

TEST(memory_that_is_too_small_or_may_become_so)
{
    char path[] = "/tmp/smshard-test-XXXXXX";

    for (int i = RING_FD_DATA; i <= RING_FD_CONTROL; i++) {
        size_t size;

        begin(RING_EXCLUSIVE);
        expect_opened();
        size = i == RING_FD_DATA     ? fake.layout.data_size
               : i == RING_FD_TABLES ? fake.layout.tables_size
                                     : fake.layout.control_size;
        replace(i, memory(size - 1, F_SEAL_SHRINK));
        expect_not_opened(SMSHARD_SYSTEM, "map the ring's memory");
        replace(i, memory(size, 0));
        expect_not_opened(SMSHARD_SYSTEM, "map the ring's memory");
        replace(i, memory(size, F_SEAL_GROW));
        expect_not_opened(SMSHARD_SYSTEM, "map the ring's memory");
        replace(i, memory(size + 1, F_SEAL_SHRINK));
        expect_opened();
        end();
    }
    begin(RING_EXCLUSIVE); /* A file has no seals. */
    replace(RING_FD_DATA, mkostemp(path, O_CLOEXEC));
    EXPECT(unlink(path) == 0);
    EXPECT(ftruncate(fake.fds[RING_FD_DATA], (off_t)fake.layout.data_size) ==
           0);
    expect_not_opened(SMSHARD_SYSTEM, "map the ring's memory");
    replace(RING_FD_DATA, eventfd(0, EFD_CLOEXEC)); /* Nor is this memory. */
    expect_not_opened(SMSHARD_SYSTEM, "map the ring's memory");
    end();
}

TEST(descriptors_that_came_in_part)
{
    begin(RING_EXCLUSIVE);
    for (fake.fd_count = 0; fake.fd_count < RING_FDS; fake.fd_count++) {
        expect_not_opened(SMSHARD_SYSTEM, "descriptors did not come");
    }
    expect_opened();
    end();
}

TEST(rings_that_can_not_be_are_not_entered)
{
    for (int row = 0; row < 6; row++) {
        begin(RING_BROADCAST);
        fake.reply.consumer = 1; /* The last that there may be. */
        expect_opened();
        fake.reply.consumer = row == 0 ? 2 : 1;
        fake.reply.hold_max = row == 1 ? 0 : 4;
        fake.reply.shape.slot_count = row == 2 ? 0 : 4;
        fake.reply.shape.entries_max = row == 3 ? RING_ENTRIES_MAX + 1 : 8;
        if (row >= 4) {
            fake.reply.shape.mode = RING_SHARE;
            fake.reply.shape.queue_count = 1;
            fake.reply.consumer = row == 4 ? RING_CONSUMERS_MAX : UINT32_MAX;
        }
        expect_not_opened(SMSHARD_REFUSED, "describes a ring that can't be");
        end();
    }
}

TEST(what_answers_is_a_worker_of_this_version)
{
    begin(RING_EXCLUSIVE);
    fake.reply.abi++;
    expect_not_opened(SMSHARD_REFUSED, "no worker of this version");
    fake.reply.abi = RING_ABI;
    fake.reply.magic++;
    expect_not_opened(SMSHARD_REFUSED, "no worker of this version");
    fake.reply.magic = RING_MAGIC;
    fake.reply_size--;
    expect_not_opened(SMSHARD_REFUSED, "no worker of this version");
    fake.reply_size++;
    fake.reply.answer = RING_REFUSED;
    memset(fake.reply.text, 'x', sizeof(fake.reply.text)); /* No end. */
    expect_not_opened(SMSHARD_REFUSED, "xxx");
    end();
}

TEST(a_path_that_a_socket_can_not_have)
{
    struct sockaddr_un a;
    struct smshard_options o = SMSHARD_OPTIONS;
    char path[sizeof(a.sun_path) + 1];
    struct smshard *ring;

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    o.socket = path;
    o.channel = "train";
    o.rank = 0;
    path[sizeof(path) - 1] = '\0'; /* No room for its end. */
    EXPECT(smshard_open(&o, NULL, 0, &ring) == SMSHARD_INVALID);
    path[sizeof(path) - 2] = '\0';
    EXPECT(smshard_open(&o, NULL, 0, &ring) == SMSHARD_RESET);
}

/* ---- Coming, and coming anew. ----------------------------------------------
 */

TEST(what_came_is_not_passed_on)
{
    struct smshard *ring;

    begin(RING_EXCLUSIVE);
    EXPECT(try_open(NULL, 0, &ring) == SMSHARD_OK);
    EXPECT((fcntl(ring->fd, F_GETFD) & FD_CLOEXEC) != 0);
    for (int i = RING_FD_NEWS; i <= RING_FD_RELEASED; i++) {
        EXPECT((fcntl(ring->fds[i], F_GETFD) & FD_CLOEXEC) != 0);
    }
    smshard_close(&ring);
    end();
}

/* Who comes anew has not heard less than before: the ends that it was told are
 * told already, whatever the new worker counts. */
TEST(who_comes_anew_says_where_it_was)
{
    struct smshard *ring;
    uint32_t files;

    begin(RING_SHARE);
    files = files_open();
    fake.reply.ended = 3;
    EXPECT(try_open(NULL, 0, &ring) == SMSHARD_OK);
    EXPECT(fake.hello.incarnation == 0 && fake.hello.released == 0);
    EXPECT_EQ(ring->ended, 3);
    EXPECT(smshard_fd(ring) >= 0);
    fake.reply.ended = 9;
    fake.reply.incarnation = 78;
    EXPECT(smshard_reopen(ring, -1) == SMSHARD_OK);
    EXPECT_EQ(fake.hello.incarnation, 0); /* It has had nothing yet. */
    EXPECT_EQ(ring->ended, 3);
    EXPECT(ring->is_behind && !ring->is_reset);
    ring->has_unit = true;
    ring->epoch = 5;
    ring->position = 6;
    ring->units = 7;
    EXPECT(smshard_reopen(ring, -1) == SMSHARD_OK);
    EXPECT(fake.hello.incarnation == 78 && fake.hello.released == 7);
    EXPECT(fake.hello.epoch == 5 && fake.hello.position == 6);
    EXPECT_EQ(ring->connections, 3);
    EXPECT(smshard_fd(ring) >= 0);
    smshard_close(&ring);
    fake_hang_up();
    EXPECT_EQ(files_open(), files);
    end();
}

TEST(who_has_slept_waits_no_more)
{
    struct smshard_sample sample;
    struct smshard_stats stats;

    begin(RING_EXCLUSIVE);
    EXPECT(try_open(NULL, 0, &fake.sleeper) == SMSHARD_OK);
    EXPECT(smshard_next(fake.sleeper, 1, &sample) == SMSHARD_TIMEOUT);
    EXPECT_EQ(atomic_load(&fake.sleeper->shared->waiters), 0);
    EXPECT(smshard_stats(fake.sleeper, &stats) == SMSHARD_OK);
    smshard_close(&fake.sleeper);
    end();
}
