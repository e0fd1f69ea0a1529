/* SPDX-License-Identifier: Apache-2.0 */
/* The consumers' library, and a host's socket under hands that are not its
 * own. */
#define SMSHARD_HOOKS
#include <poll.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "tests/ring_kit.h"
#include "worker/client/smshard_state.h"

static struct smshard *releasing; /* Where another thread may come between. */
static uint32_t refusals;

void smshard_hook(enum smshard_point point)
{
    if (releasing != NULL &&
        (point == SMSHARD_AT_RELEASED || point == SMSHARD_AT_DISARMED ||
         point == SMSHARD_AT_RUNG)) {
        EXPECT_EQ(smshard_reopen(releasing, 0), SMSHARD_INVALID);
        refusals++;
    }
}

/* Who is at the other end of a socket; -1: whoever it is. */
static int64_t peer_uid = -1;

/* In the place of the C library's. */
int getsockopt(int fd, int level, int name, void *restrict val,
               socklen_t *restrict len)
{
    int result = (int)syscall(SYS_getsockopt, fd, level, name, val, len);

    if (result == 0 && level == SOL_SOCKET && name == SO_PEERCRED &&
        peer_uid >= 0) {
        ((struct ucred *)val)->uid = (uid_t)peer_uid;
    }
    return result;
}

/* ---- By hand. --------------------------------------------------------------
 */

static int dial(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", ring_host_path(rk.host));
    EXPECT(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    return fd;
}

static struct ring_hello hello(void)
{
    return (struct ring_hello){.magic = RING_MAGIC,
                               .abi = RING_ABI,
                               .version = "9.8",
                               .channel = "train",
                               .member = RING_ANY};
}

static void settle(void)
{
    for (int i = 0; i < 5; i++) {
        rk_step(0);
    }
}

/* Say it and hear the answer; descriptors that come with it are lost. */
static struct ring_reply ask(int fd, const void *bytes, size_t size)
{
    struct ring_reply reply;

    memset(&reply, 0, sizeof(reply));
    EXPECT(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
    settle();
    EXPECT(recv(fd, &reply, sizeof(reply), MSG_DONTWAIT) ==
           (ssize_t)sizeof(reply));
    return reply;
}

static void expect_refused(const struct ring_hello *h, const char *why)
{
    int fd = dial();
    struct ring_reply reply = ask(fd, h, sizeof(*h));
    char byte;

    EXPECT_EQ(reply.answer, RING_REFUSED);
    EXPECT_STR(reply.text, why);
    EXPECT(recv(fd, &byte, 1, MSG_DONTWAIT) == 0); /* And hung up. */
    close(fd);
}

TEST(who_is_refused_hears_why)
{
    struct ring_hello h;

    rk_begin(RING_BROADCAST, 2, 10);
    rk_open_host();
    h = hello();
    h.abi = 2;
    expect_refused(&h, "the consumer (libsmshard 9.8) speaks version 2 of the "
                       "ring, this worker version 1: use the libsmshard that "
                       "came with it");
    h = hello();
    h.magic = 1;
    expect_refused(&h, "that is not how a ring is asked for");
    h = hello();
    memset(h.channel, 'x', 3);
    expect_refused(&h, "no channel xxxin is delivered as a ring");
    h = hello();
    h.rank = 4;
    expect_refused(&h, "train: there is no rank 4 on this host; it has 1");
    h = hello();
    h.mode = RING_SHARE;
    expect_refused(&h,
                   "train: rank 0 is delivered in mode broadcast, not share");
    h = hello();
    h.mode = 77;
    expect_refused(&h,
                   "train: rank 0 is delivered in mode broadcast, not unknown");
    h = hello();
    h.member = 2;
    expect_refused(&h, "train: there is no member 2; it has 2");
    rk_end();
}

TEST(another_user_reads_nothing)
{
    struct ring_hello h = hello();
    char why[RING_TEXT_MAX];
    int fd;

    rk_begin(RING_EXCLUSIVE, 1, 10);
    rk_open_host();
    peer_uid = (int64_t)geteuid() + 1;
    snprintf(why, sizeof(why),
             "user %lld may not read what user %u's worker delivers",
             (long long)peer_uid, geteuid());
    expect_refused(&h, why);
    EXPECT_EQ(ring_stats(rk.ring).connected, 0);
    for (int i = 0; i < 2; i++) { /* Root, and ourselves. */
        peer_uid = i == 0 ? 0 : (int64_t)geteuid();
        fd = dial();
        EXPECT_EQ(ask(fd, &h, sizeof(h)).answer, RING_WELCOME);
        close(fd);
        settle();
    }
    peer_uid = -1;
    rk_end();
}

TEST(who_wants_few_slots_gets_no_more)
{
    static const uint32_t rows[][2] = {
        {0, RK_SLOTS}, {1, 1}, {3, 3}, {RK_SLOTS, RK_SLOTS}, {99, RK_SLOTS}};

    rk_begin(RING_EXCLUSIVE, 1, 10);
    rk_open_host();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ring_hello h = hello();
        int fd = dial();

        h.want = rows[i][0];
        EXPECT_EQ(ask(fd, &h, sizeof(h)).hold_max, rows[i][1]);
        close(fd);
        settle();
    }
    rk_end();
}

/* Of a consumer that comes anew to the ring that it had, the worker knows more
 * than it says. */
TEST(where_one_was_counts_when_it_had_another_worker)
{
    struct ring_hello h = hello();
    struct ring_cursor cursor;
    uint64_t here;
    int fd;

    rk_begin(RING_EXCLUSIVE, 1, 10);
    rk_open_host();
    fd = dial();
    here = ask(fd, &h, sizeof(h)).incarnation;
    close(fd);
    settle();
    h.epoch = 1;
    h.position = 7;
    for (int i = 0; i < 4; i++) {
        const uint64_t from[] = {0, here, here + 1, here + 1};

        h.incarnation = from[i];
        h.released = i == 2 ? 0 : 9;
        fd = dial();
        EXPECT_EQ(ask(fd, &h, sizeof(h)).answer, RING_WELCOME);
        EXPECT_EQ(ring_take_cursor(rk.ring, &cursor), i == 3);
        close(fd);
        settle();
    }
    EXPECT_EQ(cursor.incarnation, here + 1);
    EXPECT(cursor.epoch == 1 && cursor.position == 7 && cursor.released == 9);
    EXPECT(!ring_take_cursor(rk.ring, &cursor)); /* Once. */
    rk_end();
}

/* What a greeting gave: the control memory and the bell of its own. */
struct guest {
    int fd;
    int fds[RING_FDS];
    size_t size;
    void *control;
    struct ring_slot *slot;
    uint32_t consumer;
};

static struct guest enter(void)
{
    struct ring_hello h = hello();
    struct ring_reply reply;
    struct iovec part = {&reply, sizeof(reply)};
    union {
        char bytes[CMSG_SPACE(RING_FDS * sizeof(int))];
        struct cmsghdr head;
    } extra = {{0}};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = extra.bytes,
                       .msg_controllen = sizeof(extra.bytes)};
    struct guest g = {.fd = dial()};
    struct ring_layout layout;
    struct fault why;

    EXPECT(send(g.fd, &h, sizeof(h), MSG_NOSIGNAL) == (ssize_t)sizeof(h));
    for (int i = 0; i < 3; i++) {
        EXPECT(ring_host_step(rk.host, &why) == STATUS_OK);
    }
    EXPECT(recvmsg(g.fd, &m, MSG_DONTWAIT) == (ssize_t)sizeof(reply));
    EXPECT_EQ(reply.answer, RING_WELCOME);
    memcpy(g.fds, CMSG_DATA(&extra.head), sizeof(g.fds));
    EXPECT(ring_layout_make(&reply.shape, &layout));
    g.control = mmap(NULL, layout.control_size, PROT_READ | PROT_WRITE,
                     MAP_SHARED, g.fds[RING_FD_CONTROL], 0);
    EXPECT(g.control != MAP_FAILED);
    g.size = layout.control_size;
    g.consumer = reply.consumer;
    g.slot = ring_slot_at(g.control, &layout, 0);
    atomic_store(&ring_consumer_at(g.control, &layout, g.consumer)->is_armed,
                 1);
    return g;
}

static void leave(const struct guest *g)
{
    munmap(g->control, g->size);
    for (int i = 0; i < RING_FDS; i++) {
        close(g->fds[i]);
    }
    close(g->fd);
}

static bool was_rung(const struct guest *g)
{
    struct pollfd p = {g->fds[RING_FD_NEWS], POLLIN, 0};

    return poll(&p, 1, 0) == 1;
}

/* One that was turned out and has not gone is not rung in the place of the one
 * that has its seat now. */
TEST(news_are_for_who_is_there_now)
{
    struct guest old;
    struct guest now;
    struct fault why;

    rk_begin(RING_SHARE, 2, 10);
    rk_open_host();
    rk_publish();
    old = enter();
    atomic_store(&old.slot->word, 0x5555);
    ring_doubt(rk.ring);
    EXPECT(ring_host_step(rk.host, &why) == STATUS_OK);
    EXPECT_EQ(ring_stats(rk.ring).kicked, 1);
    now = enter();
    EXPECT_EQ(now.consumer, old.consumer);
    EXPECT(!was_rung(&now));
    ring_ask_back(rk.ring);
    EXPECT(was_rung(&now) && !was_rung(&old));
    leave(&old);
    leave(&now);
    settle();
    rk_end();
}

TEST(packets_of_any_size_do_no_harm)
{
    uint8_t bytes[4096];

    rk_begin(RING_EXCLUSIVE, 1, 10);
    rk_open_host();
    memset(bytes, 0xff, sizeof(bytes));
    for (size_t size = 1; size < sizeof(bytes); size = size * 2 + 1) {
        int fd = dial();

        EXPECT_EQ(ask(fd, bytes, size).answer, RING_REFUSED);
        close(fd);
    }
    settle();
    EXPECT_EQ(ring_stats(rk.ring).connected, 0);
    rk_end();
}

TEST(who_talks_out_of_turn_is_turned_out)
{
    struct ring_hello h = hello();
    int fd;
    int other;

    rk_begin(RING_EXCLUSIVE, 1, 10);
    rk_open_host();
    fd = dial();
    EXPECT_EQ(ask(fd, &h, sizeof(h)).answer, RING_WELCOME);
    EXPECT(send(fd, &h, sizeof(h), MSG_NOSIGNAL) > 0);
    settle();
    EXPECT_EQ(ring_stats(rk.ring).kicked, 1);
    EXPECT_EQ(ring_stats(rk.ring).gone, 0); /* It may look at its slots. */
    other = dial();
    EXPECT_EQ(ask(other, &h, sizeof(h)).answer, RING_BUSY);
    close(other);
    close(fd);
    settle();
    EXPECT_EQ(ring_stats(rk.ring).gone, 1);
    other = dial();
    EXPECT_EQ(ask(other, &h, sizeof(h)).answer, RING_WELCOME);
    close(other);
    settle();
    rk_end();
}

/* ---- The folder. -----------------------------------------------------------
 */

/* Nobody can be taken for want of descriptors: the owner is not kept awake by
 * it, and takes them when there are some. */
TEST(who_can_not_be_taken_waits)
{
    struct ring_hello h = hello();
    struct ring_reply reply;
    struct rlimit before;
    struct rlimit few;
    struct fault why;
    struct pollfd host;
    int fd;

    rk_begin(RING_EXCLUSIVE, 1, 10);
    rk_open_host();
    settle();
    fd = dial();
    EXPECT(send(fd, &h, sizeof(h), MSG_NOSIGNAL) == (ssize_t)sizeof(h));
    EXPECT(getrlimit(RLIMIT_NOFILE, &before) == 0);
    few = before;
    few.rlim_cur = (rlim_t)fd; /* No number is left. */
    EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
    EXPECT_EQ(ring_host_step(rk.host, &why), STATUS_OS);
    EXPECT(strstr(why.text, "no further consumer can be taken") != NULL);
    host = (struct pollfd){ring_host_fd(rk.host), POLLIN, 0};
    EXPECT(setrlimit(RLIMIT_NOFILE, &before) == 0);
    EXPECT_EQ(poll(&host, 1, 0), 0);
    settle();
    EXPECT(recv(fd, &reply, sizeof(reply), MSG_DONTWAIT) ==
           (ssize_t)sizeof(reply));
    EXPECT_EQ(reply.answer, RING_WELCOME);
    close(fd);
    rk_end();
}

TEST(what_is_made_is_ours_alone)
{
    struct ring_host *host = NULL;
    struct stat about;
    struct fault why;
    char folder[] = "/tmp/smshard-test-XXXXXX";
    char path[64];

    EXPECT(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/own", folder);
    umask(0);
    EXPECT(ring_host_open(path, &why, &host) == STATUS_OK);
    EXPECT(stat(path, &about) == 0 && (about.st_mode & 07777) == 0700);
    EXPECT(stat(ring_host_path(host), &about) == 0);
    EXPECT(S_ISSOCK(about.st_mode) && (about.st_mode & 07777) == 0600);
    ring_host_close(&host);
    EXPECT(rmdir(path) == 0 && rmdir(folder) == 0);
}

TEST(a_folder_that_others_reach_is_refused)
{
    struct ring_host *host = NULL;
    struct fault why;
    char folder[] = "/tmp/smshard-test-XXXXXX";
    char path[300];

    EXPECT(mkdtemp(folder) != NULL);
    EXPECT(chmod(folder, 0755) == 0);
    EXPECT(ring_host_open(folder, &why, &host) == STATUS_CONFLICT);
    EXPECT(chmod(folder, 0710) == 0);
    EXPECT(ring_host_open(folder, &why, &host) == STATUS_CONFLICT);
    EXPECT(chmod(folder, 0700) == 0);
    EXPECT(ring_host_open(folder, &why, &host) == STATUS_OK);
    ring_host_close(&host);
    snprintf(path, sizeof(path), "%s/%0100d", folder, 7);
    EXPECT(ring_host_open(path, &why, &host) == STATUS_CONFLICT);
    EXPECT(strstr(why.text, "a shorter one") != NULL);
    rmdir(path);
    EXPECT(rmdir(folder) == 0);
}

TEST(rings_that_can_not_be)
{
    struct ring_options bad;
    struct ring *ring;
    struct fault why;

    rk_begin(RING_EXCLUSIVE, 1, 10);
    rk_open_host();
    bad = rk.options;
    EXPECT(ring_new(rk.host, &bad, &why, &ring) == STATUS_CONFLICT);
    EXPECT_STR(why.text, "train: rank 0 has a ring already");
    bad.rank = 1;
    bad.consumers = 2;
    EXPECT(ring_new(rk.host, &bad, &why, &ring) == STATUS_INVALID);
    bad.consumers = 1;
    bad.slots_max = RK_SLOTS + 1;
    EXPECT(ring_new(rk.host, &bad, &why, &ring) == STATUS_INVALID);
    rk_end();
}

/* ---- The library. ----------------------------------------------------------
 */

static void expect_not_opened(struct smshard_options o, int status,
                              const char *part)
{
    struct smshard *ring;
    char why[512] = "";

    EXPECT_EQ((unsigned)smshard_open(&o, why, sizeof(why), &ring),
              (unsigned)status);
    EXPECT(ring == NULL);
    if (strstr(why, part) == NULL) {
        fprintf(stderr, "%s\n", why);
        EXPECT(false);
    }
}

TEST(what_can_not_be_opened)
{
    struct smshard_options o = SMSHARD_OPTIONS;

    unsetenv("SMSHARD_RING");
    o.channel = "train";
    expect_not_opened(o, SMSHARD_INVALID, "SMSHARD_RING");
    o.socket = "/nowhere/ring";
    expect_not_opened(o, SMSHARD_RESET, "no worker listens there");
    o.channel = NULL;
    expect_not_opened(o, SMSHARD_INVALID, "the channel is not given");
    o.channel = "train";
    o.mode = 9;
    expect_not_opened(o, SMSHARD_INVALID, "no mode 9");
    o.mode = SMSHARD_ANY;
    setenv("LOCAL_RANK", "two", 1);
    expect_not_opened(o, SMSHARD_INVALID, "LOCAL_RANK");
    o.rank = -7;
    expect_not_opened(o, SMSHARD_INVALID, "rank -7");
    o.size = 8;
    expect_not_opened(o, SMSHARD_INVALID, "SMSHARD_OPTIONS");
}

TEST(every_status_has_a_text)
{
    for (int status = SMSHARD_MALFORMED; status <= SMSHARD_TIMEOUT; status++) {
        EXPECT(strcmp(smshard_status_text(status), smshard_status_text(99)) !=
               0);
    }
    EXPECT(smshard_version()[0] != '\0');
}

/* What programs that were built with the first libsmshard.so.0 count on: fields
 * are added at the end of the options alone, which say their size. */
TEST(the_abi_stays)
{
    struct smshard_options o = SMSHARD_OPTIONS;

    EXPECT_EQ(sizeof(void *), 8);
    EXPECT_EQ(offsetof(struct smshard_options, rank), 24);
    EXPECT_EQ(offsetof(struct smshard_options, hold_max), 36);
    EXPECT_EQ(offsetof(struct smshard_options, timeout_ms), 40);
    EXPECT(sizeof(o) >= 48 && o.size == sizeof(o));
    EXPECT_EQ(offsetof(struct smshard_sample, unit_size), 40);
    EXPECT_EQ(offsetof(struct smshard_sample, is_last), 52);
    EXPECT_EQ(offsetof(struct smshard_sample, token), 56);
    EXPECT_EQ(sizeof(struct smshard_sample), 88);
    EXPECT_EQ(offsetof(struct smshard_memory, slot_count), 24);
    EXPECT_EQ(sizeof(struct smshard_memory), 40);
    EXPECT_EQ(offsetof(struct smshard_stats, sleeps), 48);
    EXPECT_EQ(sizeof(struct smshard_stats), 64);
    EXPECT_EQ(SMSHARD_OVER, 2);
    EXPECT_EQ(SMSHARD_MALFORMED, -8);
    EXPECT_EQ(SMSHARD_BROADCAST, 3);
}

/* The worker as a process of its own, so that the library can be waited for
 * here. It says so when it listens, and ends when it is killed. */
static pid_t start_worker(void)
{
    int told[2];
    char byte;
    pid_t worker;

    EXPECT(pipe(told) == 0);
    fflush(NULL);
    worker = fork();
    if (worker == 0) {
        rk_open_host();
        EXPECT(write(told[1], "x", 1) == 1);
        for (;;) {
            rk_step(5);
        }
    }
    EXPECT(read(told[0], &byte, 1) == 1);
    close(told[0]);
    close(told[1]);
    return worker;
}

static struct smshard *open_ring(unsigned hold_max)
{
    struct smshard_options o = SMSHARD_OPTIONS;
    struct smshard *ring;
    char path[128];
    char why[512];

    snprintf(path, sizeof(path), "%s/ring", rk.folder);
    o.socket = path;
    o.channel = "train";
    o.hold_max = hold_max;
    EXPECT(smshard_open(&o, why, sizeof(why), &ring) == SMSHARD_OK);
    return ring;
}

static void stop_worker(pid_t worker)
{
    char path[128];
    int state;

    kill(worker, SIGKILL);
    EXPECT(waitpid(worker, &state, 0) == worker);
    snprintf(path, sizeof(path), "%s/ring", rk.folder);
    unlink(path);
    rk_end();
}

TEST(samples_held_and_given_back)
{
    struct smshard_sample held[64];
    struct smshard_sample forged;
    struct smshard_stats stats;
    struct smshard_memory memory;
    struct smshard *ring;
    uint32_t count = 0;
    int status;
    pid_t worker;

    rk_begin(RING_EXCLUSIVE, 1, 200);
    worker = start_worker();
    ring = open_ring(2);
    while ((status = smshard_next(ring, -1, &held[count])) == SMSHARD_OK) {
        count++;
        EXPECT(count < 64);
    }
    EXPECT_EQ((unsigned)status, (unsigned)SMSHARD_HELD);
    EXPECT(smshard_stats(ring, &stats) == SMSHARD_OK);
    EXPECT(stats.held <= 2 && stats.held > 0 && stats.samples == count);
    EXPECT(smshard_memory(ring, &memory) == SMSHARD_OK);
    EXPECT(memory.size == RK_SLOTS * RK_SLOT && memory.mode == RING_EXCLUSIVE);
    for (uint32_t i = 0; i < count; i++) {
        const char *at = held[i].data;

        EXPECT(at >= (const char *)memory.data &&
               at + held[i].size <= (const char *)memory.data + memory.size);
        EXPECT(rp_is_right(held[i].position, 0, held[i].size, at));
    }
    forged = held[0];
    forged.token[0] = 1000000;
    EXPECT(smshard_release(ring, &forged) == SMSHARD_INVALID);
    EXPECT(smshard_reopen(ring, 0) == SMSHARD_INVALID);
    for (uint32_t i = count; i > 0; i--) {
        EXPECT(smshard_release(ring, &held[i - 1]) == SMSHARD_OK);
        EXPECT(smshard_release(ring, &held[i - 1]) == SMSHARD_INVALID);
    }
    EXPECT(smshard_next(ring, -1, &held[0]) == SMSHARD_OK);
    smshard_close(&ring);
    EXPECT(ring == NULL);
    stop_worker(worker);
}

TEST(a_worker_that_is_killed_is_noticed)
{
    struct smshard_sample sample;
    struct smshard *ring;
    int status;
    pid_t worker;

    rk_begin(RING_EXCLUSIVE, 1, 20);
    worker = start_worker();
    ring = open_ring(0);
    EXPECT(smshard_next(ring, -1, &sample) == SMSHARD_OK);
    stop_worker(worker);
    EXPECT(smshard_release(ring, &sample) == SMSHARD_OK);
    while ((status = smshard_next(ring, -1, &sample)) == SMSHARD_OK) {
        EXPECT(smshard_release(ring, &sample) == SMSHARD_OK);
    }
    EXPECT(status == SMSHARD_RESET || status == SMSHARD_OVER ||
           status == SMSHARD_END);
    while (status == SMSHARD_END) {
        status = smshard_next(ring, -1, &sample);
    }
    EXPECT(status == SMSHARD_RESET || status == SMSHARD_OVER);
    EXPECT(smshard_reopen(ring, 50) == SMSHARD_RESET);
    EXPECT(smshard_next(ring, 0, &sample) == SMSHARD_RESET);
    EXPECT(strstr(smshard_error(ring), "reopen") != NULL);
    smshard_close(&ring);
}

/* Another thread reopens while one is in the middle of a release: what that
 * one looks at has to stay until it is through. */
TEST(who_releases_is_not_cut_off)
{
    struct smshard_sample sample;
    struct smshard *ring;
    pid_t worker;

    rk_begin(RING_EXCLUSIVE, 1, 20);
    worker = start_worker();
    ring = open_ring(0);
    EXPECT(smshard_next(ring, -1, &sample) == SMSHARD_OK);
    while (ring->reading.is_open) { /* One slot, and no more. */
        EXPECT(smshard_release(ring, &sample) == SMSHARD_OK);
        EXPECT(smshard_next(ring, -1, &sample) == SMSHARD_OK);
    }
    releasing = ring;
    EXPECT(smshard_release(ring, &sample) == SMSHARD_OK);
    releasing = NULL;
    EXPECT(refusals > 0);
    smshard_close(&ring);
    stop_worker(worker);
}

TEST(no_place_is_waited_for)
{
    struct smshard_options o = SMSHARD_OPTIONS;
    struct smshard *first;
    char path[128];
    pid_t worker;

    rk_begin(RING_EXCLUSIVE, 1, 20);
    worker = start_worker();
    first = open_ring(0);
    snprintf(path, sizeof(path), "%s/ring", rk.folder);
    o.socket = path;
    o.channel = "train";
    o.timeout_ms = 2000;
    expect_not_opened(o, SMSHARD_TIMEOUT, "in mode exclusive, and process");
    smshard_close(&first);
    o.timeout_ms = 60000;
    EXPECT(smshard_open(&o, NULL, 0, &first) == SMSHARD_OK);
    smshard_close(&first);
    stop_worker(worker);
}
