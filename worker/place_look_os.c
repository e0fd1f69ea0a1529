/* SPDX-License-Identifier: Apache-2.0 */
/* Where pages are: asked of the kernel page by page, or read in its own list
 * of mappings, which containers leave open more often. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/place_parts.h"

enum {
    PLACE_BATCH = 1024,
    PLACE_SAMPLES_MAX = 1 << 18, /* A GiB of small pages: some 24 ms. */
    PLACE_KIB = 1024,
    PLACE_HEX = 16,
};

/* ---- /proc/self/numa_maps ------------------------------------------------ */

/* Add what one line says: "7f0000000000 bind:1 … N0=3 N1=5
 * kernelpagesize_kB=4". */
static void place_read_counts(char *line, int node, struct place_maps *out)
{
    char *at = NULL;
    uint64_t small = 0;

    out->is_found = true;
    for (char *word = strtok_r(line, " \n", &at); word != NULL;
         word = strtok_r(NULL, " \n", &at)) {
        char *end;

        if (word[0] == 'N' && word[1] >= '0' && word[1] <= '9') {
            long number = strtol(word + 1, &end, 10);
            uint64_t count =
                *end == '=' ? strtoull(end + 1, NULL, 10) : (uint64_t)0;

            out->pages += count;
            out->pages_there += node < 0 || number == node ? count : 0;
        } else if (strncmp(word, "kernelpagesize_kB=", 18) == 0) {
            small = strtoull(word + 18, NULL, 10);
        } else if (strcmp(word, "huge") == 0) {
            out->is_huge = true;
        }
    }
    if (small > 0) {
        out->page_size = (size_t)small * PLACE_KIB;
    }
}

/* The file names where a mapping begins; it ends at the next one at the
 * latest, so the last one that begins before an area may hold it. */
static void place_take_maps(FILE *in, const void *addr, size_t size,
                            struct place_maps *out, int node)
{
    uintptr_t first = (uintptr_t)addr;
    char *line = NULL;
    char *before = NULL;
    size_t room = 0;
    bool is_exact = false;

    while (getline(&line, &room, in) > 0) {
        uintptr_t start = (uintptr_t)strtoull(line, NULL, PLACE_HEX);

        if (start < first) {
            free(before);
            before = strdup(line);
        } else if (start < first + size) {
            is_exact = is_exact || start == first;
            if (start > first && !is_exact && before != NULL) {
                place_read_counts(before, node, out);
                is_exact = true;
            }
            place_read_counts(line, node, out);
        } else {
            break;
        }
    }
    if (!out->is_found && before != NULL) {
        place_read_counts(before, node, out);
    }
    free(before);
    free(line);
}

void place_read_maps(const void *addr, size_t size, int node,
                     struct place_maps *out)
{
    FILE *in = fopen("/proc/self/numa_maps", "re");

    *out = (struct place_maps){0};
    if (in != NULL) {
        place_take_maps(in, addr, size, out, node);
        fclose(in);
    }
}

/* smaps tells the size also before a page is there; it takes its time. */
static size_t place_read_smaps(const void *addr)
{
    FILE *in = fopen("/proc/self/smaps", "re");
    uintptr_t first;
    uintptr_t end;
    bool is_inside = false;
    char *line = NULL;
    size_t room = 0;
    size_t found = 0;

    while (in != NULL && found == 0 && getline(&line, &room, in) > 0) {
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &first, &end) == 2) {
            is_inside = first <= (uintptr_t)addr && (uintptr_t)addr < end;
        } else if (is_inside && strncmp(line, "KernelPageSize:", 15) == 0) {
            found = strtoull(line + 15, NULL, 10) * PLACE_KIB;
        }
    }
    free(line);
    if (in != NULL) {
        fclose(in);
    }
    return found;
}

size_t place_page_size(const void *addr, size_t size)
{
    long base = sysconf(_SC_PAGESIZE);
    struct place_maps maps;
    size_t found;

    place_read_maps(addr, size, -1, &maps);
    found = maps.page_size;
    if (found == 0 && (maps.is_huge || !maps.is_found)) {
        found = place_read_smaps(addr);
    }
    return found > 0 ? found : (size_t)base;
}

/* ---- move_pages ---------------------------------------------------------- */

/* Ask for @count pages from @at on, @step bytes apart. false: refused. */
static bool place_ask(char *at, size_t step, unsigned long count, int node,
                      struct place_got *out)
{
    void *pages[PLACE_BATCH];
    int states[PLACE_BATCH];

    for (unsigned long i = 0; i < count; i++) {
        pages[i] = at + i * step;
    }
    if (syscall(SYS_move_pages, 0, count, pages, NULL, states, 0) != 0) {
        return false;
    }
    for (unsigned long i = 0; i < count; i++) {
        out->pages++;
        out->pages_there += node < 0 ? states[i] >= 0 : states[i] == node;
    }
    return true;
}

static bool place_ask_all(void *addr, size_t size, int node,
                          struct place_got *out)
{
    size_t pages = size / out->page_size;
    size_t stride = pages / PLACE_SAMPLES_MAX + 1;
    size_t left = (pages + stride - 1) / stride;
    char *at = addr;

    out->pages = 0;
    out->pages_there = 0;
    while (left > 0) {
        size_t count = left < PLACE_BATCH ? left : PLACE_BATCH;

        if (!place_ask(at, stride * out->page_size, count, node, out)) {
            return false;
        }
        left -= count;
        at += count * stride * out->page_size;
    }
    return true;
}

static void place_say_where(int node, struct place_got *out)
{
    if (node < 0) {
        place_say(out, "any node: %" PRIu64 " of %" PRIu64 " pages are there",
                  out->pages_there, out->pages);
    } else {
        place_say(out, "%" PRIu64 " of %" PRIu64 " pages on node %d",
                  out->pages_there, out->pages, node);
    }
}

void place_look(void *addr, size_t size, int node, struct place_got *out)
{
    *out = (struct place_got){.bound = PLACE_NOT_BOUND};
    place_see(addr, size, node, out);
}

void place_see(void *addr, size_t size, int node, struct place_got *out)
{
    struct place_maps maps;
    int error;

    out->page_size = place_page_size(addr, size);
    if (place_ask_all(addr, size, node, out)) {
        out->seen = PLACE_BY_MOVE_PAGES;
        place_say_where(node, out);
        return;
    }
    error = errno;
    out->pages = 0;
    out->pages_there = 0;
    place_read_maps(addr, size, node, &maps);
    if (maps.pages > 0) {
        out->seen = PLACE_BY_NUMA_MAPS;
        out->pages = maps.pages;
        out->pages_there = maps.pages_there;
        place_say_where(node, out);
        return;
    }
    out->seen = PLACE_UNVERIFIED;
    if (error == EPERM || error == EACCES) {
        place_say(out, "unverified: move_pages is not allowed");
    } else if (error == ENOSYS) {
        place_say(out, "unverified: there is no move_pages here");
    } else {
        place_say(out, "unverified: move_pages: %s", strerror(error));
    }
}
