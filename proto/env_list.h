/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a process to be started: NAME=VALUE, sorted by name.
 *
 * Names follow execve(2), not the shell: any bytes but '=' and NUL, so that
 * SM_HP_BATCH-SIZE and SM_CHANNEL_MY.VAL can be there. The list owns its
 * text. One owner thread; O(n) to set, n is some hundreds. */

#ifndef PROTO_ENV_LIST_H
#define PROTO_ENV_LIST_H

#include <stddef.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

struct env_list;

/* Make an empty list. Never NULL. */
struct env_list *env_list_new(void);
void env_list_destroy(struct env_list **list);

/* Set @name to @value; a value that was there is replaced.
 * INVALID: no name, '=' or NUL in it, or NUL in the value. */
MUST_USE enum status env_list_set(struct env_list *list, struct bytes name,
                                  struct bytes value, struct fault *why);

/* Take @name out, if it is there. */
void env_list_remove(struct env_list *list, const char *name);

/* Set all of @from in @list. */
void env_list_add(struct env_list *list, const struct env_list *from);

/* Set all lines of @envp, which ends with NULL. Lines that are no NAME=VALUE
 * are left out; of two with one name the first stays, as getenv(3) finds. */
void env_list_add_envp(struct env_list *list, char *const *envp);

/* Return the value of @name, NULL when it is not set. */
const char *env_list_get(const struct env_list *list, const char *name);

size_t env_list_count(const struct env_list *list);

/* Return the @i-th line, "NAME=VALUE". */
const char *env_list_line(const struct env_list *list, size_t i);

/* Return the lines with a closing NULL, for execve(2). The list keeps them;
 * they die with the next change. */
char **env_list_envp(struct env_list *list);

#endif /* PROTO_ENV_LIST_H */
