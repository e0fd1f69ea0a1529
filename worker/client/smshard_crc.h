/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C for the library, which depends on no other: what proto/ calls
 * crc_add() is this there (client.mk). */

#ifndef SMSHARD_CRC_H
#define SMSHARD_CRC_H

#include "base/crc.h"

/* As crc_add(), of CRC_32C alone; a CHECK of another kind. */
uint64_t smshard_crc_add(enum crc_kind kind, uint64_t value, const void *at,
                         size_t size);

/* The same without the machine's instruction. */
uint64_t smshard_crc_by_table(uint64_t value, const void *at, size_t size);

#endif /* SMSHARD_CRC_H */
