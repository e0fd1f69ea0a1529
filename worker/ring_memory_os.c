/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/ring_state.h"

enum status ring_memory_new(const char *name, size_t size, bool is_sealed,
                            struct ring_memory *out)
{
    struct ring_memory m = {.size = size};
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

    m.fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (m.fd < 0) {
        return STATUS_OS;
    }
    if (ftruncate(m.fd, (off_t)size) != 0) {
        close(m.fd);
        return STATUS_OS;
    }
    m.at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
    if (m.at == MAP_FAILED) {
        close(m.fd);
        return STATUS_OS;
    }
    if (fcntl(m.fd, F_ADD_SEALS,
              seals | (is_sealed ? F_SEAL_FUTURE_WRITE : 0)) != 0) {
        ring_memory_free(&m);
        return STATUS_OS;
    }
    *out = m;
    return STATUS_OK;
}

void ring_memory_free(struct ring_memory *m)
{
    if (m->fd >= 0) {
        munmap(m->at, m->size);
        close(m->fd);
    }
    *m = (struct ring_memory){.fd = -1};
}
