/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/file.h"

enum { BRING_STAMP_FILE_MAX = 4096, BRING_STAMP_NS = 1000000000 };

#define BRING_STAMP_HEAD "smshard-stamp 1\n"

enum status bring_stamp_id(const char *folder, bool has_device,
                           struct fault *why, struct bring_folder_id *out)
{
    struct statx x;

    if (statx(AT_FDCWD, folder, 0, STATX_INO | STATX_BTIME, &x) != 0) {
        return file_fault(why, errno, "look at", folder);
    }
    *out = (struct bring_folder_id){.inode = x.stx_ino};
    if (has_device) {
        out->device = makedev(x.stx_dev_major, x.stx_dev_minor);
    }
    if ((x.stx_mask & STATX_BTIME) != 0) {
        out->born_ns =
            x.stx_btime.tv_sec * BRING_STAMP_NS + (int64_t)x.stx_btime.tv_nsec;
    }
    return STATUS_OK;
}

/* Read one line of `whole|moving DEVICE INODE BORN SHARE`. */
static bool bring_stamp_parse_line(const char *line,
                                   struct bring_stamp_line *out)
{
    char kind[8];
    int used = 0;

    if (sscanf(line, "%7s %" SCNu64 " %" SCNu64 " %" SCNd64 " %64s%n", kind,
               &out->id.device, &out->id.inode, &out->id.born_ns, out->share,
               &used) != 5 ||
        line[used] != '\n' || strlen(out->share) + 1 != HASH_HEX_SIZE) {
        return false;
    }
    out->is_whole = strcmp(kind, "whole") == 0;
    return out->is_whole || strcmp(kind, "moving") == 0;
}

static void bring_stamp_parse(const char *text, struct bring_stamp *out)
{
    size_t head = strlen(BRING_STAMP_HEAD);

    if (strncmp(text, BRING_STAMP_HEAD, head) != 0) {
        return;
    }
    text += head;
    while (*text != '\0' && out->count < BRING_STAMP_LINES_MAX &&
           bring_stamp_parse_line(text, &out->lines[out->count])) {
        out->count++;
        text = strchr(text, '\n') + 1;
    }
}

enum status bring_stamp_read(const char *path, struct fault *why,
                             struct bring_stamp *out)
{
    struct buf text = {0};
    enum status s = file_read(path, BRING_STAMP_FILE_MAX, why, &text);

    *out = (struct bring_stamp){0};
    if (s == STATUS_OK) {
        bring_stamp_parse(buf_text(&text), out);
    } else if (s == STATUS_NOT_FOUND || s == STATUS_FULL) {
        s = STATUS_OK;
    }
    buf_fini(&text);
    return s;
}

enum status bring_stamp_write(const char *path, const struct bring_stamp *stamp,
                              struct fault *why)
{
    struct buf text = {0};
    enum status s;

    CHECK(stamp->count > 0 && stamp->count <= BRING_STAMP_LINES_MAX);
    buf_add_text(&text, BRING_STAMP_HEAD);
    for (uint32_t i = 0; i < stamp->count; i++) {
        const struct bring_stamp_line *line = &stamp->lines[i];

        buf_print(&text, "%s %" PRIu64 " %" PRIu64 " %" PRId64 " %s\n",
                  line->is_whole ? "whole" : "moving", line->id.device,
                  line->id.inode, line->id.born_ns, line->share);
    }
    s = file_write(path, buf_bytes(&text), false, why);
    buf_fini(&text);
    return s;
}

const struct bring_stamp_line *bring_stamp_find(
    const struct bring_stamp *stamp, const struct bring_folder_id *id)
{
    for (uint32_t i = 0; i < stamp->count; i++) {
        const struct bring_folder_id *other = &stamp->lines[i].id;

        if (other->device == id->device && other->inode == id->inode &&
            other->born_ns == id->born_ns) {
            return &stamp->lines[i];
        }
    }
    return NULL;
}
