/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include "base/check.h"

struct status_row {
    const char *name;
    const char *text;
    int exit_code;
};

static const struct status_row status_rows[] = {
#define X(name, exit_code, text) [STATUS_##name] = {#name, text, exit_code},
    STATUS_MAP(X)
#undef X
};

static const struct status_row *status_row(enum status s)
{
    CHECK((unsigned)s < sizeof(status_rows) / sizeof(status_rows[0]));
    return &status_rows[s];
}

const char *status_name(enum status s)
{
    return status_row(s)->name;
}

const char *status_text(enum status s)
{
    return status_row(s)->text;
}

int status_exit_code(enum status s)
{
    return status_row(s)->exit_code;
}
