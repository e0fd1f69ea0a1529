/* SPDX-License-Identifier: Apache-2.0 */
/* Every test below walks the table, so that a new message is tested as soon
 * as it has a row. The bytes it makes come from an encoder of its own, which
 * refuses nothing and shares no code with the one under test. */

#include "proto/wire.h"

#include <signal.h>

#include "base/prng.h"
#include "proto/wire_shape.h"
#include "tests/harness.h"

static const char JOB[] = "0123456789abcdef0123456789abcdef";
static const char OTHER_JOB[] = "0123456789abcdef0123456789abcdee";

/* ---- An encoder that refuses nothing ------------------------------------ */

static void raw_head(struct buf *out, int code, uint64_t n, unsigned bytes)
{
    buf_add_char(out, (char)code);
    while (bytes-- > 0) {
        buf_add_char(out, (char)(n >> (8 * bytes)));
    }
}

static void raw_uint(struct buf *out, uint64_t n)
{
    if (n < 128) {
        raw_head(out, (int)n, 0, 0);
    } else if (n <= UINT8_MAX) {
        raw_head(out, 0xcc, n, 1);
    } else if (n <= UINT16_MAX) {
        raw_head(out, 0xcd, n, 2);
    } else if (n <= UINT32_MAX) {
        raw_head(out, 0xce, n, 4);
    } else {
        raw_head(out, 0xcf, n, 8);
    }
}

static void raw_text(struct buf *out, struct bytes text)
{
    if (text.size < 32) {
        raw_head(out, 0xa0 + (int)text.size, 0, 0);
    } else if (text.size <= UINT8_MAX) {
        raw_head(out, 0xd9, text.size, 1);
    } else if (text.size <= UINT16_MAX) {
        raw_head(out, 0xda, text.size, 2);
    } else {
        raw_head(out, 0xdb, text.size, 4);
    }
    buf_add_bytes(out, text);
}

static void raw_bytes(struct buf *out, struct bytes bytes)
{
    if (bytes.size <= UINT8_MAX) {
        raw_head(out, 0xc4, bytes.size, 1);
    } else if (bytes.size <= UINT16_MAX) {
        raw_head(out, 0xc5, bytes.size, 2);
    } else {
        raw_head(out, 0xc6, bytes.size, 4);
    }
    buf_add_bytes(out, bytes);
}

static void raw_array(struct buf *out, uint64_t count)
{
    if (count < 16) {
        raw_head(out, 0x90 + (int)count, 0, 0);
    } else if (count <= UINT16_MAX) {
        raw_head(out, 0xdc, count, 2);
    } else {
        raw_head(out, 0xdd, count, 4);
    }
}

static void raw_fields(struct buf *out, const struct wire_field *f,
                       size_t count, const char *base);

static void raw_list(struct buf *out, const struct wire_field *f,
                     const char *base)
{
    uint32_t rows;

    memcpy(&rows, base + f->count_offset, sizeof(rows));
    raw_array(out, rows);
    for (uint32_t i = 0; i < rows; i++) {
        /* A row past the end of the struct repeats the last real one. */
        uint32_t real = i < f->max ? i : (uint32_t)f->max - 1;

        raw_array(out, f->field_count);
        raw_fields(out, f->fields, f->field_count,
                   base + f->offset + real * f->stride);
    }
}

static void raw_fields(struct buf *out, const struct wire_field *f,
                       size_t count, const char *base)
{
    for (size_t i = 0; i < count; i++) {
        struct bytes text;
        uint64_t n;

        if (f[i].kind == WIRE_LIST) {
            raw_list(out, &f[i], base);
        } else if (f[i].kind == WIRE_UINT) {
            memcpy(&n, base + f[i].offset, sizeof(n));
            raw_uint(out, n);
        } else {
            memcpy(&text, base + f[i].offset, sizeof(text));
            if (f[i].kind == WIRE_BYTES) {
                raw_bytes(out, text);
            } else {
                raw_text(out, text);
            }
        }
    }
}

/* The head of a message with @fields fields. */
static void raw_start(struct buf *out, uint64_t fields, uint64_t version,
                      uint64_t type)
{
    raw_array(out, 5 + fields);
    raw_text(out, BYTES("smsh"));
    raw_uint(out, version);
    raw_text(out, bytes_of(JOB));
    raw_uint(out, 9);
    raw_uint(out, type);
}

static void raw_message(struct buf *out, const struct wire_message *m)
{
    const struct wire_shape *shape = wire_shape((uint64_t)m->type);

    buf_clear(out);
    raw_start(out, shape->field_count, WIRE_VERSION, (uint64_t)m->type);
    raw_fields(out, shape->fields, shape->field_count, wire_body_const(m));
}

/* ---- Messages with random content --------------------------------------- */

static char *pool; /* Allowed bytes to take texts from. */

static struct bytes random_text(struct prng *p, const struct wire_field *f)
{
    uint64_t most = f->max < 300 ? f->max : 300;
    uint64_t size = f->min + prng_below(p, most - f->min + 1);

    if (prng_chance(p, 1, 4)) {
        size = f->min;
    }
    return (struct bytes){pool + prng_below(p, 64), (size_t)size};
}

static uint64_t random_number(struct prng *p, uint64_t min, uint64_t max)
{
    uint64_t n = prng_next(p) >> prng_below(p, 64);

    return n < min ? min : n > max ? max : n;
}

static void fill_row(struct prng *p, const struct wire_field *f, size_t count,
                     char *base)
{
    for (size_t i = 0; i < count; i++) {
        if (f[i].kind == WIRE_UINT) {
            uint64_t n = random_number(p, f[i].min, f[i].max);

            memcpy(base + f[i].offset, &n, sizeof(n));
        } else if (f[i].kind != WIRE_LIST) {
            struct bytes text = random_text(p, &f[i]);

            memcpy(base + f[i].offset, &text, sizeof(text));
        }
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t n;
        uint64_t total;

        if (f[i].kind == WIRE_UINT) {
            memcpy(&n, base + f[i].offset, sizeof(n));
            memcpy(&total, base + f[i].total_offset, sizeof(total));
            n = n < total ? n : total;
            memcpy(base + f[i].offset, &n, sizeof(n));
        }
    }
}

static void fill(struct prng *p, uint64_t type, uint32_t rows_max,
                 struct wire_message *m)
{
    const struct wire_shape *shape = wire_shape(type);
    char *base = wire_body(m);

    memset(m, 0, sizeof(*m));
    memcpy(m->job, JOB, sizeof(m->job));
    m->term = random_number(p, 0, UINT64_MAX);
    m->type = (enum wire_type)type;
    fill_row(p, shape->fields, shape->field_count, base);
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct wire_field *f = &shape->fields[i];
        uint32_t rows = (uint32_t)prng_below(p, rows_max + 1);

        if (f->kind != WIRE_LIST) {
            continue;
        }
        memcpy(base + f->count_offset, &rows, sizeof(rows));
        for (uint32_t j = 0; j < f->max; j++) {
            fill_row(p, f->fields, f->field_count,
                     base + f->offset + j * f->stride);
        }
    }
}

static void setup(struct prng *p, uint64_t seed)
{
    size_t size = (size_t)WIRE_STATUS_MAX + 128;

    pool = malloc(size);
    EXPECT(pool != NULL);
    for (size_t i = 0; i < size; i++) {
        pool[i] = (char)(0x20 + i % 95);
    }
    pool[70] = (char)0xc3;
    pool[71] = (char)0xa4;
    prng_init(p, seed);
}

/* ---- Comparing ---------------------------------------------------------- */

static void same_fields(const struct wire_field *f, size_t count, const char *a,
                        const char *b)
{
    for (size_t i = 0; i < count; i++) {
        struct bytes text[2];

        if (f[i].kind == WIRE_UINT) {
            EXPECT(memcmp(a + f[i].offset, b + f[i].offset, 8) == 0);
        } else if (f[i].kind == WIRE_LIST) {
            uint32_t rows;

            memcpy(&rows, a + f[i].count_offset, sizeof(rows));
            EXPECT(memcmp(&rows, b + f[i].count_offset, sizeof(rows)) == 0);
            for (uint32_t j = 0; j < rows; j++) {
                size_t at = f[i].offset + j * f[i].stride;

                same_fields(f[i].fields, f[i].field_count, a + at, b + at);
            }
        } else {
            memcpy(&text[0], a + f[i].offset, sizeof(text[0]));
            memcpy(&text[1], b + f[i].offset, sizeof(text[1]));
            EXPECT(bytes_is_equal(text[0], text[1]));
        }
    }
}

static void same(const struct wire_message *a, const struct wire_message *b)
{
    const struct wire_shape *shape = wire_shape((uint64_t)a->type);

    EXPECT_STR(a->job, b->job);
    EXPECT_EQ(a->term, b->term);
    EXPECT_EQ(a->type, b->type);
    same_fields(shape->fields, shape->field_count, wire_body_const(a),
                wire_body_const(b));
}

static bool is_inside(struct bytes text, struct bytes whole)
{
    return text.at >= whole.at && text.at + text.size <= whole.at + whole.size;
}

/* Decode a copy in a block of its exact size, so that the address sanitizer
 * sees a read past the end. */
static enum status decode_exact(struct bytes in, struct wire_message *m)
{
    char *copy = malloc(in.size > 0 ? in.size : 1);
    enum status s;

    EXPECT(copy != NULL);
    memcpy(copy, in.at, in.size);
    s = wire_decode((struct bytes){copy, in.size}, JOB, NULL, m);
    free(copy);
    return s;
}

static enum status decode_raw(const struct wire_message *m, struct fault *why)
{
    struct wire_message back;
    struct buf raw = {0};
    enum status s;

    raw_message(&raw, m);
    s = wire_decode(buf_bytes(&raw), JOB, why, &back);
    EXPECT_EQ(s, wire_check(m, NULL));
    buf_fini(&raw);
    return s;
}

static void expect_malformed(struct buf *raw, const char *text)
{
    struct wire_message back;
    struct fault why;

    EXPECT_EQ(wire_decode(buf_bytes(raw), JOB, &why, &back), STATUS_MALFORMED);
    if (strstr(why.text, text) == NULL) {
        EXPECT_STR(why.text, text);
    }
    EXPECT_EQ(back.type, 0);
    buf_clear(raw);
}

/* ---- The tests ---------------------------------------------------------- */

TEST(every_type_has_a_row_and_a_name)
{
    EXPECT_STR(wire_type_name(WIRE_HELLO), "HELLO");
    EXPECT_STR(wire_type_name(WIRE_REPORT), "REPORT");
    EXPECT_STR(wire_type_name(WIRE_GRANT), "GRANT");
    EXPECT_STR(wire_type_name((enum wire_type)0), "UNKNOWN");
    EXPECT_STR(wire_type_name(WIRE_TYPES), "UNKNOWN");
    for (uint64_t type = WIRE_HELLO; type < WIRE_TYPES; type++) {
        EXPECT(wire_shape(type) != NULL);
        EXPECT(wire_shape(type)->field_count > 0);
    }
    EXPECT(wire_shape(0) == NULL);
    EXPECT(wire_shape(UINT64_MAX) == NULL);
}

TEST(ids_of_runs)
{
    EXPECT(wire_is_job(BYTES("0123456789abcdef0123456789abcdef")));
    EXPECT(!wire_is_job(BYTES("0123456789abcdef0123456789abcde")));
    EXPECT(!wire_is_job(BYTES("0123456789abcdef0123456789abcdef0")));
    EXPECT(!wire_is_job(BYTES("0123456789ABCDEF0123456789abcdef")));
    EXPECT(!wire_is_job(BYTES("")));
}

TEST(phases_have_words)
{
    EXPECT_STR(wire_phase_word(WIRE_PHASE_ABSENT), "absent");
    EXPECT_STR(wire_phase_word(WIRE_PHASE_LOST), "lost");
    EXPECT_STR(wire_phase_text(WIRE_PHASE_RUNNING), "runs the command");
}

TEST(any_message_comes_back_as_it_was)
{
    struct wire_message m;
    struct wire_message back;
    struct buf out = {0};
    struct buf raw = {0};
    struct fault why = {{0}};
    struct prng p;

    setup(&p, 1);
    for (uint64_t i = 0; i < 6000; i++) {
        fill(&p, WIRE_HELLO + i % (WIRE_TYPES - 1), WIRE_CHANNELS_MAX, &m);
        m.term = i % 2 == 0 ? 9 : m.term;
        buf_clear(&out);
        wire_encode(&m, &out);
        EXPECT_EQ(wire_decode(buf_bytes(&out), JOB, &why, &back), STATUS_OK);
        same(&m, &back);
        raw_message(&raw, &m);
        EXPECT(m.term != 9 || bytes_is_equal(buf_bytes(&out), buf_bytes(&raw)));
    }
    buf_fini(&out);
    buf_fini(&raw);
    free(pool);
}

TEST(encoding_appends)
{
    struct wire_message m = {.type = WIRE_PULSE, .pulse = {.number = 7}};
    struct wire_message back;
    struct buf out = {0};

    memcpy(m.job, JOB, sizeof(m.job));
    buf_add_text(&out, "before");
    wire_encode(&m, &out);
    EXPECT(bytes_has_prefix(buf_bytes(&out), BYTES("before")));
    EXPECT_EQ(
        wire_decode((struct bytes){out.at + 6, out.size - 6}, JOB, NULL, &back),
        STATUS_OK);
    EXPECT_EQ(back.pulse.number, 7);
    buf_fini(&out);
}

TEST(texts_are_views_into_the_input)
{
    struct wire_message m;
    struct wire_message back;
    struct buf out = {0};
    struct bytes in;
    struct prng p;

    setup(&p, 2);
    do {
        fill(&p, WIRE_SHARE, WIRE_CHANNELS_MAX, &m);
    } while (m.share.share_count == 0);
    wire_encode(&m, &out);
    in = buf_bytes(&out);
    EXPECT_EQ(wire_decode(in, JOB, NULL, &back), STATUS_OK);
    EXPECT(is_inside(back.share.output, in));
    EXPECT(is_inside(back.share.shares[0].channel, in));
    EXPECT(is_inside(back.share.shares[0].prefix, in));
    buf_fini(&out);
    free(pool);
}

/* Set field @f of @base to a number or a text of that many bytes. */
static void set_field(const struct wire_field *f, char *base, uint64_t value)
{
    struct bytes text = {pool, (size_t)value};
    uint32_t count = (uint32_t)value;

    if (f->kind == WIRE_UINT) {
        memcpy(base + f->offset, &value, sizeof(value));
    } else if (f->kind == WIRE_LIST) {
        memcpy(base + f->count_offset, &count, sizeof(count));
    } else {
        memcpy(base + f->offset, &text, sizeof(text));
    }
}

/* Let no part exceed its total, whatever the total becomes: the row at @base
 * may be a BEAT's progress, which has two of them. */
static void clear_parts(struct wire_message *m, char *base)
{
    if (m->type == WIRE_BEAT && base != (char *)&m->beat) {
        struct wire_progress *row = (struct wire_progress *)(void *)base;

        row->units_done = 0;
        row->bytes_done = 0;
    }
}

/* Put @f of @m to its limits and beyond; @base is the row it is in. */
static unsigned try_limits(const struct wire_field *f, struct wire_message *m,
                           char *base)
{
    struct wire_message before = *m;
    struct fault why;
    unsigned beyond = 0;

    if (f->kind == WIRE_UINT && f->total_offset == f->offset && f->min == 0) {
        clear_parts(m, base);
    }
    if (f->total_offset == f->offset) {
        set_field(f, base, f->max);
        EXPECT_EQ(decode_raw(m, NULL), STATUS_OK);
        set_field(f, base, f->min);
        EXPECT_EQ(decode_raw(m, NULL), STATUS_OK);
    }
    if (f->max < UINT64_MAX) {
        set_field(f, base, f->max + 1);
        EXPECT_EQ(decode_raw(m, &why), STATUS_MALFORMED);
        EXPECT(strstr(why.text, f->name) != NULL);
        EXPECT(strstr(why.text, wire_type_name(m->type)) != NULL);
        beyond++;
    }
    if (f->min > 0) {
        set_field(f, base, f->min - 1);
        EXPECT_EQ(decode_raw(m, &why), STATUS_MALFORMED);
        EXPECT(strstr(why.text, f->name) != NULL);
        beyond++;
    }
    *m = before;
    return beyond;
}

/* A number and its total: equal is allowed, one more is not. */
static unsigned try_total(const struct wire_field *f, struct wire_message *m,
                          char *base)
{
    struct wire_message before = *m;
    struct fault why;
    uint64_t total = 41;

    if (f->kind != WIRE_UINT || f->total_offset == f->offset) {
        return 0;
    }
    memcpy(base + f->total_offset, &total, sizeof(total));
    set_field(f, base, total);
    EXPECT_EQ(decode_raw(m, NULL), STATUS_OK);
    set_field(f, base, total + 1);
    EXPECT_EQ(decode_raw(m, &why), STATUS_MALFORMED);
    EXPECT(strstr(why.text, "more than the total 41") != NULL);
    *m = before;
    return 1;
}

/* Bytes that a text must not hold. */
static unsigned try_bytes(const struct wire_field *f, struct wire_message *m,
                          char *base)
{
    const struct {
        struct bytes text;
        bool is_name;
        bool is_text;
    } rows[] = {
        {BYTES("a\0b"), false, false},   {BYTES("a\nb"), false, true},
        {BYTES("\x1b[0m"), false, true}, {BYTES("a\x7f"), false, true},
        {BYTES("a b"), true, true},      {BYTES("\xc3\xa4"), true, true},
        {BYTES("\xff"), true, true},
    };
    struct wire_message before = *m;

    if (f->kind == WIRE_UINT || f->kind == WIRE_LIST) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool ok = f->kind == WIRE_NAME   ? rows[i].is_name
                  : f->kind == WIRE_TEXT ? rows[i].is_text
                                         : true;

        memcpy(base + f->offset, &rows[i].text, sizeof(rows[i].text));
        EXPECT_EQ(decode_raw(m, NULL), ok ? STATUS_OK : STATUS_MALFORMED);
    }
    *m = before;
    return 1;
}

static unsigned try_fields(const struct wire_field *f, size_t count,
                           struct wire_message *m, char *base)
{
    unsigned tried = 0;

    for (size_t i = 0; i < count; i++) {
        tried += try_limits(&f[i], m, base);
        tried += try_total(&f[i], m, base);
        tried += try_bytes(&f[i], m, base);
    }
    return tried;
}

TEST(each_limit_holds_at_and_beyond)
{
    struct wire_message m;
    unsigned tried = 0;
    struct prng p;

    setup(&p, 3);
    for (uint64_t type = WIRE_HELLO; type < WIRE_TYPES; type++) {
        const struct wire_shape *shape = wire_shape(type);
        char *base = wire_body(&m);

        fill(&p, type, 1, &m);
        tried += try_fields(shape->fields, shape->field_count, &m, base);
        for (size_t i = 0; i < shape->field_count; i++) {
            const struct wire_field *f = &shape->fields[i];
            uint32_t rows = 3;

            if (f->kind == WIRE_LIST) {
                memcpy(base + f->count_offset, &rows, sizeof(rows));
                tried += try_fields(f->fields, f->field_count, &m,
                                    base + f->offset + f->stride);
            }
        }
    }
    EXPECT(tried > 50);
    free(pool);
}

TEST(limits_are_the_ones_that_are_named)
{
    struct wire_message m;
    struct prng p;

    setup(&p, 4);
    fill(&p, WIRE_HELLO, 0, &m);
    m.hello.ranks = 64;
    m.hello.host_count = 16384;
    m.hello.weight = 1;
    EXPECT_EQ(wire_check(&m, NULL), STATUS_OK);
    m.hello.ranks = 65;
    EXPECT_EQ(wire_check(&m, NULL), STATUS_MALFORMED);
    m.hello.ranks = 64;
    m.hello.host_count = 16385;
    EXPECT_EQ(wire_check(&m, NULL), STATUS_MALFORMED);
    m.hello.host_count = 1;
    m.hello.weight = 0;
    EXPECT_EQ(wire_check(&m, NULL), STATUS_MALFORMED);

    fill(&p, WIRE_DONE, 0, &m);
    m.done.exit_code = 255;
    m.done.status = STATUS_STOPPED;
    EXPECT_EQ(wire_check(&m, NULL), STATUS_OK);
    m.done.status = STATUS_STOPPED + 1;
    EXPECT_EQ(wire_check(&m, NULL), STATUS_MALFORMED);

    fill(&p, WIRE_REFUSE, 0, &m);
    m.refuse.status = STATUS_OK;
    EXPECT_EQ(wire_check(&m, NULL), STATUS_MALFORMED);
    free(pool);
}

TEST(each_truncation_is_malformed)
{
    struct wire_message m;
    struct wire_message back;
    struct buf out = {0};
    struct prng p;

    setup(&p, 5);
    for (uint64_t type = WIRE_HELLO; type < WIRE_TYPES; type++) {
        fill(&p, type, 3, &m);
        buf_clear(&out);
        wire_encode(&m, &out);
        for (size_t size = 0; size < out.size; size++) {
            EXPECT_EQ(decode_exact((struct bytes){out.at, size}, &back),
                      STATUS_MALFORMED);
        }
        EXPECT_EQ(decode_exact(buf_bytes(&out), &back), STATUS_OK);
        buf_add_char(&out, '\0');
        EXPECT_EQ(decode_exact(buf_bytes(&out), &back), STATUS_MALFORMED);
    }
    buf_fini(&out);
    free(pool);
}

TEST(each_flipped_bit_is_answered)
{
    unsigned counts[4] = {0};
    struct wire_message m;
    struct wire_message back;
    struct buf out = {0};
    struct prng p;

    setup(&p, 6);
    for (uint64_t type = WIRE_HELLO; type < WIRE_TYPES; type++) {
        fill(&p, type, 2, &m);
        buf_clear(&out);
        wire_encode(&m, &out);
        for (size_t bit = 0; bit < 8 * out.size; bit++) {
            enum status s;

            out.at[bit / 8] ^= (char)(1 << bit % 8);
            s = decode_exact(buf_bytes(&out), &back);
            out.at[bit / 8] ^= (char)(1 << bit % 8);
            EXPECT(s == STATUS_OK || s == STATUS_MALFORMED ||
                   s == STATUS_VERSION || s == STATUS_WRONG_JOB);
            counts[s == STATUS_OK          ? 0
                   : s == STATUS_MALFORMED ? 1
                   : s == STATUS_VERSION   ? 2
                                           : 3]++;
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        EXPECT(counts[i] > 0);
    }
    buf_fini(&out);
    free(pool);
}

TEST(another_version_is_named_before_all_else)
{
    struct wire_message back;
    struct fault why;
    struct buf raw = {0};

    raw_array(&raw, 3);
    raw_text(&raw, BYTES("smsh"));
    raw_uint(&raw, 4711);
    EXPECT_EQ(wire_decode(buf_bytes(&raw), JOB, &why, &back), STATUS_VERSION);
    EXPECT(strstr(why.text, "version 4711") != NULL);
    EXPECT(strstr(why.text, "version 4:") != NULL);
    EXPECT_EQ(back.type, 0);

    /* Whatever follows. */
    buf_add(&raw, "\xc1\xc1", 2);
    EXPECT_EQ(wire_decode(buf_bytes(&raw), JOB, &why, &back), STATUS_VERSION);

    /* But not with another magic. */
    raw.at[1 + 1] = 'X';
    EXPECT_EQ(wire_decode(buf_bytes(&raw), JOB, &why, &back), STATUS_MALFORMED);
    buf_fini(&raw);
}

TEST(another_job_is_named)
{
    struct wire_message m = {.type = WIRE_ASK, .ask = {.number = 1}};
    struct wire_message back;
    struct fault why;
    struct buf out = {0};

    memcpy(m.job, OTHER_JOB, sizeof(m.job));
    wire_encode(&m, &out);
    EXPECT_EQ(wire_decode(buf_bytes(&out), JOB, &why, &back), STATUS_WRONG_JOB);
    EXPECT(strstr(why.text, JOB) != NULL);
    EXPECT(strstr(why.text, OTHER_JOB) != NULL);
    EXPECT_EQ(back.type, 0);
    EXPECT_EQ(wire_decode(buf_bytes(&out), OTHER_JOB, &why, &back), STATUS_OK);
    EXPECT_EQ(wire_decode(buf_bytes(&out), NULL, &why, &back), STATUS_OK);
    EXPECT_STR(back.job, OTHER_JOB);
    buf_fini(&out);
}

TEST(wrong_shapes_are_refused)
{
    struct buf raw = {0};

    expect_malformed(&raw, "0 bytes");
    raw_uint(&raw, 1);
    expect_malformed(&raw, "a value stands for an array");
    raw_array(&raw, 0);
    expect_malformed(&raw, "not a message");
    raw_array(&raw, 1);
    expect_malformed(&raw, "not a message");
    raw_head(&raw, 0x81, 0, 0);
    expect_malformed(&raw, "kind that is not used");
    raw_head(&raw, 0xc1, 0, 0);
    expect_malformed(&raw, "not msgpack");
    raw_start(&raw, 1, WIRE_VERSION, 0);
    expect_malformed(&raw, "no message type 0");
    raw_start(&raw, 1, WIRE_VERSION, WIRE_TYPES);
    expect_malformed(&raw, "no message type 15");
    raw_start(&raw, 3, WIRE_VERSION, WIRE_PULSE);
    expect_malformed(&raw, "PULSE: it has 3 fields, not 2");
    raw_start(&raw, 0, WIRE_VERSION, WIRE_PULSE);
    expect_malformed(&raw, "too short");
    raw_start(&raw, 2, WIRE_VERSION, WIRE_PULSE);
    raw_text(&raw, BYTES("7"));
    expect_malformed(&raw, "PULSE: number is of the wrong kind");
    raw_start(&raw, 2, WIRE_VERSION, WIRE_PULSE);
    raw_head(&raw, 0xff, 0, 0); /* -1 */
    expect_malformed(&raw, "kind that is not used");
    raw_start(&raw, 2, WIRE_VERSION, WIRE_PULSE);
    raw_array(&raw, 1);
    expect_malformed(&raw, "PULSE: number is an array");
    buf_fini(&raw);
}

/* What the sender claims must cost nothing before it is sent. */
TEST(claimed_sizes_are_refused_at_once)
{
    struct buf raw = {0};

    raw_head(&raw, 0xdd, UINT32_MAX, 4);
    expect_malformed(&raw, "ends in the middle");
    raw_start(&raw, 8, WIRE_VERSION, WIRE_BEAT);
    buf_add(&raw, "\0\0\0\0\0\0", 6);
    raw_head(&raw, 0xdd, UINT32_MAX, 4);
    expect_malformed(&raw, "progress is an array of 4294967295, at most 20");
    raw_start(&raw, 8, WIRE_VERSION, WIRE_BEAT);
    buf_add(&raw, "\0\0\0\0\0\0", 6);
    raw_array(&raw, 1);
    raw_head(&raw, 0xdd, UINT32_MAX, 4);
    expect_malformed(&raw, "a row of progress has 4294967295 fields, not 5");
    raw_start(&raw, 2, WIRE_VERSION, WIRE_REPORT);
    raw_uint(&raw, 1);
    raw_head(&raw, 0xdb, UINT32_MAX, 4);
    expect_malformed(&raw, "ends in the middle");
    raw_start(&raw, 2, WIRE_VERSION, WIRE_REPORT);
    raw_uint(&raw, 1);
    raw_head(&raw, 0xc9, UINT32_MAX, 4);
    expect_malformed(&raw, "kind that is not used");
    raw_start(&raw, 2, WIRE_VERSION, WIRE_WORK);
    raw_uint(&raw, 1);
    raw_head(&raw, 0xc6, UINT32_MAX, 4);
    expect_malformed(&raw, "ends in the middle");
    for (unsigned i = 0; i < 1000; i++) {
        raw_array(&raw, 2);
    }
    expect_malformed(&raw, "its head holds an array");
    raw_start(&raw, 8, WIRE_VERSION, WIRE_BEAT);
    buf_add(&raw, "\0\0\0\0\0\0", 6);
    raw_array(&raw, 1);
    raw_array(&raw, 5);
    raw_array(&raw, 1);
    expect_malformed(&raw, "nested too deep");
    buf_fini(&raw);
}

TEST(encode_checks_what_is_ours)
{
    struct wire_message m = {.type = WIRE_PULSE};
    struct buf out = {0};
    int state = 0;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        fclose(stderr);
        wire_encode(&m, &out); /* It has no job. */
        _exit(0);
    }
    EXPECT(waitpid(child, &state, 0) == child);
    EXPECT(WIFSIGNALED(state) && WTERMSIG(state) == SIGABRT);
}
