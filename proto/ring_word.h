/* SPDX-License-Identifier: Apache-2.0 */
/* A slot's word in the control memory (ring.h): whose the slot is.
 *
 *     FREE --> FILLING --> READY --> LEASED --> FREE
 *
 * and back from LEASED to READY when the consumer has gone. Each move is one
 * compare-and-swap from the exact word that is expected, and the generation
 * grows whenever a slot becomes free and whenever a lease is taken back, so
 * that a late word finds nothing. Only the worker fills, withdraws and takes
 * back; only a consumer leases and releases, and only with its own number. */

#ifndef PROTO_RING_WORD_H
#define PROTO_RING_WORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum ring_state {
    RING_FREE = 1,
    RING_FILLING,
    RING_READY,
    RING_LEASED,
};

/* An owner is a consumer's number and 1; 0 is nobody. */
static inline uint64_t ring_word(uint32_t gen, uint32_t owner,
                                 enum ring_state state)
{
    return (uint64_t)gen << 32 | (uint64_t)(owner & 0xffffff) << 8 |
           (uint64_t)state;
}

static inline uint32_t ring_word_gen(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline uint32_t ring_word_owner(uint64_t word)
{
    return (uint32_t)(word >> 8) & 0xffffff;
}

static inline uint32_t ring_word_state(uint64_t word)
{
    return (uint32_t)word & 0xff;
}

/* The one way in which a word changes. false: it was another. */
static inline bool ring_move(_Atomic uint64_t *word, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong(word, &from, to);
}

/* What a consumer may do. */
static inline bool ring_lease(_Atomic uint64_t *word, uint32_t gen,
                              uint32_t owner)
{
    return ring_move(word, ring_word(gen, 0, RING_READY),
                     ring_word(gen, owner, RING_LEASED));
}

static inline bool ring_release(_Atomic uint64_t *word, uint32_t gen,
                                uint32_t owner)
{
    return ring_move(word, ring_word(gen, owner, RING_LEASED),
                     ring_word(gen + 1, owner, RING_FREE));
}

/* What the worker may do. */
static inline bool ring_fill(_Atomic uint64_t *word, uint64_t from)
{
    return ring_word_state(from) == RING_FREE &&
           ring_move(word, from,
                     ring_word(ring_word_gen(from), 0, RING_FILLING));
}

static inline bool ring_ready(_Atomic uint64_t *word, uint32_t gen)
{
    return ring_move(word, ring_word(gen, 0, RING_FILLING),
                     ring_word(gen, 0, RING_READY));
}

/* The owner has gone: for somebody else. */
static inline bool ring_redeliver(_Atomic uint64_t *word, uint32_t gen,
                                  uint32_t owner)
{
    return owner != 0 && ring_move(word, ring_word(gen, owner, RING_LEASED),
                                   ring_word(gen + 1, 0, RING_READY));
}

/* The owner has gone, or, with 0, nobody leased it: for nobody. */
static inline bool ring_withdraw(_Atomic uint64_t *word, uint32_t gen,
                                 uint32_t owner)
{
    return ring_move(
        word, ring_word(gen, owner, owner == 0 ? RING_READY : RING_LEASED),
        ring_word(gen + 1, 0, RING_FREE));
}

enum ring_sight {
    RING_SIGHT_READY,
    RING_SIGHT_LEASED,
    RING_SIGHT_RELEASED,
    RING_SIGHT_BAD, /* No consumer could make that of it. */
};

/* What became of a slot that was made READY with @gen: consumer c may have it
 * if bit c of @consumers is set. @owner is the consumer's number and 1, or
 * 0. */
static inline enum ring_sight ring_look(uint64_t word, uint32_t gen,
                                        uint64_t consumers, uint32_t *owner)
{
    uint32_t who = ring_word_owner(word);

    *owner = 0;
    if (word == ring_word(gen, 0, RING_READY)) {
        return RING_SIGHT_READY;
    }
    if (who == 0 || who > 64 || (consumers >> (who - 1) & 1) == 0) {
        return RING_SIGHT_BAD;
    }
    *owner = who;
    if (word == ring_word(gen, who, RING_LEASED)) {
        return RING_SIGHT_LEASED;
    }
    return word == ring_word(gen + 1, who, RING_FREE) ? RING_SIGHT_RELEASED
                                                      : RING_SIGHT_BAD;
}

#endif /* PROTO_RING_WORD_H */
