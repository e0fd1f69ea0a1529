/* SPDX-License-Identifier: Apache-2.0 */
/* Catalogs and shares as objects of the state store, so that a message only
 * names them: segments `<key>/00000000`, `<key>/00000001`, … written by the
 * coordinator, read by the workers. A host's share is a catalog of the
 * objects that it brings. Blocking. */

#ifndef CLI_SHARE_H
#define CLI_SHARE_H

#include "base/fault.h"
#include "base/status.h"
#include "coordinator/catalog.h"
#include "coordinator/deal.h"
#include "store/store.h"

/* Write every segment of @catalog below @key. The statuses of a PUT. */
MUST_USE enum status share_write(struct store *store, const char *key,
                                 const struct catalog *catalog,
                                 struct fault *why);

/* Read what share_write() wrote, of @count objects and the name @name
 * (unless NULL), into *@out.
 * MALFORMED: a segment is missing or torn; NOT_FOUND, STORE, FULL. */
struct share_want {
    const char *key;
    const char *name;
};
MUST_USE enum status share_read(struct store *store,
                                const struct share_want *want,
                                struct fault *why, struct catalog **out);

/* Where the recipes of an augmented manifest are whose catalog is at
 * @catalog_key; the caller's. */
char *share_recipes_key(struct bytes catalog_key);

/* Make the catalog of what @host (an index of the deal's hosts) brings. */
MUST_USE enum status share_of_host(const struct catalog *catalog,
                                   const struct deal *deal, uint32_t host,
                                   struct fault *why, struct catalog **out);

#endif /* CLI_SHARE_H */
