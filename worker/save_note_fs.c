/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/save_note.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/percent.h"

enum { SAVE_NOTE_MAX = 16384 };

#define SAVE_NOTE_HEAD "smshard-upload 1"

static char *save_note_path(const char *folder, const char *root_uri,
                            struct bytes key)
{
    struct hash *h = hash_new();
    uint8_t digest[HASH_SIZE];
    char hex[HASH_HEX_SIZE];

    hash_add(h, root_uri, strlen(root_uri));
    hash_add(h, key.at, key.size);
    hash_finish(&h, digest);
    hash_hex(digest, hex);
    return mem_print("%s/%.32s.upload", folder, hex);
}

void save_note_write(const char *folder, const char *root_uri, struct bytes key,
                     const struct save_note *note)
{
    const struct save_note_file *f = &note->file;
    struct buf text = {0};
    struct fault why;
    char *path;

    if (folder == NULL) {
        return;
    }
    path = save_note_path(folder, root_uri, key);
    buf_print(&text,
              SAVE_NOTE_HEAD " %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRIu64
                             "\n",
              f->inode, f->size, f->modified_ns, f->part_bytes);
    percent_encode(bytes_of(root_uri), true, &text);
    buf_add_char(&text, '\n');
    percent_encode(key, true, &text);
    buf_add_char(&text, '\n');
    percent_encode(bytes_of(note->upload), true, &text);
    buf_add_char(&text, '\n');
    if (file_write(path, buf_bytes(&text), false, &why) != STATUS_OK) {
        char quoted[FAULT_TEXT_MAX];

        log_event(LOG_WARN, "save.no-note", "why=%s",
                  log_quote(why.text, quoted, sizeof(quoted)));
    }
    buf_fini(&text);
    free(path);
}

/* Cut the next line off @*at and decode it. */
static bool save_note_line(char **at, struct buf *out)
{
    char *end = strchr(*at, '\n');
    size_t size;

    if (end == NULL) {
        return false;
    }
    size = (size_t)(end - *at);
    if (!percent_decode(*at, &size)) {
        return false;
    }
    buf_clear(out);
    buf_add(out, *at, size);
    *at = end + 1;
    return true;
}

static bool save_note_parse(char *text, struct save_noted *out)
{
    struct save_note_file *f = &out->note.file;
    struct buf upload = {0};
    int used = 0;
    bool is_good;

    if (sscanf(
            text,
            SAVE_NOTE_HEAD " %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNu64 "%n",
            &f->inode, &f->size, &f->modified_ns, &f->part_bytes, &used) != 4 ||
        text[used] != '\n') {
        return false;
    }
    text += used + 1;
    is_good = save_note_line(&text, &out->root_uri) &&
              save_note_line(&text, &out->key) &&
              save_note_line(&text, &upload) && upload.size > 0 &&
              strlen(buf_text(&upload)) == upload.size &&
              upload.size < sizeof(out->note.upload);
    if (is_good) {
        snprintf(out->note.upload, sizeof(out->note.upload), "%s",
                 buf_text(&upload));
    }
    buf_fini(&upload);
    return is_good;
}

static void save_noted_fini(struct save_noted *n)
{
    buf_fini(&n->root_uri);
    buf_fini(&n->key);
}

static bool save_note_load(const char *path, struct save_noted *out)
{
    struct buf text = {0};
    struct fault why;
    bool is_good = file_read(path, SAVE_NOTE_MAX, &why, &text) == STATUS_OK;

    is_good = is_good && strlen(buf_text(&text)) == text.size;
    is_good = is_good && save_note_parse(text.at, out);
    buf_fini(&text);
    return is_good;
}

bool save_note_read(const char *folder, const char *root_uri, struct bytes key,
                    struct save_note *out)
{
    struct save_noted found = {.root_uri = {0}};
    bool is_there;
    char *path;

    if (folder == NULL) {
        return false;
    }
    path = save_note_path(folder, root_uri, key);
    is_there = save_note_load(path, &found) &&
               bytes_is_equal(buf_bytes(&found.root_uri), bytes_of(root_uri)) &&
               bytes_is_equal(buf_bytes(&found.key), key);
    *out = found.note;
    save_noted_fini(&found);
    free(path);
    return is_there;
}

void save_note_remove(const char *folder, const char *root_uri,
                      struct bytes key)
{
    char *path;

    if (folder != NULL) {
        path = save_note_path(folder, root_uri, key);
        (void)unlink(path);
        free(path);
    }
}

void save_note_put_aside(const char *folder, const char *root_uri,
                         struct bytes key)
{
    uint64_t random;
    char *path;
    char *aside;

    if (folder == NULL) {
        return;
    }
    hash_random(&random, sizeof(random));
    path = save_note_path(folder, root_uri, key);
    aside = mem_print("%s/%016" PRIx64 ".upload", folder, random);
    (void)rename(path, aside);
    free(path);
    free(aside);
}

void save_note_each(const char *folder, save_note_fn *each, void *self)
{
    DIR *dir = folder != NULL ? opendir(folder) : NULL;
    const struct dirent *e;

    while (dir != NULL && (e = readdir(dir)) != NULL) {
        struct save_noted noted = {.root_uri = {0}};
        char *path = mem_print("%s/%s", folder, e->d_name);

        noted.path = path;
        if (bytes_has_suffix(bytes_of(e->d_name), BYTES(".upload")) &&
            save_note_load(path, &noted)) {
            each(self, &noted);
        }
        save_noted_fini(&noted);
        free(path);
    }
    if (dir != NULL) {
        closedir(dir);
    }
}
