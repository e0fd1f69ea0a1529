/* SPDX-License-Identifier: Apache-2.0 */
/* A magic, the run, the hosts with their shares as SHARE messages, the
 * channels, and a CRC64 over all of it. */
#include "coordinator/dealt.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/crc.h"
#include "base/mem.h"
#include "base/varint.h"
#include "coordinator/ledger.h"

enum { DEALT_VERSION = 1, DEALT_SUM_SIZE = 8, DEALT_TEXT_MAX = 64 << 20 };

static const char dealt_magic[] = "smshard dealt";

struct dealt_copy {
    struct dealt dealt;
    char *text; /* What all views point to. */
    uint32_t *ranks;
    uint32_t *weights;
    struct wire_share_all *shares;
    uint64_t *bounds[WIRE_CHANNELS_MAX];
};

static uint64_t dealt_sum(struct bytes text)
{
    return crc_add(CRC_64NVME, 0, text.at, text.size);
}

static uint64_t dealt_rank_count(const struct dealt *d)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < d->host_count; i++) {
        count += d->ranks[i];
    }
    return count;
}

static void dealt_write_host(const struct dealt *d, const char *run,
                             uint32_t host, struct buf *out)
{
    struct wire_message m = {.type = WIRE_SHARE};
    struct buf text = {0};

    memcpy(m.job, run, strlen(run) + 1);
    m.share = d->shares[host];
    wire_encode(&m, &text);
    varint_write(d->ranks[host], out);
    varint_write(d->weights[host], out);
    varint_write_text(buf_bytes(&text), out);
    buf_fini(&text);
}

enum { DEALT_DYNAMIC = 1, DEALT_STREAM = 2, DEALT_SINGLE = 4 };

static uint64_t dealt_flags(const struct dealt_channel *c)
{
    return (c->is_dynamic ? DEALT_DYNAMIC : 0U) |
           (c->is_stream ? DEALT_STREAM : 0U) |
           (c->is_single ? DEALT_SINGLE : 0U);
}

static void dealt_write_channel(const struct dealt *d,
                                const struct dealt_channel *c, struct buf *out)
{
    uint64_t ranks = dealt_rank_count(d);

    CHECK((c->bounds == NULL) == c->is_dynamic);
    varint_write_text(c->name, out);
    varint_write_text(c->catalog, out);
    varint_write_text(c->how, out);
    varint_write(dealt_flags(c), out);
    varint_write(c->positions, out);
    varint_write(c->epochs, out);
    varint_write(c->first_epoch, out);
    varint_write(c->step_units, out);
    varint_write(c->skips, out);
    varint_write_text(c->base, out);
    for (uint64_t i = 0; !c->is_dynamic && i < ranks; i++) {
        varint_write(c->bounds[i + 1] - c->bounds[i], out);
    }
}

void dealt_write(const struct dealt *d, const char *run, struct buf *out)
{
    size_t start = out->size;
    uint64_t sum;

    CHECK(strlen(run) <= WIRE_JOB_SIZE);
    buf_add_text(out, dealt_magic);
    varint_write(DEALT_VERSION, out);
    varint_write_text(bytes_of(run), out);
    varint_write(d->host_count, out);
    for (uint32_t i = 0; i < d->host_count; i++) {
        dealt_write_host(d, run, i, out);
    }
    varint_write(d->channel_count, out);
    for (uint32_t i = 0; i < d->channel_count; i++) {
        dealt_write_channel(d, &d->channels[i], out);
    }
    sum = dealt_sum((struct bytes){out->at + start, out->size - start});
    for (int i = 0; i < DEALT_SUM_SIZE; i++) {
        buf_add_char(out, (char)(unsigned char)(sum >> (8 * i)));
    }
}

/* Cut the checksum from the end of @in. false: it is wrong. */
static bool dealt_check_sum(struct bytes *in)
{
    uint64_t sum = 0;

    if (in->size < DEALT_SUM_SIZE) {
        return false;
    }
    in->size -= DEALT_SUM_SIZE;
    for (int i = 0; i < DEALT_SUM_SIZE; i++) {
        unsigned char byte =
            (unsigned char)((const char *)in->at)[in->size + (size_t)i];

        sum |= (uint64_t)byte << (8 * i);
    }
    return sum == dealt_sum(*in);
}

static bool dealt_read_head(struct bytes *in, const char *run)
{
    size_t size = strlen(dealt_magic);
    struct bytes said;
    uint64_t version;

    if (in->size < size || memcmp(in->at, dealt_magic, size) != 0) {
        return false;
    }
    in->at = (const char *)in->at + size;
    in->size -= size;
    return varint_read(in, &version) && version == DEALT_VERSION &&
           varint_read_text(in, WIRE_JOB_SIZE, &said) && bytes_is(said, run);
}

static bool dealt_read_host(struct bytes *in, const char *run, uint32_t host,
                            struct dealt_copy *copy)
{
    struct wire_message m;
    struct fault why;
    struct bytes text;
    uint64_t ranks;
    uint64_t weight;

    if (!varint_read(in, &ranks) || ranks > WIRE_RANKS_MAX || ranks == 0 ||
        !varint_read(in, &weight) || weight == 0 ||
        weight > LEDGER_WEIGHT_MAX ||
        !varint_read_text(in, WIRE_MESSAGE_MAX, &text) ||
        wire_decode(text, run, &why, &m) != STATUS_OK || m.type != WIRE_SHARE) {
        return false;
    }
    copy->ranks[host] = (uint32_t)ranks;
    copy->weights[host] = (uint32_t)weight;
    copy->shares[host] = m.share;
    return true;
}

static bool dealt_read_hosts(struct bytes *in, const char *run,
                             struct dealt_copy *copy)
{
    uint64_t count;

    if (!varint_read(in, &count) || count == 0 || count > WIRE_HOSTS_MAX) {
        return false;
    }
    copy->dealt.host_count = (uint32_t)count;
    copy->ranks = mem_new(count, sizeof(copy->ranks[0]));
    copy->weights = mem_new(count, sizeof(copy->weights[0]));
    copy->shares = mem_new(count, sizeof(copy->shares[0]));
    copy->dealt.ranks = copy->ranks;
    copy->dealt.weights = copy->weights;
    copy->dealt.shares = copy->shares;
    for (uint32_t i = 0; i < count; i++) {
        if (!dealt_read_host(in, run, i, copy)) {
            return false;
        }
    }
    return true;
}

/* Who has no part in the channel has nothing of it. */
static bool dealt_read_bounds(struct bytes *in, const struct dealt *d,
                              uint32_t number, uint64_t *bounds)
{
    uint64_t positions = d->channels[number].positions;
    uint64_t rank = 0;
    uint64_t size;

    for (uint32_t i = 0; i < d->host_count; i++) {
        uint64_t most = dealt_has_part(d, number, i) ? positions : 0;

        for (uint32_t k = 0; k < d->ranks[i]; k++, rank++) {
            if (!varint_read(in, &size) || size > most ||
                size > positions - bounds[rank]) {
                return false;
            }
            bounds[rank + 1] = bounds[rank] + size;
        }
    }
    return bounds[rank] == positions;
}

/* What ledger_new() checks. */
static bool dealt_fits_ledger(const struct dealt_channel *c)
{
    return c->positions <= UINT64_MAX / 8 && c->epochs > 0 &&
           c->epochs < UINT64_MAX / 2 && c->first_epoch < UINT64_MAX / 2 &&
           (c->is_dynamic || c->step_units == 0);
}

/* What a ledger and a cursor will take it for. */
static bool dealt_base_is_good(struct bytes base)
{
    struct ranges *r = ranges_new();
    struct fault why;
    bool is_good =
        base.size == 0 || (ranges_read(r, UINT64_MAX / 2, LEDGER_HOLES_MAX,
                                       &base, &why) == STATUS_OK &&
                           base.size == 0);

    ranges_destroy(&r);
    return is_good;
}

static bool dealt_read_channel(struct bytes *in, struct dealt_copy *copy,
                               uint32_t number)
{
    struct dealt_channel *c = &copy->dealt.channels[number];
    uint64_t ranks = dealt_rank_count(&copy->dealt);
    uint64_t flags;

    if (!varint_read_text(in, WIRE_NAME_MAX, &c->name) ||
        !varint_read_text(in, WIRE_TEXT_MAX, &c->catalog) ||
        !varint_read_text(in, WIRE_TEXT_MAX, &c->how) ||
        !varint_read(in, &flags) || flags > 7 ||
        !varint_read(in, &c->positions) || !varint_read(in, &c->epochs) ||
        !varint_read(in, &c->first_epoch) || !varint_read(in, &c->step_units) ||
        !varint_read(in, &c->skips) ||
        !varint_read_text(in, DEALT_TEXT_MAX, &c->base) ||
        !dealt_base_is_good(c->base)) {
        return false;
    }
    c->is_dynamic = (flags & DEALT_DYNAMIC) != 0;
    c->is_stream = (flags & DEALT_STREAM) != 0;
    c->is_single = (flags & DEALT_SINGLE) != 0;
    if (c->is_dynamic || !dealt_fits_ledger(c)) {
        return dealt_fits_ledger(c);
    }
    copy->bounds[number] = mem_new(ranks + 1, sizeof(uint64_t));
    c->bounds = copy->bounds[number];
    return dealt_read_bounds(in, &copy->dealt, number, copy->bounds[number]);
}

static bool dealt_read_channels(struct bytes *in, struct dealt_copy *copy)
{
    uint64_t count;

    if (!varint_read(in, &count) || count > WIRE_CHANNELS_MAX) {
        return false;
    }
    copy->dealt.channel_count = (uint32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        if (!dealt_read_channel(in, copy, i)) {
            return false;
        }
    }
    return in->size == 0;
}

enum status dealt_read(struct bytes in, const char *run, struct fault *why,
                       struct dealt_copy **out)
{
    struct dealt_copy *copy = mem_new(1, sizeof(*copy));
    struct bytes rest = {NULL, in.size};

    copy->text = mem_copy_text(in.at, in.size);
    rest.at = copy->text;
    *out = NULL;
    if (!dealt_check_sum(&rest) || !dealt_read_head(&rest, run) ||
        !dealt_read_hosts(&rest, run, copy) ||
        !dealt_read_channels(&rest, copy)) {
        dealt_destroy(&copy);
        return fault_set(why, STATUS_MALFORMED,
                         "what was dealt in run %s is damaged", run);
    }
    *out = copy;
    return STATUS_OK;
}

const struct dealt *dealt_of(const struct dealt_copy *copy)
{
    return &copy->dealt;
}

void dealt_destroy(struct dealt_copy **copy)
{
    struct dealt_copy *old = *copy;

    if (old == NULL) {
        return;
    }
    for (uint32_t i = 0; i < WIRE_CHANNELS_MAX; i++) {
        free(old->bounds[i]);
    }
    free(old->ranks);
    free(old->weights);
    free(old->shares);
    free(old->text);
    free(old);
    *copy = NULL;
}

bool dealt_has_part(const struct dealt *d, uint32_t number, uint32_t host)
{
    const struct wire_share_all *all = &d->shares[host];

    for (uint32_t i = 0; i < all->share_count; i++) {
        if (all->shares[i].number == number) {
            return true;
        }
    }
    return false;
}

uint32_t dealt_ranks(const struct dealt *d, uint32_t number, uint32_t host)
{
    if (!dealt_has_part(d, number, host)) {
        return 0;
    }
    return d->channels[number].is_single ? 1 : d->ranks[host];
}
