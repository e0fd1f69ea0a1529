/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the checksums: what their files give each other. */

#ifndef BASE_CRC_PARTS_H
#define BASE_CRC_PARTS_H

#include <stddef.h>
#include <stdint.h>

/* Reflected. */
#define CRC_64NVME_POLY UINT64_C(0x9a6c9329ac4bc9b5)

/* The register after @size more bytes, without the inversions: by table
 * (crc.c), and by the machine's carry-less multiply where it has one
 * (crc64_clmul.c). */
uint64_t crc_state_64nvme(uint64_t state, const void *at, size_t size);
uint64_t crc_state_64nvme_fast(uint64_t state, const void *at, size_t size);

/* Whole values, as crc_add() has them (crc_isal.c). */
uint64_t crc_add_32c(uint64_t value, const void *at, size_t size);
uint64_t crc_add_32(uint64_t value, const void *at, size_t size);

#endif /* BASE_CRC_PARTS_H */
