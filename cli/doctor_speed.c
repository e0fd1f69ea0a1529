/* SPDX-License-Identifier: Apache-2.0 */
/* How fast one object is written in parts and read in ranges, with one and
 * with many requests at once, each for some seconds at most. Every range is
 * the same random bytes, so that its checksum is known. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/prng.h"
#include "cli/doctor.h"
#include "cli/plan.h"

enum {
    SPEED_PART_SIZE = 8 << 20,
    SPEED_WRITE_MS = 5000,
    SPEED_READ_MS = 3000,
    SPEED_READ_TIMES = 64,  /* The object, at most. */
    SPEED_LIMIT_MS = 60000, /* Of one request, on a slow network. */
    SPEED_LANES_MAX = 32,
};

struct speed {
    struct doctor *doctor;
    enum doctor_check check;
    uint32_t lanes; /* Requests at once. */
    char *block;    /* What every part is. */
    uint64_t sum;   /* Of a whole one. */
    char *rooms[SPEED_LANES_MAX];
    struct store_part *parts;
    char key[STORE_KEY_MAX + 1];
    uint64_t until_ms;
    uint64_t bytes; /* Moved so far. */
    uint32_t next;  /* The part or range that comes next. */
    enum status status;
    struct fault why;
};

static uint64_t speed_parts(uint64_t bytes)
{
    return (bytes + SPEED_PART_SIZE - 1) / SPEED_PART_SIZE;
}

static size_t speed_size(uint64_t bytes, uint64_t part)
{
    uint64_t left = bytes - part * SPEED_PART_SIZE;

    return left < SPEED_PART_SIZE ? (size_t)left : SPEED_PART_SIZE;
}

static bool speed_may_go_on(const struct speed *s)
{
    return s->status == STATUS_OK && doctor_signal == 0 &&
           clock_now_ms(&clock_os) < s->until_ms;
}

static void speed_say(struct speed *s, uint64_t took_ms)
{
    struct doctor *d = s->doctor;
    struct doctor_line *line = &d->lines[s->check];
    struct buf rate = {0};
    struct buf size = {0};

    if (s->status != STATUS_OK) {
        doctor_fail(d, s->check, s->status, &s->why);
        return;
    }
    took_ms = took_ms > 0 ? took_ms : 1;
    line->bytes = s->bytes;
    line->ms = (int64_t)took_ms;
    line->bytes_per_s = (double)s->bytes * 1000 / (double)took_ms;
    plan_write_size((uint64_t)line->bytes_per_s, &rate);
    plan_write_size(s->bytes, &size);
    doctor_note(d, s->check, DOCTOR_OK, "%10s/s   %s in %.1f s",
                buf_text(&rate), buf_text(&size), (double)took_ms / 1000);
    buf_fini(&rate);
    buf_fini(&size);
}

/* Wait for one. What comes after a stop is not waited for longer than the
 * doctor does. */
static bool speed_wait(struct speed *s, struct store_event *e)
{
    if (!doctor_wait(s->doctor, e)) {
        s->status = fault_set(&s->why, STATUS_STOPPED, "stopped by a signal");
        return false;
    }
    if (e->status != STATUS_OK && s->status == STATUS_OK) {
        s->status = e->status;
        s->why = e->why;
    }
    return true;
}

/* ---- writing ------------------------------------------------------------ */

static void speed_send(struct speed *s)
{
    struct doctor *d = s->doctor;
    struct store_request r = {.op = STORE_UPLOAD_PART,
                              .tag = s->next,
                              .limit_ms = SPEED_LIMIT_MS,
                              .key = bytes_of(s->key),
                              .upload = d->upload,
                              .part = s->next + 1,
                              .body = s->block,
                              .size = speed_size(d->options.bytes, s->next)};

    if (store_submit(d->store, &r) != STATUS_OK) {
        UNREACHABLE("a store with so few requests is full");
    }
    s->parts[s->next++].size = r.size;
}

static void speed_write_parts(struct speed *s)
{
    uint64_t parts = speed_parts(s->doctor->options.bytes);
    struct store_event e;

    while (s->next < parts && s->next < s->lanes) {
        speed_send(s);
    }
    while (store_inflight(s->doctor->store) > 0 && speed_wait(s, &e)) {
        struct store_part *part = &s->parts[e.tag];

        memcpy(part->etag, e.etag, sizeof(part->etag));
        part->sum = e.sum;
        s->bytes += e.status == STATUS_OK ? part->size : 0;
        if (s->next < parts && speed_may_go_on(s)) {
            speed_send(s);
        }
    }
}

static void speed_end_upload(struct speed *s)
{
    struct doctor *d = s->doctor;
    struct store_request r = {.op = STORE_UPLOAD_END,
                              .key = bytes_of(s->key),
                              .upload = d->upload,
                              .parts = s->parts,
                              .part_count = s->next};
    struct store_event e;

    s->status = doctor_ask(d, &r, &e);
    s->why = e.why;
    if (s->status == STATUS_OK) {
        d->upload[0] = '\0';
        d->speed_bytes = s->bytes;
    }
}

static void speed_write(struct speed *s)
{
    struct doctor *d = s->doctor;
    struct store_request r = {.op = STORE_UPLOAD_BEGIN};
    struct store_event e;
    uint64_t start;

    r.key = bytes_of(doctor_key(d, "speed", s->key));
    memcpy(d->upload_key, s->key, sizeof(d->upload_key));
    s->status = doctor_ask(d, &r, &e);
    s->why = e.why;
    if (s->status == STATUS_OK) {
        memcpy(d->upload, e.upload, sizeof(d->upload));
        start = clock_now_ms(&clock_os);
        s->until_ms = start + SPEED_WRITE_MS;
        speed_write_parts(s);
        if (s->status == STATUS_OK) {
            speed_end_upload(s);
        }
        speed_say(s, clock_now_ms(&clock_os) - start);
    } else {
        speed_say(s, 0);
    }
}

/* ---- reading ------------------------------------------------------------ */

static void speed_receive(struct speed *s, uint64_t lane)
{
    struct doctor *d = s->doctor;
    uint64_t range = s->next++ % speed_parts(d->speed_bytes);
    struct store_request r = {.op = STORE_GET,
                              .tag = lane,
                              .limit_ms = SPEED_LIMIT_MS,
                              .key = bytes_of(s->key),
                              .offset = range * SPEED_PART_SIZE,
                              .size = speed_size(d->speed_bytes, range),
                              .into = s->rooms[lane],
                              .sum = CRC_64NVME};

    if (store_submit(d->store, &r) != STATUS_OK) {
        UNREACHABLE("a store with so few requests is full");
    }
}

/* A store that makes no checksum while it reads is compared byte by byte. */
static bool speed_is_same(const struct speed *s, const struct store_event *e)
{
    if (s->doctor->bucket == NULL) {
        return memcmp(s->rooms[e->tag], s->block, e->got) == 0;
    }
    return e->got_sum == (e->got == SPEED_PART_SIZE
                              ? s->sum
                              : crc_add(CRC_64NVME, 0, s->block, e->got));
}

static void speed_check(struct speed *s, const struct store_event *e)
{
    if (e->status == STATUS_OK && s->status == STATUS_OK &&
        !speed_is_same(s, e)) {
        s->status =
            fault_set(&s->why, STATUS_STORE,
                      "the bytes that were read are not those that were "
                      "written; is something between this host and the store?");
    }
}

static void speed_read(struct speed *s)
{
    struct store_event e;
    uint64_t start = clock_now_ms(&clock_os);
    uint64_t most = SPEED_READ_TIMES * s->doctor->speed_bytes;

    (void)doctor_key(s->doctor, "speed", s->key);
    s->until_ms = start + SPEED_READ_MS;
    for (uint32_t i = 0; i < s->lanes; i++) {
        s->rooms[i] = mem_new(SPEED_PART_SIZE, 1);
        speed_receive(s, i);
    }
    while (store_inflight(s->doctor->store) > 0 && speed_wait(s, &e)) {
        speed_check(s, &e);
        s->bytes += e.got;
        if (speed_may_go_on(s) && s->bytes < most) {
            speed_receive(s, e.tag);
        }
    }
    speed_say(s, clock_now_ms(&clock_os) - start);
}

/* ---- both --------------------------------------------------------------- */

/* Bytes that can't be made smaller, the same in every check. */
static void speed_fill(struct speed *s)
{
    struct prng prng;

    prng_init(&prng, s->doctor->nonce);
    for (size_t i = 0; i < SPEED_PART_SIZE; i += sizeof(uint64_t)) {
        uint64_t word = prng_next(&prng);

        memcpy(s->block + i, &word, sizeof(word));
    }
    s->sum = crc_add(CRC_64NVME, 0, s->block, SPEED_PART_SIZE);
}

static void speed_run(struct doctor *d, enum doctor_check check, uint32_t lanes)
{
    struct speed s = {.doctor = d, .check = check, .lanes = lanes};

    s.block = mem_new(SPEED_PART_SIZE, 1);
    speed_fill(&s);
    s.parts = mem_new(speed_parts(d->options.bytes), sizeof(s.parts[0]));
    if (check <= DOCTOR_WRITE_8) {
        speed_write(&s);
    } else {
        speed_read(&s);
    }
    if (s.status == STATUS_STOPPED) {
        store_close(&d->store); /* It may still use the memory. */
    }
    for (uint32_t i = 0; i < SPEED_LANES_MAX; i++) {
        free(s.rooms[i]);
    }
    free(s.block);
    free(s.parts);
}

void doctor_write_1(struct doctor *d)
{
    speed_run(d, DOCTOR_WRITE_1, 1);
}

void doctor_write_8(struct doctor *d)
{
    speed_run(d, DOCTOR_WRITE_8, 8);
}

void doctor_read_1(struct doctor *d)
{
    speed_run(d, DOCTOR_READ_1, 1);
}

void doctor_read_8(struct doctor *d)
{
    speed_run(d, DOCTOR_READ_8, 8);
}

void doctor_read_32(struct doctor *d)
{
    speed_run(d, DOCTOR_READ_32, SPEED_LANES_MAX);
}
