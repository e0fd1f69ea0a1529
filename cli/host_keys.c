/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/host_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/store_sync.h"

enum {
    HOST_KEYS_SECRET_MAX = NET_KEYS_PSK_MAX + 2, /* And its line's end. */
    HOST_KEYS_GUEST_MAX = 1024,
};

/* ---- This host's pair --------------------------------------------------- */

/* Refuse a secret that others may know or may have put there. */
static enum status host_keys_check_file(int fd, const char *path,
                                        struct fault *why)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return file_fault(why, errno, "look at it", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return fault_set(why, STATUS_INVALID, "%s: not a plain file", path);
    }
    if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        return fault_set(why, STATUS_DENIED,
                         "%s: a secret that others may read or change (mode "
                         "%04o); chmod 600 it",
                         path, (unsigned)st.st_mode & 07777U);
    }
    return STATUS_OK;
}

static enum status host_keys_read_fd(int fd, const char *path,
                                     struct fault *why, struct net_keys *out)
{
    char text[HOST_KEYS_SECRET_MAX + 1];
    enum status s;
    size_t size = 0;
    ssize_t got = 1;

    while (size < sizeof(text) && got > 0) {
        got = read(fd, text + size, sizeof(text) - size);
        if (got < 0 && errno == EINTR) {
            got = 1;
        } else if (got > 0) {
            size += (size_t)got;
        }
    }
    if (got < 0) {
        s = file_fault(why, errno, "read", path);
    } else {
        s = net_keys_from_secret((struct bytes){text, size}, why, out);
        s = s == STATUS_OK ? s : fault_prefix(why, s, "%s", path);
    }
    explicit_bzero(text, sizeof(text));
    return s;
}

enum status host_keys_own(const char *secret_file, struct fault *why,
                          struct net_keys *out)
{
    enum status s;
    int fd;

    if (secret_file[0] == '\0') {
        net_keys_make(out);
        return STATUS_OK;
    }
    fd = open(secret_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return file_fault(why, errno, "open", secret_file);
    }
    s = host_keys_check_file(fd, secret_file, why);
    if (s == STATUS_OK) {
        s = host_keys_read_fd(fd, secret_file, why, out);
    }
    close(fd);
    return s;
}

/* ---- In objects of the state -------------------------------------------- */

void host_keys_write_field(const struct net_keys *keys, struct buf *out)
{
    buf_add_text(out, ", \"key\": ");
    json_write_string(bytes_of(keys->public_key), out);
}

bool host_keys_read_field(struct bytes text, char key[NET_KEY_SIZE])
{
    struct json_doc *doc = NULL;
    struct bytes value = {NULL, 0};
    bool is_key = false;

    if (json_parse(text, "host file", NULL, &doc) == STATUS_OK) {
        value = json_string(json_get(json_root(doc), "key"));
        is_key = net_keys_is_key(value);
    }
    if (is_key) {
        memcpy(key, value.at, value.size);
        key[value.size] = '\0';
    }
    json_destroy(&doc);
    return is_key;
}

enum status host_keys_write_guest(struct store *store, const char *prefix,
                                  const struct net_keys *keys,
                                  struct fault *why)
{
    char *key = mem_print("%sguest", prefix);
    struct buf text = {0};
    enum status s;

    buf_add_text(&text, "{\"secret\": ");
    json_write_string(bytes_of(keys->secret), &text);
    buf_add_text(&text, "}\n");
    s = store_sync_put(
        store,
        &(struct store_sync_put){key, buf_bytes(&text), STORE_ALWAYS, NULL},
        why);
    explicit_bzero(text.at, text.size);
    buf_fini(&text);
    free(key);
    return s;
}

enum status host_keys_read_guest(struct store *store, const char *prefix,
                                 struct fault *why, struct net_keys *out)
{
    char *key = mem_print("%sguest", prefix);
    struct buf text = {0};
    struct json_doc *doc = NULL;
    enum status s = store_sync_get(
        store, &(struct store_sync_get){key, HOST_KEYS_GUEST_MAX, NULL}, why,
        &text);

    if (s == STATUS_OK) {
        s = json_parse(buf_bytes(&text), key, why, &doc);
    }
    if (s == STATUS_OK) {
        s = net_keys_from_text(json_string(json_get(json_root(doc), "secret")),
                               why, out);
    }
    json_destroy(&doc);
    buf_fini(&text);
    free(key);
    return s;
}

enum status host_keys_delete_guest(struct store *store, const char *prefix,
                                   uint32_t limit_ms, struct fault *why)
{
    char *key = mem_print("%sguest", prefix);
    struct store_event *event = mem_new(1, sizeof(*event));
    enum status s = store_sync(store,
                               &(struct store_request){.op = STORE_DELETE,
                                                       .limit_ms = limit_ms,
                                                       .key = bytes_of(key)},
                               event);

    if (s != STATUS_OK) {
        s = fault_set(why, s, "%s", event->why.text);
    }
    free(event);
    free(key);
    return s;
}

/* ---- What a key allows -------------------------------------------------- */

bool host_keys_may_say(uint32_t tag, const struct wire_message *m,
                       const char *const *hosts)
{
    if (m->type == WIRE_ASK || tag == HOST_KEYS_ANY) {
        return true;
    }
    if (tag == HOST_KEYS_GUEST) {
        return false;
    }
    return m->type != WIRE_HELLO || bytes_is(m->hello.host, hosts[tag]);
}
