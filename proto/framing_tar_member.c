/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of a tar: ustar, what GNU tar adds for long names, pax records of
 * path and size. */

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "proto/framing_parts.h"

enum {
    TAR_BASE_256 = 0x80,
    TAR_BYTE = 8,
    TAR_LANE = 16,
    TAR_LANE_MASK = 0xffff,
    TAR_DIGITS_MAX = 19,
};

#define TAR_SIZE_MAX ((uint64_t)1 << 62)

/* Up to the first NUL. */
static struct bytes tar_field(const char *at, size_t size)
{
    return (struct bytes){at, strnlen(at, size)};
}

/* Read octal digits between spaces and NULs. */
static bool tar_octal(const char *at, size_t size, uint64_t *out)
{
    size_t i = 0;
    size_t first;

    *out = 0;
    while (i < size && at[i] == ' ') {
        i++;
    }
    for (first = i; i < size && at[i] >= '0' && at[i] <= '7'; i++) {
        *out = *out * 8 + (uint64_t)(at[i] - '0');
    }
    if (i == first && i < size && at[i] != '\0') {
        return false;
    }
    while (i < size && (at[i] == ' ' || at[i] == '\0')) {
        i++;
    }
    return i == size;
}

/* A size in octal, or in base 256 where its first bit is set. */
static bool tar_size(const char *at, uint64_t *out)
{
    const unsigned char *p = (const unsigned char *)at;

    if (p[0] < TAR_BASE_256) {
        return tar_octal(at, FRAMING_TAR_SIZE_SIZE, out);
    }
    *out = p[0] & (TAR_BASE_256 - 1);
    for (size_t i = 1; i < FRAMING_TAR_SIZE_SIZE; i++) {
        if (*out > TAR_SIZE_MAX >> TAR_BYTE) {
            return false;
        }
        *out = *out << TAR_BYTE | p[i];
    }
    return *out <= TAR_SIZE_MAX;
}

/* Eight bytes at a time: their sums in four lanes of 16 bits, which the bytes
 * of a block can't fill. */
uint32_t framing_tar_sum(const char *at)
{
    const uint64_t every_other = 0x00ff00ff00ff00ff;
    const unsigned char *p = (const unsigned char *)at;
    uint64_t lanes = 0;
    uint32_t sum = ' ' * FRAMING_TAR_SUM_SIZE;

    for (size_t i = 0; i < FRAMING_TAR_BLOCK; i += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, at + i, sizeof(word));
        lanes += (word & every_other) + (word >> TAR_BYTE & every_other);
    }
    for (; lanes > 0; lanes >>= TAR_LANE) {
        sum += (uint32_t)(lanes & TAR_LANE_MASK);
    }
    for (size_t i = 0; i < FRAMING_TAR_SUM_SIZE; i++) {
        sum -= p[FRAMING_TAR_SUM_AT + i];
    }
    return sum;
}

static bool tar_is_zero(const char *at)
{
    return at[0] == '\0' && memcmp(at, at + 1, FRAMING_TAR_BLOCK - 1) == 0;
}

bool framing_tar_is_header(const char *at)
{
    uint64_t sum;

    return at[FRAMING_TAR_SUM_AT] != '\0' &&
           tar_octal(at + FRAMING_TAR_SUM_AT, FRAMING_TAR_SUM_SIZE, &sum) &&
           sum == framing_tar_sum(at) && !tar_is_zero(at);
}

/* ---- Names. */

bool framing_tar_may_name(struct bytes name)
{
    size_t start = 0;

    if (name.size == 0 || name.at[0] == '/') {
        return false;
    }
    for (size_t i = 0; i <= name.size; i++) {
        if (i == name.size || name.at[i] == '/') {
            if (i - start == 2 && memcmp(name.at + start, "..", 2) == 0) {
                return false;
            }
            start = i + 1;
        }
    }
    return true;
}

static size_t tar_last_part(struct bytes name)
{
    size_t at = name.size;

    while (at > 0 && name.at[at - 1] != '/') {
        at--;
    }
    return at;
}

bool framing_split_name(struct bytes name, struct bytes *key, struct bytes *ext)
{
    size_t last = tar_last_part(name);
    size_t dot = last;

    /* A dot that comes first does not end a name. */
    while (dot < name.size && (name.at[dot] != '.' || dot == last)) {
        if (name.at[dot] == '.' && dot == last) {
            return false;
        }
        dot++;
    }
    if (dot == name.size) {
        return false;
    }
    *key = (struct bytes){name.at, dot};
    *ext = (struct bytes){name.at + dot + 1, name.size - dot - 1};
    return true;
}

/* "__x__", or below it, which says something of the tar itself. */
static bool tar_is_about(struct bytes name)
{
    const size_t least = 4;
    const char *slash = memchr(name.at, '/', name.size);

    if (slash != NULL) {
        name.size = (size_t)(slash - name.at);
    }
    return name.size >= least && bytes_has_prefix(name, BYTES("__")) &&
           bytes_has_suffix(name, BYTES("__"));
}

/* Put prefix and name of a ustar header together. */
static void tar_name(const char *at, struct framing_member *m)
{
    struct bytes name = tar_field(at, FRAMING_TAR_NAME);
    struct bytes prefix = {"", 0};
    size_t size = 0;

    if (memcmp(at + FRAMING_TAR_MAGIC_AT, "ustar", FRAMING_TAR_MAGIC_SIZE) ==
        0) {
        prefix = tar_field(at + FRAMING_TAR_PREFIX_AT, FRAMING_TAR_PREFIX);
    }
    m->name = name;
    if (prefix.size > 0) {
        CHECK(prefix.size + 1 + name.size <= sizeof(m->room));
        memcpy(m->room, prefix.at, prefix.size);
        m->room[prefix.size] = '/';
        size = prefix.size + 1;
        memcpy(m->room + size, name.at, name.size);
        m->name = (struct bytes){m->room, size + name.size};
    }
}

/* ---- Headers that say more of the next one. */

struct tar_more {
    struct bytes path; /* Empty: not said. */
    bool has_size;
    uint64_t size;
};

static bool tar_decimal(struct bytes text, uint64_t *out)
{
    *out = 0;
    if (text.size == 0 || text.size > TAR_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return false;
        }
        *out = *out * 10 + (uint64_t)(text.at[i] - '0');
    }
    return *out <= TAR_SIZE_MAX;
}

/* Split one pax record, "SIZE NAME=VALUE\n", off @text. */
static bool tar_pax_take(struct bytes *text, struct bytes *name,
                         struct bytes *value)
{
    const char *space = memchr(text->at, ' ', text->size);
    const char *equals;
    size_t head;
    uint64_t size;

    if (space == NULL) {
        return false;
    }
    head = (size_t)(space - text->at) + 1;
    if (!tar_decimal((struct bytes){text->at, head - 1}, &size) ||
        size > text->size || size <= head || text->at[size - 1] != '\n') {
        return false;
    }
    *name = (struct bytes){text->at + head, (size_t)size - head - 1};
    equals = memchr(name->at, '=', name->size);
    if (equals == NULL) {
        return false;
    }
    value->size = name->size - (size_t)(equals - name->at) - 1;
    value->at = equals + 1;
    name->size = (size_t)(equals - name->at);
    *text = (struct bytes){text->at + size, text->size - (size_t)size};
    return true;
}

static enum status tar_pax(struct bytes text, uint64_t offset,
                           struct fault *why, struct tar_more *more)
{
    struct bytes name;
    struct bytes value;

    while (text.size > 0) {
        if (!tar_pax_take(&text, &name, &value)) {
            return fault_set(why, STATUS_MALFORMED,
                             "byte %" PRIu64 ": a pax header is damaged",
                             offset);
        }
        if (bytes_is(name, "path")) {
            more->path = value;
        } else if (bytes_is(name, "size")) {
            more->has_size = tar_decimal(value, &more->size);
            if (!more->has_size) {
                return fault_set(why, STATUS_MALFORMED,
                                 "byte %" PRIu64
                                 ": a pax header has no number as its size",
                                 offset);
            }
        } else if (bytes_has_prefix(name, BYTES("GNU.sparse."))) {
            return fault_set(why, STATUS_INVALID,
                             "byte %" PRIu64
                             ": a sparse member, which is not read; make the "
                             "tar without --sparse",
                             offset);
        }
    }
    return STATUS_OK;
}

/* ---- A member. */

static bool tar_says_more(char type)
{
    return type == 'x' || type == 'L' || type == 'K' || type == 'g';
}

/* Links, devices, folders and FIFOs have no data, whatever their size. */
static bool tar_has_data(char type)
{
    return type < '1' || type > '6';
}

static bool tar_is_regular(char type)
{
    return type == '0' || type == '\0' || type == '7';
}

static enum status tar_judge(struct framing_member *m, char type,
                             uint64_t offset, struct fault *why)
{
    if (type == 'S') {
        return fault_set(why, STATUS_INVALID,
                         "byte %" PRIu64
                         ": a sparse member, which is not read; make the tar "
                         "without --sparse",
                         offset);
    }
    if (!tar_is_regular(type) || bytes_has_suffix(m->name, BYTES("/"))) {
        return STATUS_OK;
    }
    if (!framing_tar_may_name(m->name)) {
        return fault_set(why, STATUS_INVALID,
                         "byte %" PRIu64
                         ": the member '%.*s' could leave its folder",
                         offset, (int)m->name.size, m->name.at);
    }
    m->is_counted =
        !tar_is_about(m->name) && framing_split_name(m->name, &m->key, &m->ext);
    return STATUS_OK;
}

/* One header. */
struct tar_head {
    const char *at;
    uint64_t offset; /* In the object. */
    uint64_t size;
    char type;
};

static enum status tar_head(const char *at, uint64_t offset, struct fault *why,
                            struct tar_head *out)
{
    out->at = at;
    out->offset = offset;
    out->type = at[FRAMING_TAR_TYPE_AT];
    if (!framing_tar_is_header(out->at)) {
        return fault_set(why, STATUS_MALFORMED,
                         "byte %" PRIu64 ": no header of a tar's member",
                         offset);
    }
    if (!tar_size(out->at + FRAMING_TAR_SIZE_AT, &out->size) ||
        (tar_says_more(out->type) && out->size > FRAMING_PAX_MAX)) {
        return fault_set(why, STATUS_MALFORMED,
                         "byte %" PRIu64 ": a tar's member has a wrong size",
                         offset);
    }
    return STATUS_OK;
}

/* Take what a header of the type @h->type says of the next one. */
static enum status tar_take_more(const struct tar_head *h, struct fault *why,
                                 struct tar_more *more)
{
    struct bytes data = {h->at + FRAMING_TAR_BLOCK, (size_t)h->size};

    if (h->type == 'x') {
        return tar_pax(data, h->offset, why, more);
    }
    if (h->type == 'L') {
        more->path = tar_field(data.at, data.size);
    }
    return STATUS_OK;
}

/* The last header, @h, at @at: the member's own. */
static enum status tar_finish(const struct tar_head *h,
                              const struct tar_more *more, uint64_t at,
                              struct fault *why, struct framing_member *out)
{
    uint64_t data;

    tar_name(h->at, out);
    if (more->path.size > 0) {
        out->name = more->path;
    }
    if (out->name.size > FRAMING_NAME_MAX ||
        memchr(out->name.at, '\0', out->name.size) != NULL) {
        return fault_set(why, STATUS_INVALID,
                         "byte %" PRIu64 ": a member's name has NUL bytes, or "
                         "more than %d",
                         h->offset, FRAMING_NAME_MAX);
    }
    out->size = more->has_size ? more->size : h->size;
    data = tar_has_data(h->type) ? out->size : 0;
    out->data_at = at + FRAMING_TAR_BLOCK;
    out->end = out->data_at + framing_round_up(data, FRAMING_TAR_BLOCK);
    return tar_judge(out, h->type, h->offset, why);
}

enum status framing_tar_member(struct bytes bytes, uint64_t offset,
                               struct fault *why, struct framing_member *out)
{
    struct tar_more more = {.has_size = false};
    struct tar_head head;
    uint64_t at = 0;
    enum status s;

    CHECK(bytes.size >= FRAMING_TAR_BLOCK);
    out->is_zero = tar_is_zero(bytes.at);
    out->is_counted = false;
    out->need = 0;
    if (out->is_zero) {
        return STATUS_OK;
    }
    while ((s = tar_head(bytes.at + at, offset + at, why, &head)) ==
               STATUS_OK &&
           tar_says_more(head.type)) {
        uint64_t end = at + FRAMING_TAR_BLOCK +
                       framing_round_up(head.size, FRAMING_TAR_BLOCK);

        /* The header after it is wanted too. */
        if (end + FRAMING_TAR_BLOCK > bytes.size) {
            out->need = end + FRAMING_TAR_BLOCK;
            return STATUS_OK;
        }
        s = tar_take_more(&head, why, &more);
        if (s != STATUS_OK) {
            return s;
        }
        at = end;
    }
    return s == STATUS_OK ? tar_finish(&head, &more, at, why, out) : s;
}
