/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

static void fault_clean(struct fault *f)
{
    for (char *p = f->text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
}

enum status fault_set(struct fault *f, enum status s, const char *format, ...)
{
    va_list args;

    CHECK(s != STATUS_OK);
    if (f == NULL) {
        return s;
    }
    va_start(args, format);
    vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    fault_clean(f);
    return s;
}

enum status fault_prefix(struct fault *f, enum status s, const char *format,
                         ...)
{
    char rest[FAULT_TEXT_MAX];
    va_list args;
    size_t used;

    CHECK(s != STATUS_OK);
    if (f == NULL) {
        return s;
    }
    memcpy(rest, f->text, sizeof(rest));
    va_start(args, format);
    vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    used = strlen(f->text);
    snprintf(f->text + used, sizeof(f->text) - used, ": %s", rest);
    fault_clean(f);
    return s;
}

bool fault_names(const struct fault *f, const char *name)
{
    size_t size = strlen(name);

    return strncmp(f->text, name, size) == 0 &&
           strncmp(f->text + size, ": ", 2) == 0;
}
