/* SPDX-License-Identifier: Apache-2.0 */
/* The words of placement, read and written. */

#include <string.h>

#include "worker/placement.h"

static const char placement_blanks[] = " \t\r\n,;";

bool placement_policy_parse(const char *text, enum placement_policy *out)
{
    for (unsigned i = PLACEMENT_OFF; i <= PLACEMENT_STRICT; i++) {
        if (strcmp(text, placement_policy_word((enum placement_policy)i)) ==
            0) {
            *out = (enum placement_policy)i;
            return true;
        }
    }
    return false;
}

const char *placement_policy_word(enum placement_policy policy)
{
    static const char *const words[] = {
        [PLACEMENT_OFF] = "off",
        [PLACEMENT_PREFER] = "prefer",
        [PLACEMENT_STRICT] = "strict",
    };

    return words[policy];
}

const char *placement_sure_word(enum placement_sure sure)
{
    static const char *const words[] = {
        [PLACEMENT_EXACT] = "exact",
        [PLACEMENT_OVERRIDE] = "override",
        [PLACEMENT_AMBIGUOUS] = "ambiguous",
        [PLACEMENT_SPREAD] = "spread",
        [PLACEMENT_DEGRADED] = "degraded",
        [PLACEMENT_NOT_ALLOWED] = "not allowed",
        [PLACEMENT_UNKNOWN] = "unknown",
        [PLACEMENT_UNBOUND] = "off",
    };

    return words[sure];
}

/* Cut the next word off @at; empty: there is none. */
static struct bytes placement_word(const char **at)
{
    struct bytes word;

    *at += strspn(*at, placement_blanks);
    word = (struct bytes){*at, strcspn(*at, placement_blanks)};
    *at += word.size;
    return word;
}

/* Read "any" or a node's number. */
static bool placement_parse_node(const char *at, size_t size, int32_t *out)
{
    enum { DIGITS_MAX = 6 };
    int32_t value = 0;

    if (size == 3 && memcmp(at, "any", 3) == 0) {
        *out = PLACEMENT_ANY;
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        if (at[i] < '0' || at[i] > '9' || size > DIGITS_MAX) {
            return false;
        }
        value = value * 10 + (at[i] - '0');
    }
    *out = value;
    return size > 0;
}

static bool placement_parse_entry(struct bytes word,
                                  struct placement_override *out)
{
    const char *sign = memchr(word.at, '=', word.size);
    size_t size = sign != NULL ? (size_t)(sign - word.at) : 0;

    return sign != NULL && topo_pci_parse(word.at, size, &out->pci) &&
           placement_parse_node(sign + 1, word.size - size - 1, &out->node);
}

enum status placement_parse_table(const char *text, struct fault *why,
                                  struct placement_override *out,
                                  uint32_t *count)
{
    struct bytes word;

    *count = 0;
    while ((word = placement_word(&text)).size > 0) {
        if (*count == PLACEMENT_TABLE_MAX) {
            return fault_set(why, STATUS_FULL,
                             "placement table: more than %d entries",
                             PLACEMENT_TABLE_MAX);
        }
        if (!placement_parse_entry(word, &out[*count])) {
            return fault_set(why, STATUS_INVALID,
                             "placement table: '%.*s' is no PCI address and "
                             "node, such as 0000:10:1c.0=0 or "
                             "0000:10:1c.0=any",
                             (int)(word.size < 64 ? word.size : 64), word.at);
        }
        (*count)++;
    }
    return STATUS_OK;
}

enum status placement_parse_gpus(const char *text, struct fault *why,
                                 struct topo_pci *out, uint32_t *count)
{
    struct bytes word;

    *count = 0;
    while ((word = placement_word(&text)).size > 0) {
        if (*count == PLACEMENT_GPUS_MAX) {
            return fault_set(why, STATUS_FULL,
                             "list of GPUs: more than %d addresses",
                             PLACEMENT_GPUS_MAX);
        }
        if (!topo_pci_parse(word.at, word.size, &out[*count])) {
            return fault_set(why, STATUS_INVALID,
                             "list of GPUs: '%.*s' is no PCI address, such as "
                             "0000:10:1c.0",
                             (int)(word.size < 64 ? word.size : 64), word.at);
        }
        (*count)++;
    }
    return STATUS_OK;
}
