/* SPDX-License-Identifier: Apache-2.0 */
/* One channel's place on the disk, for bring_fs.c: what is there, where it is
 * staged, how it comes into place (bring_place_fs.c). bring.h says what for.
 *
 * Threads: none of its own; one at a time. */

#ifndef WORKER_BRING_PLACE_H
#define WORKER_BRING_PLACE_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/status.h"
#include "worker/bring.h"

/* The folder below the data folder that is ours. */
#define BRING_STATE_FOLDER ".smshard"

struct bring_place;

/* Look at the place of @channel below @data_dir. Changes nothing. INVALID,
 * CONFLICT, DENIED, IO. */
MUST_USE enum status bring_place_new(const char *data_dir,
                                     const struct bring_channel *channel,
                                     struct fault *why,
                                     struct bring_place **out);
void bring_place_destroy(struct bring_place **p);

/* Whether this very share is there already. */
bool bring_place_is_kept(const struct bring_place *p);

const char *bring_place_folder(const struct bring_place *p);
const char *bring_place_staging(const struct bring_place *p);

/* What holds the staging of this bring and of earlier ones, and which of them
 * this is (bring_resume.h). */
const char *bring_place_all_staging(const struct bring_place *p);
uint64_t bring_place_number(const struct bring_place *p);

/* Where the manifest is to be written before the commit. */
const char *bring_place_manifest(const struct bring_place *p);

/* Make the staging folder, empty; what earlier brings have left stays, unless
 * the channel is kept. CONFLICT, DENIED, NO_SPACE, IO. */
MUST_USE enum status bring_place_prepare(struct bring_place *p,
                                         struct fault *why);

/* Put what is staged into place, then the manifest. CONFLICT: somebody has
 * put files there meanwhile. DENIED, NO_SPACE, IO. */
MUST_USE enum status bring_place_commit(struct bring_place *p,
                                        struct fault *why);

/* Remove what is staged, unless @keeps_files, and the manifest, if they are
 * there. */
MUST_USE enum status bring_place_clear(struct bring_place *p, bool keeps_files,
                                       struct fault *why);

#endif /* WORKER_BRING_PLACE_H */
