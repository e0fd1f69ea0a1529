/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's side of a ring for the tests of its clients: delivers files as
 * units, in the order of the arguments, each epoch the same.
 *
 * ring_server FOLDER [KEY=NUMBER…] FILE…
 *   mode: enum smshard_mode; consumers rank epochs
 *   slots size: of memory; entries: of a slot
 *   stay: do not end before standard input does
 *
 * One line of output for each thing that happens: `ready SOCKET`, `commit
 * EPOCH POSITION`, `torn EPOCH POSITION`, `end EPOCH`, `over`. It ends when all
 * is delivered and every consumer has gone, or when standard input ends. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "worker/ring.h"

enum { PIECE = 1 << 16, ENTRIES_MAX = 256, SLOTS = 256 };

struct unit {
    struct buf bytes;
    size_t back; /* Bytes of this epoch that were consumed. */
    bool is_torn;
    bool is_done;
};

static struct {
    long mode;
    long consumers;
    long rank;
    long epochs;
    long slots;
    long size;
    long entries;
    long stay;
} want = {1, 1, 0, 1, 8, 8192, 64, 0};

static struct {
    struct ring_host *host;
    struct ring *ring;
    struct slots *slots;
    struct unit *units;
    size_t unit_count;
    size_t done;
    uint64_t epoch;
    size_t fresh; /* The first unit that was never chosen. */
    size_t unit;
    size_t offset; /* In the chosen unit; @is_chosen. */
    bool is_chosen;
    bool is_ended; /* This epoch was. */
    bool is_over;
    bool is_alone; /* Standard input has ended. */
    struct flow_slot filled;
    struct flow_entry entries[SLOTS][ENTRIES_MAX];
} server;

_Noreturn static void give_up(const char *what)
{
    fprintf(stderr, "ring_server: %s\n", what);
    exit(1);
}

static bool set_number(const char *text)
{
    const struct {
        const char *name;
        long *to;
    } keys[] = {{"mode=", &want.mode},       {"consumers=", &want.consumers},
                {"rank=", &want.rank},       {"epochs=", &want.epochs},
                {"slots=", &want.slots},     {"size=", &want.size},
                {"entries=", &want.entries}, {"stay=", &want.stay}};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        size_t size = strlen(keys[i].name);

        if (strncmp(text, keys[i].name, size) == 0) {
            *keys[i].to = strtol(text + size, NULL, 10);
            return true;
        }
    }
    return false;
}

/* By stdio alone: a machine with a GPU may have no library to link. */
static void read_unit(const char *path, struct unit *u)
{
    FILE *f = fopen(path, "rb");
    size_t got = PIECE;

    if (f == NULL) {
        give_up(path);
    }
    while (got == PIECE) {
        got = fread(buf_reserve(&u->bytes, PIECE), 1, PIECE, f);
        buf_add_done(&u->bytes, got);
    }
    fclose(f);
}

static struct bytes unit_bytes(size_t unit)
{
    return buf_bytes(&server.units[unit].bytes);
}

/* ---- Filling. --------------------------------------------------------------
 */

/* What is torn comes once more, when nothing fresh is left. */
static bool choose(void)
{
    if (server.is_chosen) {
        return true;
    }
    server.offset = 0;
    if (server.fresh < server.unit_count) {
        server.unit = server.fresh++;
        server.is_chosen = true;
        return true;
    }
    for (size_t i = 0; i < server.unit_count && !server.is_chosen; i++) {
        if (server.units[i].is_torn) {
            server.units[i].is_torn = false;
            server.units[i].back = 0;
            server.unit = i;
            server.is_chosen = true;
        }
    }
    return server.is_chosen;
}

/* Put the chosen unit, or its next part, behind what is in the slot. */
static void add_entry(struct flow_slot *f)
{
    struct bytes unit = unit_bytes(server.unit);
    struct flow_entry *e = &server.entries[f->slot][f->entry_count++];
    size_t left = unit.size - server.offset;
    size_t room = slots_size(server.slots) - f->size;

    *e = (struct flow_entry){.epoch = server.epoch,
                             .position = server.unit,
                             .unit_size = unit.size,
                             .offset = server.offset,
                             .at = f->size,
                             .size = left < room ? left : room,
                             .is_first = server.offset == 0};
    e->is_last = e->size == left;
    if (e->size > 0) {
        memcpy((char *)slots_at(server.slots, f->slot) + e->at,
               unit.at + server.offset, e->size);
    }
    server.offset += e->size;
    server.is_chosen = !e->is_last;
    f->size = (f->size + e->size + FLOW_ENTRY_ALIGN - 1) / FLOW_ENTRY_ALIGN *
              FLOW_ENTRY_ALIGN;
}

static bool is_small(size_t unit)
{
    return unit_bytes(unit).size <= slots_size(server.slots) / FLOW_SMALL_PART;
}

static bool fill(void)
{
    struct flow_slot f = {.entries = NULL};

    if (server.is_ended || slots_free(server.slots) == 0 || !choose()) {
        return false;
    }
    f.slot = slots_take(server.slots);
    f.data = slots_at(server.slots, f.slot);
    f.entries = server.entries[f.slot];
    add_entry(&f);
    while (f.entries[0].is_last && is_small(f.entries[0].position) &&
           f.entry_count < (uint32_t)want.entries &&
           server.fresh < server.unit_count && is_small(server.fresh) &&
           unit_bytes(server.fresh).size <= slots_size(server.slots) - f.size) {
        (void)choose();
        add_entry(&f);
    }
    server.filled = f;
    return true;
}

/* ---- What became of it. ----------------------------------------------------
 */

static void tear(const struct flow_slot *f)
{
    for (uint32_t i = 0; i < f->entry_count; i++) {
        struct unit *u = &server.units[f->entries[i].position];

        if (!u->is_torn) {
            printf("torn %llu %llu\n", (unsigned long long)f->entries[i].epoch,
                   (unsigned long long)f->entries[i].position);
        }
        u->is_torn = true;
    }
}

static void commit(const struct flow_slot *f)
{
    for (uint32_t i = 0; i < f->entry_count; i++) {
        const struct flow_entry *e = &f->entries[i];
        struct unit *u = &server.units[e->position];

        u->back += e->size;
        if (u->back == e->unit_size && !u->is_done && e->is_last) {
            u->is_done = true;
            server.done++;
            printf("commit %llu %llu\n", (unsigned long long)e->epoch,
                   (unsigned long long)e->position);
        }
    }
}

static void take(void)
{
    struct ring_outcome o;

    while (ring_take_outcome(server.ring, &o)) {
        if (o.kind == RING_TORN) {
            tear(&o.slot);
        } else {
            commit(&o.slot);
        }
        slots_give(server.slots, o.slot.slot);
    }
}

static void publish(void)
{
    enum status s = STATUS_OK;

    while (s == STATUS_OK && (server.filled.entry_count > 0 || fill())) {
        s = ring_publish(server.ring, &server.filled);
        if (s == STATUS_LOST) {
            tear(&server.filled);
            server.is_chosen = false;
            slots_give(server.slots, server.filled.slot);
            s = STATUS_OK;
        } else if (s != STATUS_OK && s != STATUS_EMPTY) {
            give_up("a slot can't be published");
        }
        if (s == STATUS_OK) {
            server.filled.entry_count = 0;
        }
    }
}

static void begin_epoch(void)
{
    server.epoch++;
    server.fresh = 0;
    server.done = 0;
    server.is_ended = false;
    for (size_t i = 0; i < server.unit_count; i++) {
        server.units[i].back = 0;
        server.units[i].is_done = false;
    }
}

static void end_epochs(void)
{
    bool is_out = server.filled.entry_count == 0 && !server.is_chosen &&
                  server.fresh == server.unit_count;

    if (is_out && !server.is_over) {
        ring_ask_back(server.ring);
    }
    if (!server.is_ended && server.done == server.unit_count) {
        server.is_ended =
            ring_end_epoch(server.ring, server.epoch) == STATUS_OK;
        if (server.is_ended) {
            printf("end %llu\n", (unsigned long long)server.epoch);
        }
    }
    if (server.is_ended && server.epoch + 1 < (uint64_t)want.epochs) {
        begin_epoch();
    } else if (server.is_ended && !server.is_over) {
        server.is_over = ring_end(server.ring) == STATUS_OK;
        if (server.is_over) {
            printf("over\n");
        }
    }
}

/* ---- The loop. -------------------------------------------------------------
 */

static void step(void)
{
    struct pollfd fds[] = {
        {.fd = ring_host_fd(server.host), .events = POLLIN},
        {.fd = STDIN_FILENO, .events = POLLIN},
    };
    struct fault why;
    char bytes[64];

    if (poll(fds, 2, 1000) < 0 && errno != EINTR) {
        give_up("poll");
    }
    server.is_alone = (fds[1].revents & (POLLIN | POLLHUP)) != 0 &&
                      read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0;
    if (ring_host_step(server.host, &why) != STATUS_OK) {
        give_up(why.text);
    }
    take();
    publish();
    take();
    end_epochs();
    publish();
    fflush(stdout);
}

static void open_all(const char *folder)
{
    struct slots_options slots = {.kind = SLOTS_SHARED,
                                  .count = (uint32_t)want.slots,
                                  .size = (size_t)want.size,
                                  .node = -1};
    struct ring_options ring = {.channel = "train",
                                .rank = (uint32_t)want.rank,
                                .mode = (enum ring_mode)want.mode,
                                .consumers = (uint32_t)want.consumers,
                                .entries_max = (uint32_t)want.entries};
    struct fault why = {""};

    if (want.slots > SLOTS || want.entries > ENTRIES_MAX ||
        slots_new(&slots, &why, &server.slots) != STATUS_OK) {
        give_up(why.text);
    }
    ring.slots = server.slots;
    if (ring_host_open(folder, &why, &server.host) != STATUS_OK ||
        ring_new(server.host, &ring, &why, &server.ring) != STATUS_OK) {
        give_up(why.text);
    }
    printf("ready %s\n", ring_host_path(server.host));
    fflush(stdout);
}

static void close_all(void)
{
    ring_destroy(&server.ring);
    ring_host_close(&server.host);
    slots_destroy(&server.slots);
    for (size_t i = 0; i < server.unit_count; i++) {
        buf_fini(&server.units[i].bytes);
    }
    free(server.units);
}

int main(int argc, char **argv)
{
    struct ring_stats stats = {.connected = 0};

    if (argc < 3) {
        give_up("FOLDER [KEY=NUMBER…] FILE…");
    }
    server.units = mem_new((size_t)argc, sizeof(*server.units));
    for (int i = 2; i < argc; i++) {
        if (!set_number(argv[i])) {
            read_unit(argv[i], &server.units[server.unit_count++]);
        }
    }
    open_all(argv[1]);
    while (!server.is_alone && (want.stay != 0 || !server.is_over ||
                                stats.gone < stats.connected)) {
        step();
        stats = ring_stats(server.ring);
    }
    if (slots_free(server.slots) == slots_count(server.slots)) {
        close_all();
    }
    return 0;
}
