/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/framing_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/crc.h"
#include "proto/framing_parts.h"

enum {
    TAR_MODE_AT = 100,
    TAR_UID_AT = 108,
    TAR_GID_AT = 116,
    TAR_ID_SIZE = 8,
    TAR_TIME_AT = 136,
    TAR_VERSION_AT = 263,
    TAR_DIGIT_BITS = 3,
    TAR_MODE = 0644,
    TAR_RECORD_MAX = FRAMING_NAME_MAX + 16,
};

/* What a field of eleven octal digits holds. */
#define TAR_SIZE_PLAIN (((uint64_t)1 << 33) - 1)

/* Octal digits, ended by a NUL. */
static void tar_put(char *at, size_t size, uint64_t value)
{
    at[size - 1] = '\0';
    for (size_t i = size - 1; i > 0; i--) {
        at[i - 1] = (char)('0' + (value & 7));
        value >>= TAR_DIGIT_BITS;
    }
    CHECK(value == 0);
}

/* All but the name. The same bytes whoever writes them, and when. */
static void tar_put_header(char *at, char type, uint64_t size)
{
    tar_put(at + TAR_MODE_AT, TAR_ID_SIZE, TAR_MODE);
    tar_put(at + TAR_UID_AT, TAR_ID_SIZE, 0);
    tar_put(at + TAR_GID_AT, TAR_ID_SIZE, 0);
    tar_put(at + FRAMING_TAR_SIZE_AT, FRAMING_TAR_SIZE_SIZE, size);
    tar_put(at + TAR_TIME_AT, FRAMING_TAR_SIZE_SIZE, 0);
    at[FRAMING_TAR_TYPE_AT] = type;
    memcpy(at + FRAMING_TAR_MAGIC_AT, "ustar", FRAMING_TAR_MAGIC_SIZE);
    memcpy(at + TAR_VERSION_AT, "00", 2);
    /* Six digits, a NUL, a space. */
    tar_put(at + FRAMING_TAR_SUM_AT, FRAMING_TAR_SUM_SIZE - 1,
            framing_tar_sum(at));
    at[FRAMING_TAR_SUM_AT + FRAMING_TAR_SUM_SIZE - 1] = ' ';
}

/* Where the slash is at which a long name is split in two fields; 0: at none.
 */
static size_t tar_slash(struct bytes name)
{
    for (size_t i = 1; i + 1 < name.size && i <= FRAMING_TAR_PREFIX; i++) {
        if (name.at[i] == '/' && name.size - i - 1 <= FRAMING_TAR_NAME) {
            return i;
        }
    }
    return 0;
}

/* Put the name in its fields, its start if it has no room there. */
static void tar_put_name(char *at, struct bytes name)
{
    size_t slash = name.size > FRAMING_TAR_NAME ? tar_slash(name) : (size_t)0;

    if (slash > 0) {
        memcpy(at + FRAMING_TAR_PREFIX_AT, name.at, slash);
        name.at += slash + 1;
        name.size -= slash + 1;
    }
    memcpy(at, name.at,
           name.size < FRAMING_TAR_NAME ? name.size : FRAMING_TAR_NAME);
}

static unsigned tar_digits(size_t value)
{
    unsigned digits = 1;

    for (; value > 9; value /= 10) {
        digits++;
    }
    return digits;
}

/* Append "SIZE NAME=VALUE\n", whose size counts its own digits. */
static size_t tar_put_record(char *at, const char *name, struct bytes value)
{
    size_t rest = strlen(name) + value.size + 3; /* ' ', '=', '\n'. */
    size_t size = rest + tar_digits(rest);
    size_t head;

    size = rest + tar_digits(size);
    head = (size_t)snprintf(at, TAR_RECORD_MAX, "%zu %s=", size, name);
    memcpy(at + head, value.at, value.size);
    at[head + value.size] = '\n';
    CHECK(head + value.size + 1 == size);
    return size;
}

/* The header before the header, for what has no room in there. */
static size_t tar_put_pax(char *out, struct bytes name, uint64_t size)
{
    char *data = out + FRAMING_TAR_BLOCK;
    char digits[24];
    size_t used = 0;

    if (name.size > FRAMING_TAR_NAME && tar_slash(name) == 0) {
        used += tar_put_record(data, "path", name);
    }
    if (size > TAR_SIZE_PLAIN) {
        (void)snprintf(digits, sizeof(digits), "%" PRIu64, size);
        used += tar_put_record(data + used, "size", bytes_of(digits));
    }
    if (used == 0) {
        return 0;
    }
    tar_put_name(out, BYTES("././@PaxHeader"));
    tar_put_header(out, 'x', used);
    return FRAMING_TAR_BLOCK +
           (size_t)framing_round_up(used, FRAMING_TAR_BLOCK);
}

static enum status framing_tar_head(struct bytes name, uint64_t size,
                                    char out[FRAMING_HEAD_MAX],
                                    size_t *out_size)
{
    size_t used;

    if (name.size == 0 || name.size > FRAMING_NAME_MAX ||
        !framing_tar_may_name(name) || name.at[name.size - 1] == '/' ||
        memchr(name.at, '\0', name.size) != NULL) {
        return STATUS_INVALID;
    }
    memset(out, 0, FRAMING_HEAD_MAX);
    used = tar_put_pax(out, name, size);
    tar_put_name(out + used, name);
    tar_put_header(out + used, '0', size <= TAR_SIZE_PLAIN ? size : 0);
    *out_size = used + FRAMING_TAR_BLOCK;
    return STATUS_OK;
}

enum status framing_write_head(enum framing format, struct bytes name,
                               uint64_t size, char out[FRAMING_HEAD_MAX],
                               size_t *out_size)
{
    *out_size = 0;
    switch (format) {
    case FRAMING_TAR:
        return framing_tar_head(name, size, out, out_size);
    case FRAMING_TFRECORD:
        framing_put_u64(out, size);
        framing_put_u32(out + sizeof(size),
                        framing_mask(crc_add(CRC_32C, 0, out, sizeof(size))));
        *out_size = FRAMING_TFRECORD_HEAD;
        return STATUS_OK;
    case FRAMING_RAW:
    case FRAMING_LINES:
        return STATUS_OK;
    case FRAMING_RECORDIO:
        break;
    }
    UNREACHABLE("recordio is written whole");
}

size_t framing_write_tail(enum framing format, uint64_t size, uint64_t crc,
                          char out[FRAMING_TAIL_MAX])
{
    size_t used = 0;

    switch (format) {
    case FRAMING_TAR:
        used = (size_t)(framing_round_up(size, FRAMING_TAR_BLOCK) - size);
        memset(out, 0, used);
        break;
    case FRAMING_TFRECORD:
        framing_put_u32(out, framing_mask(crc));
        used = FRAMING_TFRECORD_TAIL;
        break;
    case FRAMING_LINES:
        out[0] = '\n';
        used = 1;
        break;
    case FRAMING_RAW:
        break;
    case FRAMING_RECORDIO:
        UNREACHABLE("recordio is written whole");
    }
    return used;
}
