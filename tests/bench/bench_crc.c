/* SPDX-License-Identifier: Apache-2.0 */
/* How fast the checksums are, in the cache and out of it. */
#include "base/crc.h"
#include "base/crc_parts.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t add_by_table(enum crc_kind kind, uint64_t value, const void *at,
                             size_t size)
{
    (void)kind;
    return ~crc_state_64nvme_by(CRC_BY_TABLE, ~value, at, size);
}

static uint64_t add_by_clmul(enum crc_kind kind, uint64_t value, const void *at,
                             size_t size)
{
    (void)kind;
    return ~crc_state_64nvme_by(CRC_BY_CLMUL, ~value, at, size);
}

static void bench(const char *name, enum crc_kind kind, const char *data,
                  size_t size,
                  uint64_t (*add)(enum crc_kind, uint64_t, const void *,
                                  size_t))
{
    size_t total = (size_t)1 << 30;
    uint64_t value = 0;
    double start = cpu_s();
    double spent;

    for (size_t done = 0; done < total; done += size) {
        value = add(kind, value, data, size);
    }
    spent = cpu_s() - start;
    printf("  %-22s %9zu bytes %8.1f GB/s   %016llx\n", name, size,
           (double)total / spent / 1e9, (unsigned long long)value);
}

int main(void)
{
    static const size_t sizes[] = {256, 16 << 10, 8 << 20};
    char *data = mem_new(8 << 20, 1);

    memset(data, 0x5a, 8 << 20);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        bench("crc64nvme", CRC_64NVME, data, sizes[i], crc_add);
        if (crc_best_way() > CRC_BY_CLMUL) {
            bench("crc64nvme, 16 bytes", CRC_64NVME, data, sizes[i],
                  add_by_clmul);
        }
        bench("crc64nvme by table", CRC_64NVME, data, sizes[i], add_by_table);
        bench("crc32c", CRC_32C, data, sizes[i], crc_add);
        bench("crc32", CRC_32, data, sizes[i], crc_add);
    }
    free(data);
    return 0;
}
