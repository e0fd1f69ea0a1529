/* SPDX-License-Identifier: Apache-2.0 */
/* Private to store_dir*.c: one handle and what its files do for each other.
 * Functions that return a status have filled the call's fault unless OK. */

#ifndef STORE_STORE_DIR_FS_H
#define STORE_STORE_DIR_FS_H

#include <sys/stat.h>

#include "store/store_dir.h"
#include "store/store_serial.h"

#define DIR_SPACE ".smshard" /* The store's own folder, below its root. */
#define DIR_TEMPS DIR_SPACE "/tmp"
#define DIR_LOCK DIR_SPACE "/lock"
#define DIR_UPLOAD "upload-"

enum { DIR_ID_SIZE = 33, DIR_NAME_MAX = 96, DIR_PART_MAX = 255 };

/* A multipart upload that this handle began (store_dir_upload.c). */
struct dir_upload {
    struct dir_upload *next;
    int owner; /* Holds the lock that says its process lives. */
    char id[DIR_ID_SIZE];
};

struct dir_store {
    int root;
    enum store_use use;
    char *root_path; /* Ends in '/'. */
    char *root_uri;
    bool is_local;         /* Its file system is this machine's alone. */
    bool is_swept;         /* Orphans of dead processes were removed. */
    struct dir_walk *walk; /* Where the last LIST page ended, or NULL. */
    struct dir_upload *uploads;
};

/* What one request works on. */
struct dir_call {
    struct dir_store *d;
    const struct store_request *r;
    struct store_event *e;
    struct store_page *page;
    char path[STORE_KEY_MAX + 1]; /* The key, below the root. */
};

/* --- store_dir.c --------------------------------------------------------- */

/* What stands under a name. */
enum dir_kind {
    DIR_NOTHING,
    DIR_FILE,
    DIR_FOLDER,
    DIR_OTHER,   /* A FIFO, a device, a link that leads nowhere. */
    DIR_BLOCKED, /* A folder above it is not a folder. */
    DIR_UNKNOWN, /* errno says why. */
};
enum dir_kind dir_look(const struct dir_store *d, const char *path,
                       struct stat *out);

/* Fail with errno @error of doing @verb. */
enum status dir_fault(struct dir_call *c, int error, const char *verb);

/* Fail with @s for @reason. */
__attribute__((format(printf, 3, 4))) enum status dir_refuse(struct dir_call *c,
                                                             enum status s,
                                                             const char *reason,
                                                             ...);

int64_t dir_mtime_ns(const struct stat *st);
uint64_t dir_mtime_ms(const struct stat *st);
void dir_etag(const struct stat *st, char out[STORE_ETAG_MAX]);
bool dir_is_etag(const struct stat *st, const char *etag);

/* --- store_dir_temp.c ---------------------------------------------------- */

/* A new file that no key names yet. Its lock says that its owner lives. */
struct dir_temp {
    int fd;
    char name[DIR_NAME_MAX]; /* Below the root; "" when it has none. */
};

enum status dir_temp_open(struct dir_call *c, struct dir_temp *out);
enum status dir_temp_write(struct dir_call *c, struct dir_temp *t,
                           struct bytes bytes);

/* Give it a modification time later than @after_ns and write its etag to the
 * event. With @is_durable its bytes and times are on the disk after. */
enum status dir_temp_seal(struct dir_call *c, struct dir_temp *t,
                          int64_t after_ns, bool is_durable);

/* Remove the name, if it still has one, and close it. */
void dir_temp_close(struct dir_call *c, struct dir_temp *t);

/* Return whether @root, an open folder, is on a disk of this machine. */
bool dir_is_local(int root);

/* Take the lock that every write of this root holds; *@out is closed to
 * release it, and -1 where the file system has no locks. */
enum status dir_lock(struct dir_call *c, int *out);

/* Before the first write: remove what dead processes left. */
void dir_sweep(struct dir_store *d);

/* When the handle closes: remove the store's own folders if they are empty,
 * so that the user's folder holds the user's files only. */
void dir_leave_no_trace(struct dir_store *d);

/* Write a new random name of DIR_ID_SIZE bytes. */
void dir_make_id(char out[DIR_ID_SIZE]);

/* --- store_dir_put.c ----------------------------------------------------- */

enum status dir_put(struct dir_call *c);
enum status dir_delete(struct dir_call *c);

/* Seal @t and let the call's key name it, under the call's condition. */
enum status dir_publish(struct dir_call *c, struct dir_temp *t);

/* --- store_dir_upload.c -------------------------------------------------- */

enum status dir_begin(struct dir_call *c);
enum status dir_part(struct dir_call *c);
enum status dir_end(struct dir_call *c);
enum status dir_abort(struct dir_call *c);
enum status dir_parts(struct dir_call *c);

/* Remove the upload folder @name, below the store's own, if its owner is
 * dead. */
void dir_sweep_upload(struct dir_store *d, const char *name);

/* Give up the uploads that this handle began. */
void dir_drop_uploads(struct dir_store *d);

/* --- store_dir_list.c ---------------------------------------------------- */

enum status dir_list(struct dir_call *c);

/* Forget where the last page ended. */
void dir_drop_walk(struct dir_store *d);

#endif /* STORE_STORE_DIR_FS_H */
