/* SPDX-License-Identifier: Apache-2.0 */
/* The files of /opt/ml/input/config as the training platform writes them, for
 * a host that no platform has prepared. Texts are ASCII, with the separators
 * of json.dumps(); "current_host" comes first, as on the platform.
 *
 * Pure: plain structs in, text appended to a buffer. Views are not kept. */

#ifndef PROTO_PLATFORM_H
#define PROTO_PLATFORM_H

#include <stddef.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/status.h"

struct platform_group {
    const char *name;
    const char *instance_type;
    const char *const *hosts;
    size_t host_count;
};

/* resourceconfig.json. A NULL is left out of the file. */
struct platform_resource {
    const char *current_host;
    const char *const *hosts; /* In the order they are to be written in; the
                                 platform sorts them as text. */
    size_t host_count;
    const char *interface_name;
    const char *instance_type; /* Of this host. */
    const char *group_name;    /* Of this host. */
    const struct platform_group *groups;
    size_t group_count; /* 0: no "instance_groups". */
};

/* One channel of inputdataconfig.json. */
struct platform_channel {
    const char *name;
    const char *mode;         /* "File", "FastFile", "Pipe" */
    const char *distribution; /* "FullyReplicated", "ShardedByS3Key" */
    const char *wrapper;      /* "None", "RecordIO" */
    const char *content_type; /* NULL: left out. */
};

void platform_write_resource(const struct platform_resource *r,
                             struct buf *out);

/* Of no channel: "{}". */
void platform_write_channels(const struct platform_channel *channels,
                             size_t count, struct buf *out);

/* Append hyperparameters.json of the object @hps (NULL: none). The platform
 * knows strings only: another value becomes the string of its JSON, as the
 * SDK sends it. INVALID: @hps is no object. */
MUST_USE enum status platform_write_hyperparameters(const struct json *hps,
                                                    struct fault *why,
                                                    struct buf *out);

/* checkpointconfig.json: it says only where checkpoints are on this host. */
void platform_write_checkpoint(const char *local_path, struct buf *out);

#endif /* PROTO_PLATFORM_H */
