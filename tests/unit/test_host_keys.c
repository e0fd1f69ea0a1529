/* SPDX-License-Identifier: Apache-2.0 */
/* How hosts come to know each other's keys. */

#include "cli/host_keys.h"

#include <sys/stat.h>

#include "base/file.h"
#include "store/store_sync.h"
#include "tests/net_kit.h"

enum { HOSTS = 5 };

static const char *const hosts[HOSTS] = {"algo-1", "algo-2", "algo-10", "b",
                                         "a"};

/* ---- Small steps -------------------------------------------------------- */

static struct store *open_state(const char *uri, struct buf *prefix)
{
    struct store *store = NULL;
    struct fault why;

    EXPECT_EQ(store_open(uri, STORE_WRITE, &why, &store, prefix), STATUS_OK);
    return store;
}

static void put(struct store *store, const char *prefix, const char *name,
                struct bytes body)
{
    char key[256];
    struct fault why;

    snprintf(key, sizeof(key), "%shosts/%s", prefix, name);
    EXPECT_EQ(
        store_sync_put(store,
                       &(struct store_sync_put){key, body, STORE_ALWAYS, NULL},
                       &why),
        STATUS_OK);
}

/* Write the host file of @name with the key of @keys, or none. */
static void put_host(struct store *store, const char *prefix, const char *name,
                     const struct net_keys *keys)
{
    struct buf text = {0};

    buf_print(&text, "{\"host\": \"%s\", \"attempt\": 1", name);
    if (keys != NULL) {
        host_keys_write_field(keys, &text);
    }
    buf_add_text(&text, "}\n");
    put(store, prefix, name, buf_bytes(&text));
    buf_fini(&text);
}

static char path[] = "/tmp/smshard-keys.XXXXXX";

static void secret_file(const char *text, mode_t mode)
{
    struct fault why;

    if (strstr(path, "XXXXXX") != NULL) {
        int fd = mkstemp(path);

        EXPECT(fd >= 0);
        close(fd);
    }
    EXPECT_EQ(file_write(path, bytes_of(text), false, &why), STATUS_OK);
    EXPECT_EQ(chmod(path, mode), 0);
}

/* ---- This host's pair --------------------------------------------------- */

TEST(a_pair_of_one_s_own_is_new_each_time)
{
    struct net_keys a;
    struct net_keys b;
    struct fault why;

    EXPECT_EQ(host_keys_own("", &why, &a), STATUS_OK);
    EXPECT_EQ(host_keys_own("", &why, &b), STATUS_OK);
    EXPECT(strcmp(a.public_key, b.public_key) != 0);
}

TEST(a_secret_file_makes_one_pair)
{
    struct net_keys a;
    struct net_keys b;
    struct fault why;

    secret_file("0123456789abcdef0123456789abcdef\n", 0600);
    EXPECT_EQ(host_keys_own(path, &why, &a), STATUS_OK);
    EXPECT_EQ(chmod(path, 0440), 0);
    EXPECT_EQ(host_keys_own(path, &why, &b), STATUS_OK);
    EXPECT_STR(a.public_key, b.public_key);
    EXPECT_STR(a.secret, b.secret);
    unlink(path);
}

TEST(a_bad_secret_file_is_named)
{
    static const struct {
        const char *text;
        mode_t mode;
        enum status status;
        const char *says;
    } rows[] = {
        {"0123456789abcdef0123456789abcdef", 0604, STATUS_DENIED, "0604"},
        {"0123456789abcdef0123456789abcdef", 0644, STATUS_DENIED, "chmod 600"},
        {"0123456789abcdef0123456789abcdef", 0660, STATUS_DENIED, "0660"},
        {"0123456789abcdef0123456789abcde\n", 0600, STATUS_INVALID,
         "31 bytes; it must have 32"},
        {"", 0600, STATUS_INVALID, "0 bytes"},
    };
    struct net_keys k;
    struct fault why;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        secret_file(rows[i].text, rows[i].mode);
        EXPECT_EQ(host_keys_own(path, &why, &k), rows[i].status);
        EXPECT(strncmp(why.text, path, strlen(path)) == 0);
        EXPECT(strstr(why.text, rows[i].says) != NULL);
        EXPECT(strstr(why.text, "cdef") == NULL);
    }
    unlink(path);
    EXPECT_EQ(host_keys_own(path, &why, &k), STATUS_NOT_FOUND);
    EXPECT_EQ(host_keys_own("/tmp", &why, &k), STATUS_INVALID);
    EXPECT_EQ(mkfifo(path, 0600), 0);
    EXPECT_EQ(host_keys_own(path, &why, &k), STATUS_INVALID);
    unlink(path);
}

TEST(keys_in_host_files)
{
    static const struct {
        const char *text;
        bool has_key;
    } rows[] = {
        {"{\"key\": \"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"}", true},
        {"{\"host\": \"a\"}", false},
        {"{\"key\": \"\"}", false},
        {"{\"key\": \"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\"}", false},
        {"{\"key\": 7}", false},
        {"{\"key\": ", false},
        {"[]", false},
        {"", false},
    };
    char key[NET_KEY_SIZE];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_EQ(host_keys_read_field(bytes_of(rows[i].text), key),
                  rows[i].has_key);
    }
}

/* ---- The others' keys --------------------------------------------------- */

/* Expect exactly the keys of the @keys that are not NULL. */
static void expect_set(const struct host_keys *k,
                       const struct net_keys *const want[HOSTS])
{
    size_t count;
    size_t at = 0;
    const struct net_admitted *set = host_keys_set(k, &count);

    for (uint32_t i = 0; i < HOSTS; i++) {
        if (want[i] != NULL) {
            EXPECT(at < count);
            EXPECT_EQ(set[at].tag, i);
            EXPECT_STR(set[at].key, want[i]->public_key);
            at++;
        }
    }
    EXPECT_EQ(at, count);
}

TEST(keys_follow_the_host_files)
{
    struct buf prefix = {0};
    struct store *store = open_state("mem://follow/job/state", &prefix);
    const struct net_keys *want[HOSTS] = {NULL};
    struct net_keys keys[HOSTS];
    struct net_keys other;
    struct host_keys *k = host_keys_new(
        &(struct host_keys_options){store, buf_text(&prefix), hosts, HOSTS});
    struct fault why;
    char big[5000];

    memset(big, ' ', sizeof(big));
    net_keys_make(&other);
    for (uint32_t i = 0; i < HOSTS; i++) {
        net_keys_make(&keys[i]);
    }
    EXPECT_EQ(host_keys_refresh(k, &why), STATUS_OK);
    expect_set(k, want);

    put_host(store, buf_text(&prefix), "algo-10", &keys[2]);
    put_host(store, buf_text(&prefix), "a", &keys[4]);
    put_host(store, buf_text(&prefix), "b", NULL);
    put_host(store, buf_text(&prefix), "algo-3", &other); /* Not of the job. */
    put_host(store, buf_text(&prefix), "algo-1/x", &other);
    put(store, buf_text(&prefix), "algo-2", BYTES("{\"key\": \"nonsense\"}"));
    want[2] = &keys[2];
    want[4] = &keys[4];
    EXPECT_EQ(host_keys_refresh(k, &why), STATUS_OK);
    expect_set(k, want);
    EXPECT_EQ(host_keys_refresh(k, &why), STATUS_OK);
    expect_set(k, want);

    /* A new launch of one, a late one, one whose file has gone bad. */
    put_host(store, buf_text(&prefix), "a", &other);
    put_host(store, buf_text(&prefix), "b", &keys[3]);
    put(store, buf_text(&prefix), "algo-10", (struct bytes){big, sizeof(big)});
    want[4] = &other;
    want[3] = &keys[3];
    want[2] = NULL;
    EXPECT_EQ(host_keys_refresh(k, &why), STATUS_OK);
    expect_set(k, want);

    put_host(store, buf_text(&prefix), "algo-1", &keys[0]);
    want[0] = &keys[0];
    want[3] = NULL;
    buf_add_text(&prefix, "hosts/b");
    EXPECT_EQ(store_sync_delete(store, buf_text(&prefix), &why), STATUS_OK);
    EXPECT_EQ(host_keys_refresh(k, &why), STATUS_OK);
    expect_set(k, want);
    host_keys_destroy(&k);
    EXPECT(k == NULL);
    host_keys_destroy(&k);
    store_close(&store);
    buf_fini(&prefix);
}

TEST(many_hosts_are_read)
{
    enum { MANY = 300 };
    static char names[MANY][8];
    static const char *list[MANY];
    static struct net_keys keys[MANY];
    struct buf prefix = {0};
    struct store *store = open_state("mem://many/", &prefix);
    const struct net_admitted *set;
    struct host_keys *k;
    struct fault why;
    size_t count;

    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "h%u", (unsigned)i % MANY);
        list[i] = names[i];
        net_keys_make(&keys[i]);
        put_host(store, buf_text(&prefix), names[i], &keys[i]);
    }
    k = host_keys_new(
        &(struct host_keys_options){store, buf_text(&prefix), list, MANY});
    EXPECT_EQ(host_keys_refresh(k, &why), STATUS_OK);
    set = host_keys_set(k, &count);
    EXPECT_EQ(count, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        EXPECT_EQ(set[i].tag, i);
        EXPECT_STR(set[i].key, keys[i].public_key);
    }
    host_keys_destroy(&k);
    store_close(&store);
    buf_fini(&prefix);
}

TEST(guests_find_their_pair)
{
    struct buf prefix = {0};
    struct store *store = open_state("mem://guests/", &prefix);
    struct net_keys keys;
    struct net_keys got;
    struct fault why;

    net_keys_make(&keys);
    EXPECT_EQ(host_keys_read_guest(store, buf_text(&prefix), &why, &got),
              STATUS_NOT_FOUND);
    EXPECT_EQ(host_keys_write_guest(store, buf_text(&prefix), &keys, &why),
              STATUS_OK);
    EXPECT_EQ(host_keys_read_guest(store, buf_text(&prefix), &why, &got),
              STATUS_OK);
    EXPECT_STR(got.secret, keys.secret);
    EXPECT_STR(got.public_key, keys.public_key);
    EXPECT_EQ(store_sync_put(store,
                             &(struct store_sync_put){"guest", BYTES("{}"),
                                                      STORE_ALWAYS, NULL},
                             &why),
              STATUS_OK);
    EXPECT_EQ(host_keys_read_guest(store, buf_text(&prefix), &why, &got),
              STATUS_MALFORMED);
    for (int i = 0; i < 2; i++) { /* It may be gone already. */
        EXPECT_EQ(host_keys_delete_guest(store, buf_text(&prefix), 60000, &why),
                  STATUS_OK);
    }
    EXPECT_EQ(host_keys_read_guest(store, buf_text(&prefix), &why, &got),
              STATUS_NOT_FOUND);
    store_close(&store);
    buf_fini(&prefix);
}

TEST(what_a_key_allows)
{
    static const struct {
        uint32_t tag;
        enum wire_type type;
        const char *host;
        bool may;
    } rows[] = {
        {HOST_KEYS_GUEST, WIRE_ASK, "", true},
        {HOST_KEYS_GUEST, WIRE_HELLO, "algo-1", false},
        {HOST_KEYS_GUEST, WIRE_BEAT, "", false},
        {HOST_KEYS_GUEST, WIRE_DONE, "", false},
        {HOST_KEYS_ANY, WIRE_HELLO, "algo-2", true},
        {HOST_KEYS_ANY, WIRE_BEAT, "", true},
        {0, WIRE_HELLO, "algo-1", true},
        {0, WIRE_HELLO, "algo-10", false},
        {0, WIRE_HELLO, "algo-", false},
        {2, WIRE_HELLO, "algo-10", true},
        {2, WIRE_BEAT, "", true},
        {2, WIRE_ASK, "", true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wire_message m = {.type = rows[i].type};

        if (m.type == WIRE_HELLO) {
            m.hello.host = bytes_of(rows[i].host);
        }
        EXPECT_EQ(host_keys_may_say(rows[i].tag, &m, hosts), rows[i].may);
    }
}

/* ---- The thread that admits --------------------------------------------- */

static struct host_keys_watch *watch(struct net *net, const char *uri,
                                     const struct net_keys *shared)
{
    struct host_keys_watch_options options = {
        .state_uri = uri,
        .hosts = hosts,
        .host_count = HOSTS,
        .every_ms = 10,
        .net = net,
        .shared = shared,
    };
    struct host_keys_watch *w = NULL;
    struct fault why;

    EXPECT_EQ(host_keys_watch_start(&options, &why, &w), STATUS_OK);
    return w;
}

TEST(hosts_that_write_their_files_are_heard)
{
    static const char uri[] = "mem://watched/state";
    struct buf prefix = {0};
    struct store *store = open_state(uri, &prefix);
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    struct net *clients[2];
    struct net_keys keys[2];
    struct host_keys_watch *w;

    net_keys_make(&keys[0]);
    net_keys_make(&keys[1]);
    put_host(store, buf_text(&prefix), "algo-2", &keys[0]);
    w = watch(server.net, uri, NULL);
    clients[0] = kit_connect(&server, &keys[0]);
    kit_insist(clients[0], "early", server.net);
    EXPECT_EQ(net_sender_tag(server.net), 1);

    /* One that is refused first, and writes its file only then. */
    clients[1] = kit_connect(&server, &keys[1]);
    KIT_WAIT_COUNT(server.net, refused, 1, clients[1]);
    put_host(store, buf_text(&prefix), "b", &keys[1]);
    kit_insist(clients[1], "late", server.net);
    EXPECT_EQ(net_sender_tag(server.net), 3);
    host_keys_watch_stop(&w);
    host_keys_watch_stop(&w);
    net_close(&clients[0], 0);
    net_close(&clients[1], 0);
    net_close(&server.net, 0);
    store_close(&store);
    buf_fini(&prefix);
}

TEST(a_guest_is_heard_as_such)
{
    static const char uri[] = "mem://visited/state";
    struct buf prefix = {0};
    struct store *store = open_state(uri, &prefix);
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    struct host_keys_watch *w = watch(server.net, uri, NULL);
    struct net_keys keys;
    struct net *client;
    struct fault why;

    while (host_keys_read_guest(store, buf_text(&prefix), &why, &keys) !=
           STATUS_OK) {
        net_wait(server.net, KIT_STEP_MS, NULL, 0);
    }
    client = kit_connect(&server, &keys);
    kit_insist(client, "where are you?", server.net);
    EXPECT_EQ(net_sender_tag(server.net), HOST_KEYS_GUEST);
    host_keys_watch_stop(&w);
    net_close(&client, 0);
    net_close(&server.net, 0);
    store_close(&store);
    buf_fini(&prefix);
}

/* With a secret file the state is not needed. */
TEST(hosts_with_the_secret_are_heard)
{
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    struct host_keys_watch *w;
    struct net_keys shared;
    struct net_keys same;
    struct net *client;
    struct fault why;

    EXPECT_EQ(net_keys_from_secret(BYTES("0123456789abcdef0123456789abcdef"),
                                   &why, &shared),
              STATUS_OK);
    EXPECT_EQ(net_keys_from_secret(BYTES("0123456789abcdef0123456789abcdef"),
                                   &why, &same),
              STATUS_OK);
    w = watch(server.net, "/proc/no/such/place", &shared);
    client = kit_connect(&server, &same);
    kit_insist(client, "hello", server.net);
    EXPECT_EQ(net_sender_tag(server.net), HOST_KEYS_ANY);
    host_keys_watch_stop(&w);
    net_close(&client, 0);
    net_close(&server.net, 0);
}
