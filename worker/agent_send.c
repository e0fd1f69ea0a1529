/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent says, and copies of what it was told. */
#include <string.h>

#include "base/check.h"
#include "worker/agent_state.h"

static struct wire_message *agent_say(struct agent *a, enum wire_type type,
                                      struct agent_effects *fx)
{
    struct wire_message *m;

    CHECK(fx->send_count < AGENT_SENDS_MAX);
    m = &fx->sends[fx->send_count++];
    memset(m, 0, sizeof(*m));
    memcpy(m->job, a->run, sizeof(a->run));
    m->term = a->term;
    m->type = type;
    return m;
}

static enum wire_phase agent_phase(const struct agent *a)
{
    static const enum wire_phase phases[] = {
        [AGENT_JOINING] = WIRE_PHASE_ABSENT,
        [AGENT_WAITING] = WIRE_PHASE_JOINED,
        [AGENT_BRINGING] = WIRE_PHASE_BRINGING,
        [AGENT_READY] = WIRE_PHASE_READY,
        [AGENT_RUNNING] = WIRE_PHASE_RUNNING,
        [AGENT_STOPPING] = WIRE_PHASE_STOPPING,
        [AGENT_SAVING] = WIRE_PHASE_SAVING,
        [AGENT_REPORTING] = WIRE_PHASE_DONE,
        [AGENT_OVER] = WIRE_PHASE_DONE,
    };

    return phases[a->state];
}

void agent_send_hello(struct agent *a, uint64_t wall_ms,
                      struct agent_effects *fx)
{
    agent_say(a, WIRE_HELLO, fx)->hello = (struct wire_hello){
        .host = bytes_of(a->host),
        .incarnation = bytes_of(a->incarnation),
        .release = bytes_of(a->release),
        .attempt = a->attempt,
        .ranks = a->ranks,
        .weight = a->weight,
        .wall_ms = wall_ms,
        .host_count = a->host_count,
        .phase = agent_phase(a),
    };
}

void agent_send_beat(struct agent *a, struct agent_effects *fx)
{
    CHECK(a->state != AGENT_JOINING);
    a->beat.phase = agent_phase(a);
    a->beat.number++;
    agent_say(a, WIRE_BEAT, fx)->beat = a->beat;
}

void agent_send_ready(struct agent *a, struct agent_effects *fx)
{
    CHECK(a->state == AGENT_READY);
    agent_say(a, WIRE_READY, fx)->ready =
        (struct wire_ready){a->brought_units, a->brought_bytes};
}

void agent_send_done(struct agent *a, struct agent_effects *fx)
{
    bool command_failed =
        a->command_code != 0 && a->outcome.exit_code == a->command_code;

    agent_say(a, WIRE_DONE, fx)->done = (struct wire_done){
        .status = command_failed ? STATUS_OK : a->outcome.status,
        .exit_code = (uint64_t)a->outcome.exit_code,
        .reason = bytes_of(a->outcome.text),
        .saved_units = a->beat.saved_units,
        .saved_bytes = a->beat.saved_bytes,
    };
}

/* Move @text to @to, and return where the next one goes. */
static char *agent_keep_text(struct bytes *text, char *to)
{
    if (text->size > 0) {
        memcpy(to, text->at, text->size);
    }
    text->at = to;
    return to + text->size;
}

static size_t agent_texts_size(const struct wire_share_all *all)
{
    size_t size = all->output.size + all->checkpoint.size;

    for (uint32_t i = 0; i < all->share_count; i++) {
        const struct wire_share *s = &all->shares[i];

        size += s->channel.size + s->share.size + s->catalog.size +
                s->root_uri.size + s->prefix.size + s->named_by.size;
    }
    return size;
}

void agent_keep_shares(struct agent *a, const struct wire_share_all *shares)
{
    size_t size = agent_texts_size(shares);
    char *to = buf_reserve(&a->texts, size);

    CHECK(!a->has_shares && shares->share_count <= WIRE_CHANNELS_MAX);
    a->has_shares = true;
    a->shares = *shares;
    to = agent_keep_text(&a->shares.output, to);
    to = agent_keep_text(&a->shares.checkpoint, to);
    for (uint32_t i = 0; i < shares->share_count; i++) {
        struct wire_share *s = &a->shares.shares[i];

        to = agent_keep_text(&s->channel, to);
        to = agent_keep_text(&s->share, to);
        to = agent_keep_text(&s->catalog, to);
        to = agent_keep_text(&s->root_uri, to);
        to = agent_keep_text(&s->prefix, to);
        to = agent_keep_text(&s->named_by, to);
    }
    buf_add_done(&a->texts, size);
    CHECK(to == a->texts.at + size);
}

static uint64_t agent_smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void agent_keep_streams(struct agent *a, const struct wire_beat *beat)
{
    size_t size = 0;
    char *to;

    CHECK(beat->stream_count <= WIRE_STREAMS_MAX);
    for (uint32_t i = 0; i < beat->stream_count; i++) {
        size += beat->streams[i].channel.size + beat->streams[i].placed.size;
    }
    buf_clear(&a->stream_texts);
    to = buf_reserve(&a->stream_texts, size);
    a->beat.stream_count = beat->stream_count;
    for (uint32_t i = 0; i < beat->stream_count; i++) {
        a->beat.streams[i] = beat->streams[i];
        to = agent_keep_text(&a->beat.streams[i].channel, to);
        to = agent_keep_text(&a->beat.streams[i].placed, to);
    }
    buf_add_done(&a->stream_texts, size);
}

void agent_keep_progress(struct agent *a, const struct wire_beat *beat)
{
    CHECK(beat->progress_count <= WIRE_CHANNELS_MAX);
    if (beat->saved_units >= a->beat.saved_units) {
        a->beat.saved_units = beat->saved_units;
        a->beat.saved_bytes = beat->saved_bytes;
    }
    a->beat.requests = beat->requests;
    a->beat.throttled = beat->throttled;
    agent_keep_streams(a, beat);
    a->beat.progress_count = beat->progress_count;
    for (uint32_t i = 0; i < beat->progress_count; i++) {
        const struct wire_progress *from = &beat->progress[i];

        CHECK(from->channel.size <= AGENT_CHANNEL_NAME_MAX);
        memcpy(a->channels[i], from->channel.at, from->channel.size);
        a->beat.progress[i] = (struct wire_progress){
            .channel = {a->channels[i], from->channel.size},
            .units_done = agent_smaller(from->units_done, from->units),
            .units = from->units,
            .bytes_done = agent_smaller(from->bytes_done, from->bytes),
            .bytes = from->bytes,
        };
    }
}
