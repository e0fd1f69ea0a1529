/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/aws_config.h"

static const char *aws_env(const struct aws_config_source *source,
                           const char *name)
{
    const char *value = source->env != NULL
                            ? source->env(source->env_self, name)
                            : getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The path in @variable, or @usual below the home folder; NULL without one. */
static char *aws_path(const struct aws_config_source *source,
                      const char *variable, const char *usual)
{
    const char *given = aws_env(source, variable);
    const char *home = aws_env(source, "HOME");

    if (given == NULL) {
        return home != NULL ? mem_print("%s/%s", home, usual) : NULL;
    }
    return given[0] == '~' && given[1] == '/' && home != NULL
               ? mem_print("%s%s", home, given + 1)
               : mem_copy(given);
}

static enum status aws_load(const char *path, struct fault *why,
                            struct buf *out)
{
    struct fault reason = {.text = ""};
    enum status s =
        path != NULL ? file_read(path, AWS_FILE_MAX, &reason, out) : STATUS_OK;

    if (s == STATUS_OK || s == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    return fault_set(why, s, "%s", reason.text);
}

enum status aws_config_load(const struct aws_config_source *source,
                            struct fault *why, struct aws_config **out)
{
    char *config = aws_path(source, "AWS_CONFIG_FILE", ".aws/config");
    char *credentials =
        aws_path(source, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
    struct buf texts[2] = {{0}, {0}};
    enum status s = aws_load(config, why, &texts[0]);

    *out = NULL;
    if (s == STATUS_OK) {
        s = aws_load(credentials, why, &texts[1]);
    }
    if (s == STATUS_OK) {
        s = aws_config_parse(
            source,
            &(struct aws_config_texts){.config = buf_bytes(&texts[0]),
                                       .credentials = buf_bytes(&texts[1]),
                                       .config_name = config,
                                       .credentials_name = credentials},
            why, out);
    }
    buf_fini(&texts[0]);
    buf_fini(&texts[1]);
    free(config);
    free(credentials);
    return s;
}
