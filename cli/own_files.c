/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/own_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

static char *own_files_path(const char *data, const char *name)
{
    return mem_print("%s/.smshard/%s.ours", data, name);
}

static void own_files_hash(struct bytes text, char out[HASH_HEX_SIZE])
{
    uint8_t digest[HASH_SIZE];

    hash_of(text, digest);
    hash_hex(digest, out);
}

enum status own_files_note(const char *data, const char *name,
                           struct bytes text, struct fault *why)
{
    char *path = own_files_path(data, name);
    char hex[HASH_HEX_SIZE];
    enum status s;

    own_files_hash(text, hex);
    s = file_write(path, bytes_of(hex), false, why);
    free(path);
    return s;
}

bool own_files_has(const char *data, const char *name, struct bytes text)
{
    char *path = own_files_path(data, name);
    struct buf noted = {0};
    char hex[HASH_HEX_SIZE];
    struct fault why;
    bool has;

    own_files_hash(text, hex);
    has = file_read(path, HASH_HEX_SIZE, &why, &noted) == STATUS_OK &&
          bytes_is_equal(buf_bytes(&noted), bytes_of(hex));
    buf_fini(&noted);
    free(path);
    return has;
}
