/* SPDX-License-Identifier: Apache-2.0 */
/* The clock seam. Loops read time here and hand it to the cores inside their
 * events; the simulator puts its own clock behind the same table. */

#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock_ops {
    /* Milliseconds that never go back; the zero is arbitrary. */
    uint64_t (*now_ms)(void *self);
    /* Milliseconds since 1970 as this host believes them; may jump. */
    uint64_t (*wall_ms)(void *self);
};

struct clock {
    const struct clock_ops *ops;
    void *self;
};

static inline uint64_t clock_now_ms(const struct clock *c)
{
    return c->ops->now_ms(c->self);
}

static inline uint64_t clock_wall_ms(const struct clock *c)
{
    return c->ops->wall_ms(c->self);
}

/* The clock of this machine (clock_os.c). */
extern const struct clock clock_os;

#endif /* BASE_CLOCK_H */
