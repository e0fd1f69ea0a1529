/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/suggest.h"

#include <ctype.h>
#include <string.h>

static size_t suggest_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool suggest_is_same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* One cell of the edit distance; @rows are the last two rows and this one. */
static size_t suggest_cell(size_t rows[3][SUGGEST_WORD_MAX + 1], struct bytes a,
                           struct bytes b, size_t i, size_t j)
{
    bool is_same = suggest_is_same(a.at[i - 1], b.at[j - 1]);
    size_t best = rows[1][j - 1] + (is_same ? 0 : 1);

    best = suggest_least(best, rows[1][j] + 1);
    best = suggest_least(best, rows[2][j - 1] + 1);
    if (i > 1 && j > 1 && suggest_is_same(a.at[i - 1], b.at[j - 2]) &&
        suggest_is_same(a.at[i - 2], b.at[j - 1])) {
        best = suggest_least(best, rows[0][j - 2] + 1);
    }
    return best;
}

static size_t suggest_distance(struct bytes a, struct bytes b)
{
    size_t rows[3][SUGGEST_WORD_MAX + 1] = {{0}};

    for (size_t j = 0; j <= b.size; j++) {
        rows[2][j] = j;
    }
    for (size_t i = 1; i <= a.size; i++) {
        memmove(rows[0], rows[1], sizeof(rows[0]) * 2);
        rows[2][0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            rows[2][j] = suggest_cell(rows, a, b, i, j);
        }
    }
    return rows[2][b.size];
}

const char *suggest_nearest(struct bytes word, const char *const *words,
                            size_t count)
{
    /* Up to a third of the word may be wrong. */
    size_t limit = word.size < 6 ? 2 : word.size / 3;
    const char *best = NULL;

    if (word.size == 0 || word.size > SUGGEST_WORD_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        struct bytes other = bytes_of(words[i]);
        size_t distance;

        if (other.size > SUGGEST_WORD_MAX) {
            continue;
        }
        distance = suggest_distance(word, other);
        if (distance < other.size && distance <= limit) {
            best = words[i];
            limit = distance - (distance > 0 ? 1 : 0);
            if (distance == 0) {
                break;
            }
        }
    }
    return best;
}
