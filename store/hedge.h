/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for hedges: the answer to a second request must lie elsewhere than
 * that of the first, which may still come. All stores of this process share
 * one allowance, so that whoever plans memory knows the sum. When and how often
 * a hedge pays is said by retry.h. Any thread. */

#ifndef STORE_HEDGE_H
#define STORE_HEDGE_H

#include <stdbool.h>
#include <stddef.h>

/* All hedges together hold at most @bytes from now on (at first: 64 MiB). 0:
 * no hedges. */
void hedge_set_room(size_t bytes);

/* Whether a hedge of @bytes would fit now. */
bool hedge_has_room(size_t bytes);
size_t hedge_used(void);

/* NULL: there is no room. */
char *hedge_new(size_t bytes);

/* Free *@at, unless it is NULL, and make it NULL. */
void hedge_free(char **at, size_t bytes);

#endif /* STORE_HEDGE_H */
