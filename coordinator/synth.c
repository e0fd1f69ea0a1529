/* SPDX-License-Identifier: Apache-2.0 */
/* All arithmetic is in whole numbers, so that every compiler and C library
 * makes the same catalog. Logarithms and powers are to base 2, in fixed point
 * with SYNTH_ONE for 1. */

#include "coordinator/synth.h"

#include <string.h>

#include "base/check.h"
#include "base/prng.h"

#define SYNTH_ONE (UINT64_C(1) << 32)

__extension__ typedef unsigned __int128 synth_wide;

enum {
    SYNTH_SHIFT = 32,
    SYNTH_LOG_BITS = 24,     /* Of a logarithm's fraction. */
    SYNTH_ZIPF_EXACT = 1000, /* Terms summed before the integral is used. */
    SYNTH_DIGITS_MIN = 8,
    SYNTH_FOLDER_MIN = 100, /* Objects of one hour, */
    SYNTH_FOLDER_MAX = 10000,
    SYNTH_YEAR_HOURS = 365 * 24, /* spread over a year if they can be. */
    SYNTH_FIRST_YEAR = 2026,
    SYNTH_KEY_ROOM = 64,
    SYNTH_ETAG_SIZE = 32,
};

/* Means are held below this, so that no product runs over. */
#define SYNTH_MEAN_MAX (UINT64_C(1) << 48)

/* One catalog being made. */
struct synth {
    const struct synth_options *options;
    struct prng sizes;
    struct prng names;
    uint64_t scale;  /* ZIPF: the size of the first object. */
    uint64_t folder; /* DATED: objects of one hour. */
    uint64_t stride; /* HASHED: the room of each name. */
    uint32_t digits; /* NUMBERED. */
};

enum status synth_parse_sizes(const char *name, enum synth_sizes *out)
{
    static const char *const names[] = {
        [SYNTH_EQUAL] = "equal",
        [SYNTH_UNIFORM] = "uniform",
        [SYNTH_LOGNORMAL] = "lognormal",
        [SYNTH_ZIPF] = "zipf",
    };

    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum synth_sizes)i;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

enum status synth_parse_keys(const char *name, enum synth_keys *out)
{
    static const char *const names[] = {
        [SYNTH_NUMBERED] = "numbered",
        [SYNTH_DATED] = "dated",
        [SYNTH_HASHED] = "hashed",
    };

    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum synth_keys)i;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

/* @a times @b, one of them in fixed point. The result must fit. */
static uint64_t synth_mul(uint64_t a, uint64_t b)
{
    return (uint64_t)((synth_wide)a * b >> SYNTH_SHIFT);
}

/* 2 to the power of @fraction, which is below 1: the first terms of the
 * series, good to five digits. */
static uint64_t synth_exp2(uint64_t fraction)
{
    /* ln(2)^k / k!, from the last to the first. */
    static const uint64_t terms[] = {661577,    5726720,    41309550,
                                     238388332, 1031764991, 2977044472};
    uint64_t sum = 0;

    CHECK(fraction < SYNTH_ONE);
    for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
        sum = synth_mul(sum + terms[i], fraction);
    }
    return SYNTH_ONE + sum;
}

/* The logarithm of @x, which is not 0: a bit for each squaring. */
static uint64_t synth_log2(uint64_t x)
{
    uint32_t whole = 63 - (uint32_t)__builtin_clzll(x);
    uint64_t m = x << (63 - whole) >> 31; /* 1 to 2, in fixed point. */
    uint64_t result = whole;

    for (int i = 0; i < SYNTH_LOG_BITS; i++) {
        uint64_t bit;

        m = synth_mul(m, m);
        bit = m >> (SYNTH_SHIFT + 1);
        m >>= bit;
        result = result << 1 | bit;
    }
    return result << (SYNTH_SHIFT - SYNTH_LOG_BITS);
}

/* @size divided by 2 to the power of @x. */
static uint64_t synth_shrink(uint64_t size, uint64_t x)
{
    uint64_t whole = (x + SYNTH_ONE - 1) >> SYNTH_SHIFT;

    if (whole > 63) {
        return 0;
    }
    return synth_mul(size, synth_exp2((whole << SYNTH_SHIFT) - x)) >> whole;
}

/* @one divided by @index to the power of 1.1. */
static uint64_t synth_zipf(uint64_t one, uint64_t index)
{
    return synth_shrink(one, synth_log2(index) / 10 * 11);
}

/* The size of the first of @count objects whose sizes fall as a power of
 * their place and have this mean. */
static uint64_t synth_zipf_scale(uint64_t count, uint64_t mean)
{
    uint64_t exact = count < SYNTH_ZIPF_EXACT ? count : SYNTH_ZIPF_EXACT;
    uint64_t sum = 0;

    for (uint64_t i = 1; i <= exact; i++) {
        sum += synth_zipf(SYNTH_ONE, i);
    }
    /* The rest is the integral of x^-1.1: 10 (a^-0.1 - b^-0.1). */
    if (count > exact) {
        sum += 10 * (synth_shrink(SYNTH_ONE, synth_log2(exact) / 10) -
                     synth_shrink(SYNTH_ONE, synth_log2(count) / 10));
    }
    CHECK(sum > 0);
    return (uint64_t)(((synth_wide)mean * count << SYNTH_SHIFT) / sum);
}

/* e^(1.5 z) times what makes the mean right, z being a sum of 12 uniform
 * values, which is as good as normal within six deviations. */
static uint64_t synth_lognormal(struct synth *s)
{
    static const int64_t slope = 141823;    /* 1.5 / ln 2, times 2^16. */
    static const int64_t lift = 6844644835; /* log2 of the mean of it. */
    int64_t sum = -6 * 65536;
    int64_t x;
    int64_t whole;
    uint64_t size;

    for (int i = 0; i < 3; i++) {
        uint64_t lanes = prng_next(&s->sizes);

        for (int lane = 0; lane < 64; lane += 16) {
            sum += (int64_t)(lanes >> lane & 0xffff);
        }
    }
    x = sum * slope - lift + 32 * (int64_t)SYNTH_ONE;
    CHECK(x >= 0);
    whole = (x >> SYNTH_SHIFT) - 32;
    size = synth_mul(s->options->mean_bytes,
                     synth_exp2((uint64_t)x & (SYNTH_ONE - 1)));
    return whole >= 0 ? size << whole : size >> -whole;
}

static uint64_t synth_size(struct synth *s, uint64_t i)
{
    uint64_t mean = s->options->mean_bytes;
    uint64_t size = 0;

    switch (s->options->sizes) {
    case SYNTH_EQUAL:
        return mean;
    case SYNTH_UNIFORM:
        size = mean > 0 ? prng_below(&s->sizes, 2 * mean) + 1 : 0;
        break;
    case SYNTH_LOGNORMAL:
        size = synth_lognormal(s);
        break;
    case SYNTH_ZIPF:
        size = synth_zipf(s->scale, i + 1);
        break;
    }
    return size > 0 || mean == 0 ? size : 1;
}

static char *synth_put_number(char *at, uint64_t value, uint32_t digits)
{
    for (uint32_t i = digits; i > 0; i--) {
        at[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

static char *synth_put_hex(char *at, uint64_t value)
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < 16; i++) {
        at[i] = digits[value >> (60 - 4 * i) & 15];
    }
    return at + 16;
}

static char *synth_put_text(char *at, const char *text)
{
    size_t size = strlen(text);

    memcpy(at, text, size);
    return at + size;
}

/* 2026/01/31/12/part-0017.tar. Years have 365 days: no calendar is needed to
 * try a deal. */
static char *synth_put_dated(const struct synth *s, uint64_t i, char *at)
{
    static const uint32_t months[] = {31, 28, 31, 30, 31, 30,
                                      31, 31, 30, 31, 30, 31};
    uint64_t hour = i / s->folder;
    uint64_t day = hour / 24 % 365;
    uint32_t month = 0;

    for (; day >= months[month]; month++) {
        day -= months[month];
    }
    at = synth_put_number(at, SYNTH_FIRST_YEAR + hour / SYNTH_YEAR_HOURS, 4);
    at = synth_put_number(synth_put_text(at, "/"), month + 1, 2);
    at = synth_put_number(synth_put_text(at, "/"), day + 1, 2);
    at = synth_put_number(synth_put_text(at, "/"), hour % 24, 2);
    at = synth_put_number(synth_put_text(at, "/part-"), i % s->folder, 4);
    return synth_put_text(at, ".tar");
}

/* ab/cd/abcd….jpg. Name i lies anywhere in the i-th of count equal parts of
 * all names, so that they look random and need no sorting. */
static char *synth_put_hashed(struct synth *s, uint64_t i, char *at)
{
    char hex[16];

    synth_put_hex(hex, i * s->stride + prng_below(&s->names, s->stride));
    memcpy(at, hex, 2);
    at[2] = '/';
    memcpy(at + 3, hex + 2, 2);
    at[5] = '/';
    memcpy(at + 6, hex, sizeof(hex));
    return synth_put_text(at + 6 + sizeof(hex), ".jpg");
}

static struct bytes synth_key(struct synth *s, uint64_t i, char *room)
{
    char *end = room;

    switch (s->options->keys) {
    case SYNTH_NUMBERED:
        end = synth_put_text(room, "part-");
        end = synth_put_text(synth_put_number(end, i, s->digits), ".tar");
        break;
    case SYNTH_DATED:
        end = synth_put_dated(s, i, room);
        break;
    case SYNTH_HASHED:
        end = synth_put_hashed(s, i, room);
        break;
    }
    return (struct bytes){room, (size_t)(end - room)};
}

static void synth_init(struct synth *s, const struct synth_options *options)
{
    uint64_t count = options->count > 0 ? options->count : 1;

    *s = (struct synth){.options = options, .digits = SYNTH_DIGITS_MIN};
    prng_init(&s->sizes, prng_mix(options->seed));
    prng_init(&s->names, prng_mix(~options->seed));
    for (uint64_t i = count - 1; i >= 100000000; i /= 10) {
        s->digits++;
    }
    s->stride = UINT64_MAX / count;
    s->folder = count / SYNTH_YEAR_HOURS;
    if (s->folder < SYNTH_FOLDER_MIN) {
        s->folder = SYNTH_FOLDER_MIN;
    }
    if (s->folder > SYNTH_FOLDER_MAX) {
        s->folder = SYNTH_FOLDER_MAX;
    }
    if (options->sizes == SYNTH_ZIPF) {
        s->scale = synth_zipf_scale(count, options->mean_bytes);
    }
}

static enum status synth_add(struct synth *s, uint64_t i,
                             struct catalog_builder *b, struct fault *why)
{
    char key[SYNTH_KEY_ROOM];
    char etag[SYNTH_ETAG_SIZE];
    struct catalog_object object = {.etag = {etag, sizeof(etag)}};

    object.key = synth_key(s, i, key);
    object.size = synth_size(s, i);
    synth_put_hex(etag, prng_next(&s->names));
    synth_put_hex(etag + 16, prng_next(&s->names));
    return catalog_builder_add(b, &object, why);
}

enum status synth_make(const struct synth_options *options, struct fault *why,
                       struct catalog **out)
{
    struct catalog_builder *b = NULL;
    struct synth synth;
    enum status s;

    *out = NULL;
    if (options->count > CATALOG_OBJECTS_MAX ||
        options->mean_bytes > SYNTH_MEAN_MAX ||
        (options->count > 0 &&
         options->mean_bytes > CATALOG_BYTES_MAX / 2 / options->count)) {
        return fault_set(why, STATUS_FULL,
                         "synthetic catalog: at most 4000000000 objects of "
                         "2^48 bytes each and 2^61 in all");
    }
    synth_init(&synth, options);
    s = catalog_builder_new(&b);
    if (s != STATUS_OK) {
        return fault_set(why, s, "synthetic catalog: no memory");
    }
    for (uint64_t i = 0; s == STATUS_OK && i < options->count; i++) {
        s = synth_add(&synth, i, b, why);
    }
    if (s == STATUS_OK) {
        s = catalog_builder_finish(&b, out);
        if (s != STATUS_OK) {
            fault_set(why, s, "synthetic catalog: no memory");
        }
    }
    catalog_builder_destroy(&b);
    return s;
}
