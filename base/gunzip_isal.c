/* SPDX-License-Identifier: Apache-2.0 */
#include "base/gunzip.h"

#include <stdlib.h>

#include <isa-l.h>

#include "base/check.h"
#include "base/mem.h"

enum { GUNZIP_OUT_BYTES = 256 << 10 };

/* What comes next. */
enum gunzip_part { GUNZIP_MEMBER, GUNZIP_HEADER, GUNZIP_BODY };

struct gunzip {
    struct inflate_state state;
    /* Ours, since the library's own does not outlive a call: a header that
     * comes in two pieces would go on with what the stack holds. */
    struct isal_gzip_header header;
    enum gunzip_part part;
    uint64_t max;
    uint64_t done;
    bool is_full; /* The last piece filled @out: there may be more. */
    bool has_any; /* One member at least has ended. */
    uint8_t out[GUNZIP_OUT_BYTES];
};

struct gunzip *gunzip_new(uint64_t max)
{
    struct gunzip *g = mem_new(1, sizeof(*g));

    isal_inflate_init(&g->state);
    g->max = max;
    return g;
}

void gunzip_destroy(struct gunzip **g)
{
    free(*g);
    *g = NULL;
}

/* ISA-L reads from it only, but its struct does not say so. */
static uint8_t *gunzip_view(const char *at)
{
    union {
        const char *view;
        uint8_t *bytes;
    } u = {at};

    return u.bytes;
}

void gunzip_give(struct gunzip *g, struct bytes piece)
{
    CHECK(g->state.avail_in == 0 && !g->is_full);
    CHECK(piece.size <= UINT32_MAX);
    g->state.next_in = gunzip_view(piece.at);
    g->state.avail_in = (uint32_t)piece.size;
}

static const char *gunzip_reason(int result)
{
    switch (result) {
    case ISAL_INVALID_WRAPPER:
    case ISAL_UNSUPPORTED_METHOD:
        return "it is not gzip";
    case ISAL_INCORRECT_CHECKSUM:
        return "its gzip checksum is wrong";
    default:
        return "its gzip data is damaged";
    }
}

static enum status gunzip_refuse(int result, struct fault *why)
{
    return fault_set(why, STATUS_MALFORMED, "%s", gunzip_reason(result));
}

/* Read what there is of a member's header. */
static enum status gunzip_header(struct gunzip *g, struct fault *why)
{
    int result;

    if (g->part == GUNZIP_MEMBER) {
        isal_inflate_reset(&g->state);
        isal_gzip_header_init(&g->header);
        g->state.crc_flag = ISAL_GZIP_NO_HDR_VER;
        g->part = GUNZIP_HEADER;
    }
    result = isal_read_gzip_header(&g->state, &g->header);
    if (result == ISAL_DECOMP_OK) {
        g->part = GUNZIP_BODY;
        return STATUS_OK;
    }
    return result == ISAL_END_INPUT && g->state.avail_in == 0
               ? STATUS_OK
               : gunzip_refuse(result, why);
}

/* Undo the next bytes of a member into @out. */
static enum status gunzip_body(struct gunzip *g, struct fault *why,
                               struct bytes *out)
{
    struct inflate_state *state = &g->state;
    uint32_t had = state->avail_in;
    int result;

    state->next_out = g->out;
    state->avail_out = sizeof(g->out);
    result = isal_inflate(state);
    if (result != ISAL_DECOMP_OK) {
        return gunzip_refuse(result, why);
    }
    *out =
        (struct bytes){(const char *)g->out, sizeof(g->out) - state->avail_out};
    g->is_full = state->avail_out == 0;
    if (state->block_state == ISAL_BLOCK_FINISH) {
        g->part = GUNZIP_MEMBER;
        g->is_full = false;
        g->has_any = true;
    } else if (out->size == 0 && state->avail_in == had && had > 0) {
        return gunzip_refuse(result, why); /* It would go on for ever. */
    }
    return STATUS_OK;
}

enum status gunzip_next(struct gunzip *g, struct fault *why, struct bytes *out)
{
    enum status s = STATUS_OK;

    *out = (struct bytes){NULL, 0};
    while (s == STATUS_OK && out->size == 0 &&
           (g->state.avail_in > 0 || g->is_full)) {
        s = g->part == GUNZIP_BODY ? gunzip_body(g, why, out)
                                   : gunzip_header(g, why);
    }
    g->done += out->size;
    if (s == STATUS_OK && g->done > g->max) {
        return fault_set(why, STATUS_FULL,
                         "more than %llu bytes come out of its gzip data",
                         (unsigned long long)g->max);
    }
    return s;
}

enum status gunzip_end(const struct gunzip *g, struct fault *why)
{
    if (g->part != GUNZIP_MEMBER || !g->has_any || g->state.avail_in > 0) {
        return fault_set(why, STATUS_MALFORMED,
                         "its gzip data is cut off at the end");
    }
    return STATUS_OK;
}

bool gunzip_is_gzip(struct bytes start)
{
    return bytes_has_prefix(start, BYTES("\x1f\x8b\x08"));
}
