/* SPDX-License-Identifier: Apache-2.0 */
/* The head thread makes staging, does the work and puts the channels into
 * place; or, when something failed, clears up. */
#include "worker/bring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/bring_place.h"
#include "worker/bring_resume.h"
#include "worker/bring_target.h"
#include "worker/bring_work.h"

enum {
    BRING_FILE_SLACK = 4096, /* What a file takes beside its bytes. */
    BRING_MANIFEST_BUFFER = 1 << 16,
};

struct bring {
    const struct bring_channel *channels;
    uint32_t channel_count;
    uint32_t lanes;
    uint32_t parts;
    char *data_dir;
    char *state_dir;
    int state_fd; /* Locked while we bring: one bring for a data folder. */
    int end_fd;
    pthread_t head;
    struct bring_place *places[BRING_CHANNELS_MAX];
    struct bring_target targets[BRING_CHANNELS_MAX];
    struct bring_stop stop;
    enum status status; /* The head's until it has ended, */
    struct fault why;   /* as is this: the first failure. */
};

static void bring_wake(int fd)
{
    uint64_t one = 1;

    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

static void bring_set_stop(struct bring *b)
{
    atomic_store(&b->stop.is_set, true);
    bring_wake(b->stop.fd);
}

/* Whether to go on. */
static bool bring_is_well(const struct bring *b)
{
    return !atomic_load(&b->stop.is_set);
}

static enum status bring_run(struct bring *b, struct fault *why)
{
    return bring_work(
        &(struct bring_work_options){
            .targets = b->targets,
            .target_count = b->channel_count,
            .lanes = b->lanes,
            .parts = b->parts,
            .stop = &b->stop,
        },
        why);
}

/* ---- Before. */

/* Stamps stay, and so does what others keep in the folder: notes of uploads,
 * hashes of config files. */
static bool bring_is_leftover(const char *name)
{
    static const char *const ours[] = {".part", ".old", ".manifest"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (bytes_has_suffix(bytes_of(name), bytes_of(ours[i]))) {
            return true;
        }
    }
    return false;
}

/* What is staged at @path may be gone on with. */
static bool bring_is_spared(const struct bring *b, const char *path)
{
    for (uint32_t i = 0; i < b->channel_count; i++) {
        if (strcmp(bring_place_all_staging(b->places[i]), path) == 0) {
            return !bring_place_is_kept(b->places[i]);
        }
    }
    return false;
}

/* Remove what a bring that was killed has left, of any other channel. */
static enum status bring_sweep(struct bring *b, struct fault *why)
{
    DIR *dir = opendir(b->state_dir);
    const struct dirent *e;
    enum status s = STATUS_OK;

    if (dir == NULL) {
        return file_fault(why, errno, "open the folder", b->state_dir);
    }
    while (s == STATUS_OK && (e = readdir(dir)) != NULL) {
        const char *name = e->d_name;
        char *path;

        if (!bring_is_leftover(name)) {
            continue;
        }
        path = mem_print("%s/%s", b->state_dir, name);
        s = bring_is_spared(b, path) ? STATUS_OK : file_remove_tree(path, why);
        free(path);
    }
    closedir(dir);
    return s;
}

/* What channel @i will take on its disk; the largest number for too much. */
static uint64_t bring_wanted(const struct bring *b, uint32_t i)
{
    const struct bring_channel *c = &b->channels[i];
    uint64_t slack;
    uint64_t sum;
    uint64_t there;

    if (bring_place_is_kept(b->places[i])) {
        return 0;
    }
    if (__builtin_mul_overflow(c->units, (uint64_t)BRING_FILE_SLACK, &slack) ||
        __builtin_add_overflow(c->bytes, slack, &sum)) {
        return UINT64_MAX;
    }
    there = bring_resume_bytes(b->targets[i].resume);
    return sum > there ? sum - there : 0;
}

/* Check the disk of channel @i for all channels that lie on it. */
static enum status bring_check_disk(struct bring *b, const dev_t *disks,
                                    uint32_t i, struct fault *why)
{
    const char *folder = bring_place_staging(b->places[i]);
    unsigned long long free_bytes = 0;
    uint64_t wanted = 0;
    uint32_t count = 0;
    enum status s;

    for (uint32_t k = 0; k < b->channel_count; k++) {
        uint64_t more = disks[k] == disks[i] ? bring_wanted(b, k) : 0;

        count += more > 0;
        if (__builtin_add_overflow(wanted, more, &wanted)) {
            wanted = UINT64_MAX;
        }
    }
    s = file_free_bytes(folder, why, &free_bytes);
    if (s != STATUS_OK || wanted <= free_bytes) {
        return s;
    }
    return fault_set(why, STATUS_NO_SPACE,
                     "%s: %" PRIu64 " bytes are wanted for this host's share "
                     "of %u channel%s and %llu are free below %s; free some, "
                     "choose another base folder or use more hosts",
                     b->channels[i].name, wanted, count, count == 1 ? "" : "s",
                     free_bytes, folder);
}

static enum status bring_check_space(struct bring *b, struct fault *why)
{
    dev_t disks[BRING_CHANNELS_MAX] = {0};
    enum status s = STATUS_OK;

    for (uint32_t i = 0; i < b->channel_count; i++) {
        const char *folder = bring_place_staging(b->places[i]);
        struct stat st;

        if (stat(folder, &st) != 0) {
            return file_fault(why, errno, "look at", folder);
        }
        disks[i] = st.st_dev;
    }
    for (uint32_t i = 0; i < b->channel_count && s == STATUS_OK; i++) {
        s = bring_wanted(b, i) > 0 ? bring_check_disk(b, disks, i, why)
                                   : STATUS_OK;
    }
    return s;
}

static enum status bring_prepare(struct bring *b, struct fault *why)
{
    enum status s = bring_sweep(b, why);

    for (uint32_t i = 0; i < b->channel_count && s == STATUS_OK; i++) {
        struct bring_place *p = b->places[i];

        s = bring_place_prepare(p, why);
        if (s == STATUS_OK && !bring_place_is_kept(p)) {
            b->targets[i].resume =
                bring_resume_new(bring_place_all_staging(p),
                                 bring_place_number(p), &b->channels[i]);
        }
    }
    return s == STATUS_OK ? bring_check_space(b, why) : s;
}

/* ---- After. */

/* The source's prefix as the manifest has it: without scheme and bucket, but
 * with the folder of a "file:" source. */
static void bring_manifest_head(const struct bring_channel *c, FILE *f)
{
    const char *at = strstr(c->root_uri, "://");
    bool is_file = strncmp(c->root_uri, "file://", strlen("file://")) == 0;

    at = at != NULL ? at + strlen("://") : c->root_uri;
    if (!is_file) {
        at = strchrnul(at, '/');
        at += *at == '/';
    }
    fprintf(f, "%s%.*s\n", at, (int)c->prefix.size,
            c->prefix.at != NULL ? c->prefix.at : "");
}

/* Write the next line. False at the end, or when no more is wanted. */
static bool bring_manifest_line(struct bring *b, const struct bring_channel *c,
                                FILE *f)
{
    struct bring_item item;
    bool has_more;

    has_more = bring_is_well(b) && c->all(c->all_self, &item);
    if (has_more) {
        fputs(c->root_uri, f);
        fwrite(item.key.at, 1, item.key.size, f);
        fputc('\n', f);
    }
    return has_more && ferror(f) == 0;
}

static enum status bring_manifest(struct bring *b, uint32_t i,
                                  struct fault *why)
{
    const char *path = bring_place_manifest(b->places[i]);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    enum status s = STATUS_OK;

    if (f == NULL) {
        s = file_fault(why, errno, "create", path);
        if (fd >= 0) {
            close(fd);
        }
        return s;
    }
    setvbuf(f, NULL, _IOFBF, BRING_MANIFEST_BUFFER);
    bring_manifest_head(&b->channels[i], f);
    while (bring_manifest_line(b, &b->channels[i], f)) {
    }
    if (fflush(f) != 0 || ferror(f) != 0 || fchmod(fd, 0644) != 0) {
        s = file_fault(why, errno, "write", path);
    }
    if (fclose(f) != 0 && s == STATUS_OK) {
        s = file_fault(why, errno, "write", path);
    }
    return s;
}

/* What was dealt and what came must be the same, or an object is missing. */
static enum status bring_check_count(struct bring *b, uint32_t i,
                                     struct fault *why)
{
    uint64_t units = atomic_load(&b->targets[i].units);

    if (units == b->channels[i].units) {
        return STATUS_OK;
    }
    return fault_set(why, STATUS_INTERNAL,
                     "%s: the share has %" PRIu64 " objects, but %" PRIu64
                     " were brought; please report this",
                     b->channels[i].name, b->channels[i].units, units);
}

static enum status bring_commit(struct bring *b, struct fault *why)
{
    enum status s = STATUS_OK;

    for (uint32_t i = 0; i < b->channel_count && s == STATUS_OK; i++) {
        s = bring_check_count(b, i, why);
        if (s == STATUS_OK) {
            s = bring_manifest(b, i, why);
        }
        if (s != STATUS_OK) {
            return fault_prefix(why, s, "%s", b->channels[i].name);
        }
    }
    for (uint32_t i = 0; i < b->channel_count && bring_is_well(b); i++) {
        s = bring_place_commit(b->places[i], why);
        if (s != STATUS_OK) {
            return fault_prefix(why, s, "%s", b->channels[i].name);
        }
    }
    return s;
}

/* What has failed so may go well next time, and then goes on. */
static bool bring_may_go_on(const struct bring *b, uint32_t i)
{
    return b->targets[i].resume != NULL &&
           bring_resume_is_useful(b->targets[i].resume) &&
           (b->status == STATUS_STOPPED || b->status == STATUS_STORE ||
            b->status == STATUS_TIMEOUT || b->status == STATUS_CHANGED);
}

static void bring_clear(struct bring *b)
{
    for (uint32_t i = 0; i < b->channel_count; i++) {
        struct fault why;

        if (bring_place_clear(b->places[i], bring_may_go_on(b, i), &why) !=
            STATUS_OK) {
            char text[2 * FAULT_TEXT_MAX];

            log_event(LOG_WARN, "bring.staging-left", "why=%s",
                      log_quote(why.text, text, sizeof(text)));
        }
    }
    rmdir(b->state_dir); /* Fails, as it should, while stamps are in it. */
}

static void *bring_head_main(void *self)
{
    struct bring *b = self;

    b->status = bring_prepare(b, &b->why);
    if (b->status == STATUS_OK) {
        b->status = bring_run(b, &b->why);
    }
    if (b->status == STATUS_OK && bring_is_well(b)) {
        b->status = bring_commit(b, &b->why);
    }
    if (b->status == STATUS_OK && !bring_is_well(b)) {
        b->status = fault_set(&b->why, STATUS_STOPPED,
                              "bringing the channels was stopped");
    }
    bring_clear(b);
    bring_wake(b->end_fd);
    return NULL;
}

/* ---- The owner's side. */

static enum status bring_check_names(const struct bring *b, struct fault *why)
{
    for (uint32_t i = 0; i < b->channel_count; i++) {
        for (uint32_t k = 0; k < b->channel_count; k++) {
            struct bytes name = bytes_of(b->channels[k].name);
            struct bytes other = bytes_of(b->channels[i].name);
            bool is_same = i != k && bytes_is_equal(name, other);

            if (is_same || (bytes_has_prefix(name, other) &&
                            bytes_is((struct bytes){name.at + other.size,
                                                    name.size - other.size},
                                     "-manifest"))) {
                return fault_set(why, STATUS_CONFLICT,
                                 "channels \"%s\" and \"%s\" want the same "
                                 "place; rename one",
                                 other.at, name.at);
            }
        }
    }
    return STATUS_OK;
}

/* Make our folder and take its lock, which ends with the process. */
static enum status bring_lock(struct bring *b, struct fault *why)
{
    enum status s = file_make_folder(b->state_dir, why);

    if (s != STATUS_OK) {
        return s;
    }
    b->state_fd = open(b->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->state_fd < 0) {
        return file_fault(why, errno, "open the folder", b->state_dir);
    }
    /* Some network file systems have no locks; then there is none. */
    if (flock(b->state_fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return fault_set(why, STATUS_CONFLICT,
                         "%s: another smshard is bringing channels to this "
                         "folder; give each host of a machine a base folder "
                         "of its own",
                         b->data_dir);
    }
    return STATUS_OK;
}

static enum status bring_look(struct bring *b, struct fault *why)
{
    for (uint32_t i = 0; i < b->channel_count; i++) {
        const struct bring_channel *c = &b->channels[i];
        struct bring_target *t = &b->targets[i];
        enum status s = bring_place_new(b->data_dir, c, why, &b->places[i]);

        if (s != STATUS_OK) {
            return fault_prefix(why, s, "%s", c->name);
        }
        t->channel = c;
        t->staging = bring_place_staging(b->places[i]);
        t->folder = bring_place_is_kept(b->places[i])
                        ? bring_place_folder(b->places[i])
                        : NULL;
    }
    return STATUS_OK;
}

static enum status bring_launch(struct bring *b, struct fault *why)
{
    int error;

    b->end_fd = eventfd(0, EFD_CLOEXEC);
    b->stop.fd = eventfd(0, EFD_CLOEXEC);
    if (b->end_fd < 0 || b->stop.fd < 0) {
        return fault_set(why, STATUS_OS, "make an event descriptor: %s",
                         strerror(errno));
    }
    error = pthread_create(&b->head, NULL, bring_head_main, b);
    return error == 0 ? STATUS_OK
                      : fault_set(why, STATUS_OS, "start a thread: %s",
                                  strerror(error));
}

static void bring_close(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

static void bring_destroy(struct bring *b)
{
    for (uint32_t i = 0; i < b->channel_count; i++) {
        bring_resume_destroy(&b->targets[i].resume);
        bring_place_destroy(&b->places[i]);
    }
    bring_close(b->end_fd);
    bring_close(b->stop.fd);
    bring_close(b->state_fd);
    free(b->data_dir);
    free(b->state_dir);
    free(b);
}

enum status bring_start(const struct bring_options *options, struct fault *why,
                        struct bring **out)
{
    struct bring *b = mem_new(1, sizeof(*b));
    enum status s;

    CHECK(options->channel_count <= BRING_CHANNELS_MAX);
    CHECK(options->lanes > 0 && options->lanes <= BRING_LANES_MAX);
    b->channels = options->channels;
    b->channel_count = options->channel_count;
    b->lanes = options->lanes;
    b->parts = options->parts > 0 ? options->parts : BRING_PARTS;
    b->data_dir = mem_copy(options->data_dir);
    b->state_dir = mem_print("%s/" BRING_STATE_FOLDER, options->data_dir);
    b->state_fd = -1;
    b->end_fd = -1;
    b->stop.fd = -1;

    s = bring_check_names(b, why);
    if (s == STATUS_OK) {
        s = bring_lock(b, why);
    }
    if (s == STATUS_OK) {
        s = bring_look(b, why);
    }
    if (s == STATUS_OK) {
        s = bring_launch(b, why);
    }
    if (s != STATUS_OK) {
        if (b->state_fd >= 0) {
            rmdir(b->state_dir);
        }
        bring_destroy(b);
        return s;
    }
    *out = b;
    return STATUS_OK;
}

int bring_fd(const struct bring *b)
{
    return b->end_fd;
}

struct bring_progress bring_progress(const struct bring *b, uint32_t i)
{
    CHECK(i < b->channel_count);
    return (struct bring_progress){
        .units = atomic_load(&b->targets[i].units),
        .bytes = atomic_load(&b->targets[i].bytes),
        .found = atomic_load(&b->targets[i].found),
    };
}

void bring_cancel(struct bring *b)
{
    bring_set_stop(b);
}

enum status bring_finish(struct bring **b, struct fault *why)
{
    enum status s;

    pthread_join((*b)->head, NULL);
    s = (*b)->status;
    if (s != STATUS_OK) {
        *why = (*b)->why;
    }
    bring_destroy(*b);
    *b = NULL;
    return s;
}
