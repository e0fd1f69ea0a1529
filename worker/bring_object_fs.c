/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/keypath.h"
#include "worker/bring_resume.h"
#include "worker/stored_parts.h"

struct bring_moving *bring_moving_new(struct bring_target *target,
                                      struct buf *made)
{
    struct bring_moving *m = mem_new(1, sizeof(*m));

    m->f = (struct bring_file){.target = target,
                               .object = &m->object,
                               .why = &m->why,
                               .made = made,
                               .fd = -1};
    return m;
}

void bring_moving_destroy(struct bring_moving **mp)
{
    struct bring_moving *m = *mp;

    if (m == NULL) {
        return;
    }
    if (m->f.fd >= 0) {
        close(m->f.fd);
    }
    free(m->f.file);
    free(m->sums);
    free(m->has_part);
    free(m);
    *mp = NULL;
}

uint64_t bring_moving_part_at(const struct bring_moving *m, uint64_t part)
{
    return part * m->part_bytes;
}

uint64_t bring_moving_part_bytes(const struct bring_moving *m, uint64_t part)
{
    uint64_t left = m->object.size - bring_moving_part_at(m, part);

    return left < m->part_bytes ? left : m->part_bytes;
}

/* ---- the book ----------------------------------------------------------- */

static bool bring_moving_has_book(const struct bring_moving *m)
{
    return m->f.target->resume != NULL && m->object.etag[0] != '\0';
}

static void bring_moving_book_whole(const struct bring_moving *m,
                                    uint64_t inode)
{
    if (!bring_moving_has_book(m)) {
        return;
    }
    bring_resume_write(m->f.target->resume,
                       &(struct bring_book_line){
                           .kind = BRING_BOOK_WHOLE,
                           .size = m->object.size,
                           .inode = inode,
                           .etag = bytes_of(m->object.etag),
                           .key = {m->object.key, m->object.key_size},
                       });
}

static void bring_moving_book_open(struct bring_moving *m)
{
    struct stat st;

    if (m->is_booked || fstat(m->f.fd, &st) != 0) {
        return;
    }
    m->is_booked = true;
    m->book_id = m->f.target->book_id++;
    bring_resume_write(m->f.target->resume,
                       &(struct bring_book_line){
                           .kind = BRING_BOOK_OPEN,
                           .id = m->book_id,
                           .size = m->object.size,
                           .inode = st.st_ino,
                           .etag = bytes_of(m->object.etag),
                           .key = {m->object.key, m->object.key_size},
                           .part_bytes = m->part_bytes,
                           .kind_of_sum = m->look.sum.kind,
                       });
}

static void bring_moving_book_part(struct bring_moving *m, uint64_t part)
{
    if (m->part_count < 2 || !bring_moving_has_book(m)) {
        return;
    }
    bring_moving_book_open(m);
    bring_resume_write(m->f.target->resume, &(struct bring_book_line){
                                                .kind = BRING_BOOK_PART,
                                                .id = m->book_id,
                                                .part = part,
                                                .sum = m->sums[part],
                                            });
}

/* ---- its beginning ------------------------------------------------------ */

static void bring_moving_count_done(struct bring_moving *m)
{
    atomic_fetch_add(&m->f.target->units, 1);
}

static void bring_moving_found(struct bring_moving *m, uint64_t bytes)
{
    atomic_fetch_add(&m->f.target->bytes, bytes);
    atomic_fetch_add(&m->f.target->found, bytes);
}

/* What there is of it, of an earlier bring. */
static const struct bring_book_entry *bring_moving_left(
    const struct bring_moving *m)
{
    return bring_moving_has_book(m)
               ? bring_resume_find(m->f.target->resume, &m->object)
               : NULL;
}

/* Move a whole one over. */
static enum status bring_moving_take_whole(struct bring_moving *m, bool *out)
{
    const struct bring_book_entry *left = bring_moving_left(m);
    enum status s = STATUS_OK;

    *out = false;
    if (left == NULL || !left->is_whole) {
        return STATUS_OK;
    }
    s = bring_file_name(&m->f);
    if (s == STATUS_OK &&
        bring_resume_take(m->f.target->resume, left, m->f.path, m->f.file)) {
        bring_moving_book_whole(m, left->inode);
        *out = true;
    }
    if (!*out) {
        free(m->f.file);
        m->f.file = NULL;
    }
    return s;
}

enum status bring_moving_begin(struct bring_moving *m, enum bring_begin *out)
{
    struct bring_target *t = m->f.target;
    bool is_here = false;
    enum status s = bring_file_init(&m->f);

    if (s == STATUS_OK && keypath_is_folder(m->f.path)) {
        s = bring_file_make_marker(&m->f);
        is_here = true;
    } else if (s == STATUS_OK && t->folder != NULL) {
        is_here = bring_file_is_kept(&m->f);
    } else if (s == STATUS_OK) {
        s = bring_moving_take_whole(m, &is_here);
    }
    if (s != STATUS_OK) {
        return s;
    }
    m->part_bytes = stored_parts_piece(bytes_of(m->object.etag), m->object.size,
                                       BRING_PART_BYTES);
    m->part_count = (m->object.size + m->part_bytes - 1) / m->part_bytes;
    if (is_here) {
        bring_moving_found(m, m->object.size);
        bring_moving_count_done(m);
        *out = BRING_IS_DONE;
        return STATUS_OK;
    }
    *out = m->part_count == 1 ? BRING_ASKS : BRING_LOOKS;
    return m->part_count == 1 ? bring_file_make(&m->f) : STATUS_OK;
}

/* ---- its end ------------------------------------------------------------ */

static enum status bring_moving_end(struct bring_moving *m)
{
    uint64_t inode = 0;
    enum status s = bring_file_close(&m->f, &inode);

    if (s == STATUS_OK && m->f.target->folder != NULL) {
        s = bring_file_keep(&m->f);
    } else if (s == STATUS_OK) {
        bring_moving_book_whole(m, inode);
    }
    if (s == STATUS_OK) {
        bring_moving_count_done(m);
    }
    return s;
}

/* Whether the parts together are what the store keeps a checksum of. */
static bool bring_moving_is_sound(const struct bring_moving *m)
{
    uint64_t sum = 0;

    if (m->look.sum.kind == CRC_NONE) {
        return true;
    }
    for (uint64_t i = 0; i < m->part_count; i++) {
        sum = crc_combine(m->look.sum.kind, sum, m->sums[i],
                          bring_moving_part_bytes(m, i));
    }
    return sum == m->look.sum.value;
}

/* All parts are there: they make the object, or are read once more. */
static enum status bring_moving_judge(struct bring_moving *m, bool *is_done)
{
    *is_done = bring_moving_is_sound(m);
    if (*is_done) {
        return bring_moving_end(m);
    }
    if (m->is_second) {
        return bring_file_damaged(&m->f, crc_name(m->look.sum.kind));
    }
    m->is_second = true;
    m->parts_done = 0;
    m->next_part = 0;
    memset(m->has_part, 0, m->part_count);
    atomic_fetch_sub(&m->f.target->bytes, m->object.size);
    return STATUS_OK;
}

/* ---- parts -------------------------------------------------------------- */

/* Take over what there is of its parts. */
static void bring_moving_take_parts(struct bring_moving *m,
                                    const struct bring_book_entry *left)
{
    for (uint64_t i = 0; i < m->part_count; i++) {
        if (left->has_part[i] == 0) {
            continue;
        }
        m->has_part[i] = 1;
        m->sums[i] = left->sums[i];
        m->parts_done++;
        bring_moving_found(m, bring_moving_part_bytes(m, i));
        bring_moving_book_part(m, i);
    }
}

static enum status bring_moving_open(struct bring_moving *m)
{
    const struct bring_book_entry *left = bring_moving_left(m);
    bool is_usable =
        left != NULL && !left->is_whole && left->part_bytes == m->part_bytes &&
        left->kind_of_sum == m->look.sum.kind && m->f.target->folder == NULL;
    enum status s;

    if (!is_usable) {
        return bring_file_make(&m->f);
    }
    s = bring_file_name(&m->f);
    if (s != STATUS_OK) {
        return s;
    }
    if (!bring_resume_take(m->f.target->resume, left, m->f.path, m->f.file)) {
        free(m->f.file);
        m->f.file = NULL;
        return bring_file_make(&m->f);
    }
    m->f.fd = open(m->f.file, O_WRONLY | O_CLOEXEC);
    if (m->f.fd < 0) {
        return bring_file_fault(&m->f, errno, "open", m->f.file);
    }
    bring_moving_take_parts(m, left);
    return STATUS_OK;
}

enum status bring_moving_looked(struct bring_moving *m, bool *is_done)
{
    enum status s;

    *is_done = false;
    if (m->look.size != m->object.size ||
        (m->object.etag[0] != '\0' &&
         strcmp(m->look.etag, m->object.etag) != 0)) {
        return bring_file_changed(&m->f);
    }
    m->sums = mem_new(m->part_count + 1, sizeof(m->sums[0]));
    m->has_part = mem_new(m->part_count + 1, 1);
    s = bring_moving_open(m);
    if (s == STATUS_OK && m->parts_done == m->part_count) {
        s = m->part_count == 0 ? bring_moving_end(m)
                               : bring_moving_judge(m, is_done);
        *is_done = *is_done || m->part_count == 0;
    }
    return s;
}

bool bring_moving_next_part(struct bring_moving *m, uint64_t *part)
{
    while (m->next_part < m->part_count && m->has_part != NULL &&
           m->has_part[m->next_part] != 0) {
        m->next_part++;
    }
    if (m->next_part >= m->part_count) {
        return false;
    }
    *part = m->next_part++;
    return true;
}

enum status bring_moving_came(struct bring_moving *m, uint64_t part,
                              const struct fetch_event *event, bool *is_done)
{
    *is_done = false;
    if (event->size != m->object.size) {
        return bring_file_changed(&m->f);
    }
    atomic_fetch_add(&m->f.target->bytes, bring_moving_part_bytes(m, part));
    m->parts_done++;
    if (m->part_count == 1) {
        *is_done = true;
        return bring_moving_end(m);
    }
    CHECK(m->has_part[part] == 0);
    m->has_part[part] = 1;
    m->sums[part] = event->sum;
    bring_moving_book_part(m, part);
    return m->parts_done == m->part_count ? bring_moving_judge(m, is_done)
                                          : STATUS_OK;
}

enum status bring_moving_failed(struct bring_moving *m, uint64_t offset,
                                const struct fetch_event *event)
{
    *m->f.why = event->why;
    if (event->write_error != 0) {
        return bring_file_fault(&m->f, event->write_error, "write", m->f.file);
    }
    if (event->status == STATUS_NOT_FOUND) {
        return bring_file_gone(&m->f);
    }
    /* Somebody made it shorter: the range has left the object. */
    return event->status == STATUS_CHANGED || event->is_short ||
                   (event->status == STATUS_INVALID && offset > 0)
               ? bring_file_changed(&m->f)
               : event->status;
}
