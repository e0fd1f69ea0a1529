/* SPDX-License-Identifier: Apache-2.0 */
/* Private to toolkit*.c: hyperparameters as the toolkit decodes, splits and
 * spells them. */

#ifndef PROTO_TOOLKIT_HPS_H
#define PROTO_TOOLKIT_HPS_H

#include "proto/toolkit.h"
#include "proto/toolkit_value.h"

/* Whom a hyperparameter is for. */
enum toolkit_owner {
    TOOLKIT_USER,   /* The user's script. */
    TOOLKIT_FRAME,  /* A framework: other sagemaker_*. */
    TOOLKIT_ITSELF, /* The toolkit. */
};

struct toolkit_hps {
    struct toolkit_item *items; /* In the order of the file. */
    size_t count;
};

/* Decode @object (NULL: none). INVALID: it is no object; FULL. */
MUST_USE enum status toolkit_hps_init(const struct json *object,
                                      struct fault *why,
                                      struct toolkit_hps *out);
void toolkit_hps_fini(struct toolkit_hps *hps);

enum toolkit_owner toolkit_hps_owner(struct bytes key);

/* Return the value of @key; NULL: it is not there. */
const struct json *toolkit_hps_get(const struct toolkit_hps *hps,
                                   const char *key);

/* Append those of @owner as one JSON object. */
void toolkit_hps_write(const struct toolkit_hps *hps, enum toolkit_owner owner,
                       struct buf *out);

/* Set SM_HP_* in @vars. */
MUST_USE enum status toolkit_hps_add_vars(const struct toolkit_hps *hps,
                                          struct fault *why,
                                          struct env_list *vars);

/* Make the arguments of the script in @env; append them as a JSON list. */
MUST_USE enum status toolkit_hps_add_args(const struct toolkit_hps *hps,
                                          struct fault *why,
                                          struct toolkit_env *env,
                                          struct buf *json);

/* Set <prefix><UPPER(name)> in @vars; @what starts the message. */
MUST_USE enum status toolkit_set_named(struct env_list *vars,
                                       const char *prefix, struct bytes name,
                                       const struct toolkit_value *value,
                                       struct fault *why);

#endif /* PROTO_TOOLKIT_HPS_H */
