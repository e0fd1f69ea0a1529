/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte selects what the rest is: 'r' resourceconfig.json, 'v'
 * variables as lines "NAME=value". */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Lines have been cut by NUL bytes; an empty one ends them. */
static const char *fuzz_variable(void *self, const char *name)
{
    size_t size = strlen(name);

    for (const char *at = self; *at != '\0'; at += strlen(at) + 1) {
        if (strncmp(at, name, size) == 0 && at[size] == '=') {
            return at + size + 1;
        }
    }
    return NULL;
}

static void fuzz_look(const struct hosts *h)
{
    uint32_t *out = mem_new(h->count, sizeof(*out));
    struct job_channel all = {0};

    CHECK(h->count >= 1 && h->count <= HOSTS_MAX && h->current < h->count);
    for (uint32_t i = 0; i < h->count; i++) {
        CHECK(hosts_find(h, h->names[i]) == i);
        CHECK(h->listed[i] < h->count);
    }
    CHECK(hosts_of_channel(h, &all, out) == h->count);
    for (uint32_t g = 0; g < h->group_count; g++) {
        all.groups[0] = h->groups[g].name;
        all.group_count = 1;
        CHECK(hosts_of_channel(h, &all, out) == h->groups[g].host_count);
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t left = size > 0 ? size - 1 : 0;
    char *text = mem_new(left + 2, 1);
    struct job_text resource = {"fuzz.json", {text, left}};
    struct hosts_input input = {&resource, NULL, NULL, "me"};
    struct fault why = {""};
    struct hosts h;
    enum status s;

    if (left > 0) {
        memcpy(text, data + 1, left);
    }
    if (size > 0 && data[0] == 'v') {
        for (size_t i = 0; i < left; i++) {
            text[i] = (char)(text[i] == '\n' ? '\0' : text[i]);
        }
        input = (struct hosts_input){NULL, fuzz_variable, text, "me"};
    }
    s = hosts_make(&input, &why, &h);
    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    if (s == STATUS_OK) {
        fuzz_look(&h);
        hosts_fini(&h);
    }
    free(text);
    return 0;
}
