/* SPDX-License-Identifier: Apache-2.0 */
#include "store/hedge.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"

static _Atomic size_t hedge_room = (size_t)64 << 20;
static _Atomic size_t hedge_taken;

void hedge_set_room(size_t bytes)
{
    atomic_store(&hedge_room, bytes);
}

size_t hedge_used(void)
{
    return atomic_load(&hedge_taken);
}

bool hedge_has_room(size_t bytes)
{
    size_t room = atomic_load(&hedge_room);
    size_t used = hedge_used();

    return bytes <= room && used <= room - bytes;
}

static bool hedge_take(size_t bytes)
{
    size_t used = atomic_load(&hedge_taken);
    size_t room = atomic_load(&hedge_room);

    while (bytes <= room && used <= room - bytes) {
        if (atomic_compare_exchange_weak(&hedge_taken, &used, used + bytes)) {
            return true;
        }
    }
    return false;
}

char *hedge_new(size_t bytes)
{
    char *at = NULL;

    if (hedge_take(bytes)) {
        at = malloc(bytes);
        if (at == NULL) {
            atomic_fetch_sub(&hedge_taken, bytes);
        }
    }
    return at;
}

void hedge_free(char **at, size_t bytes)
{
    if (*at != NULL) {
        CHECK(hedge_used() >= bytes);
        atomic_fetch_sub(&hedge_taken, bytes);
        free(*at);
        *at = NULL;
    }
}
