/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/host_keys.h"

enum { HOST_KEYS_STORE_MS = 5000 };

struct host_keys_watch {
    struct host_keys_watch_options options;
    int stop_fd;
    pthread_t thread;

    /* The thread's. */
    struct store *store;
    struct buf prefix;
    struct host_keys *keys;
    struct net_keys guest;
    struct net_admitted *set;
    bool is_failing; /* The last try to read failed, which was said. */
};

static void host_keys_warn(const char *event, const struct fault *why)
{
    char quoted[FAULT_TEXT_MAX];

    log_event(LOG_WARN, event, "reason=%s",
              log_quote(why->text, quoted, sizeof(quoted)));
}

static struct net_admitted host_keys_as(const char *key, uint32_t tag)
{
    struct net_admitted a = {.tag = tag};

    memcpy(a.key, key, sizeof(a.key));
    return a;
}

/* Admit what is known: the hosts, by file or secret, and guests. */
static void host_keys_admit(struct host_keys_watch *w)
{
    const struct net_keys *shared = w->options.shared;
    size_t count = 0;

    if (w->keys != NULL) {
        const struct net_admitted *hosts = host_keys_set(w->keys, &count);

        memcpy(w->set, hosts, count * sizeof(*hosts));
    }
    if (shared != NULL) {
        w->set[count++] = host_keys_as(shared->public_key, HOST_KEYS_ANY);
    }
    if (count == 0 && w->options.own != NULL) {
        w->set[count++] = host_keys_as(w->options.own, w->options.number);
    }
    w->set[count++] = host_keys_as(w->guest.public_key, HOST_KEYS_GUEST);
    net_admit(w->options.net, w->set, count);
    log_event(LOG_DEBUG, "keys.admitted", "count=%zu", count);
}

static enum status host_keys_open(struct host_keys_watch *w, struct fault *why)
{
    enum status s;

    if (w->store != NULL) {
        return STATUS_OK;
    }
    s = store_open(w->options.state_uri, STORE_WRITE, why, &w->store,
                   &w->prefix);
    if (s != STATUS_OK) {
        return s;
    }
    store_set_limit(w->store, HOST_KEYS_STORE_MS);
    s = host_keys_write_guest(w->store, buf_text(&w->prefix), &w->guest, why);
    if (s != STATUS_OK) {
        /* Only `smshard status` misses it. */
        host_keys_warn("keys.guest", why);
    }
    if (w->options.shared == NULL) {
        w->keys = host_keys_new(&(struct host_keys_options){
            w->store, buf_text(&w->prefix), w->options.hosts,
            w->options.host_count});
    }
    return STATUS_OK;
}

static void host_keys_turn(struct host_keys_watch *w)
{
    struct fault why = {.text = ""};
    enum status s = host_keys_open(w, &why);

    /* Before the files are read: who comes meanwhile raises it again. */
    net_strangers_clear(w->options.net);
    if (s == STATUS_OK && w->keys != NULL) {
        s = host_keys_refresh(w->keys, &why);
    }
    host_keys_admit(w);
    if (s != STATUS_OK && !w->is_failing) {
        host_keys_warn("keys.trouble", &why);
    }
    w->is_failing = s != STATUS_OK;
}

/* Wait until there is reason to look again. false: to stop. */
static bool host_keys_rest(struct host_keys_watch *w)
{
    struct pollfd fds[2] = {
        {.fd = w->stop_fd, .events = POLLIN},
        {.fd = net_strangers_fd(w->options.net), .events = POLLIN},
    };

    if (poll(fds, 1, (int)w->options.every_ms) > 0) {
        return false;
    }
    if (w->options.shared != NULL && w->store != NULL) {
        fds[1].fd = -1; /* A stranger stays one. */
    }
    while (!w->is_failing && poll(fds, 2, -1) <= 0) {
    }
    return fds[0].revents == 0;
}

static void *host_keys_main(void *self)
{
    struct host_keys_watch *w = self;

    do {
        host_keys_turn(w);
    } while (host_keys_rest(w));
    return NULL;
}

static void host_keys_free(struct host_keys_watch *w)
{
    host_keys_destroy(&w->keys);
    store_close(&w->store);
    buf_fini(&w->prefix);
    net_keys_fini(&w->guest);
    free(w->set);
    if (w->stop_fd >= 0) {
        close(w->stop_fd);
    }
    free(w);
}

enum status host_keys_watch_start(const struct host_keys_watch_options *options,
                                  struct fault *why,
                                  struct host_keys_watch **out)
{
    struct host_keys_watch *w = mem_new(1, sizeof(*w));
    sigset_t all;
    sigset_t old;
    int error;

    w->options = *options;
    w->set = mem_new((size_t)options->host_count + 2, sizeof(*w->set));
    net_keys_make(&w->guest);
    w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    host_keys_admit(w);
    /* Signals are for the main loop. */
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
    error = w->stop_fd < 0
                ? 1
                : pthread_create(&w->thread, NULL, host_keys_main, w);
    CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
    if (error != 0) {
        host_keys_free(w);
        return fault_set(why, STATUS_OS, "no thread to read the hosts' keys");
    }
    *out = w;
    return STATUS_OK;
}

void host_keys_watch_stop(struct host_keys_watch **w)
{
    uint64_t one = 1;

    if (*w == NULL) {
        return;
    }
    CHECK(write((*w)->stop_fd, &one, sizeof(one)) == sizeof(one));
    CHECK(pthread_join((*w)->thread, NULL) == 0);
    host_keys_free(*w);
    *w = NULL;
}
