/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster-sim/sim_net.h"

#include "tests/harness.h"

static struct {
    struct sim_clock *clock;
    struct sim_net *net;
    struct prng luck;
    struct sim_weather weather;
    char got[256]; /* What came, in order. */
    uint64_t link; /* On which the last one did. */
} t;

static void begin(bool has_fixed_ports)
{
    memset(&t, 0, sizeof(t));
    prng_init(&t.luck, 11);
    t.clock = sim_clock_new();
    t.net = sim_net_new(&(struct sim_net_options){t.clock, &t.luck, &t.weather,
                                                  3, 0, has_fixed_ports});
    for (uint32_t i = 0; i < 3; i++) {
        sim_net_up(t.net, i);
    }
}

static void end(void)
{
    sim_net_check(t.net);
    sim_net_destroy(&t.net);
    sim_clock_destroy(&t.clock);
}

static void connect_to(uint32_t node, uint32_t server)
{
    char endpoint[SIM_ENDPOINT_MAX];

    sim_net_endpoint(t.net, server, endpoint);
    sim_net_connect(t.net, node, endpoint);
}

/* Let all arrive, and return it. */
static const char *arrive(void)
{
    struct sim_event e;
    size_t size = 0;

    t.got[0] = '\0';
    while (sim_clock_next(t.clock, &e) == STATUS_OK) {
        struct sim_packet *p = sim_net_take(t.net, &e);

        if (p != NULL) {
            size += (size_t)snprintf(t.got + size, sizeof(t.got) - size, "%.*s",
                                     (int)p->size, p->at);
            t.link = p->link;
        }
        free(p);
    }
    return t.got;
}

TEST(messages_keep_their_order_both_ways)
{
    begin(false);
    connect_to(1, 0);
    for (int i = 0; i < 10; i++) {
        sim_net_send_up(t.net, 1, bytes_of((char[]){(char)('0' + i), 0}));
    }
    EXPECT_STR(arrive(), "0123456789");
    sim_net_send_down(t.net, 0, t.link, bytes_of("a"));
    sim_net_send_down(t.net, 0, t.link, bytes_of("b"));
    EXPECT_STR(arrive(), "ab");
    end();
}

TEST(a_client_that_connects_again_is_a_new_peer)
{
    uint64_t first;

    begin(false);
    connect_to(1, 0);
    sim_net_send_up(t.net, 1, bytes_of("x"));
    EXPECT_STR(arrive(), "x");
    first = t.link;
    connect_to(1, 0);
    sim_net_send_up(t.net, 1, bytes_of("y"));
    EXPECT_STR(arrive(), "y");
    EXPECT(t.link != first);
    sim_net_send_down(t.net, 0, first, bytes_of("gone"));
    EXPECT_STR(arrive(), "");
    end();
}

TEST(what_is_under_way_to_the_dead_is_lost)
{
    for (int fixed = 0; fixed < 2; fixed++) {
        begin(fixed != 0);
        connect_to(1, 0);
        sim_net_send_up(t.net, 1, bytes_of("x"));
        sim_net_down(t.net, 0);
        EXPECT_STR(arrive(), "");
        sim_net_send_up(t.net, 1, bytes_of("x"));
        EXPECT_STR(arrive(), "");
        sim_net_up(t.net, 0);
        sim_net_send_up(t.net, 1, bytes_of("y"));
        EXPECT_STR(arrive(), fixed ? "y" : "");
        end();
    }
}

TEST(a_cut_loses_or_holds_back_one_way)
{
    begin(false);
    connect_to(1, 0);
    sim_net_send_up(t.net, 1, bytes_of("x"));
    EXPECT_STR(arrive(), "x");
    sim_net_cut(t.net, 1, 0, sim_clock_now_us(t.clock) + 1000000, false);
    sim_net_send_up(t.net, 1, bytes_of("late"));
    sim_net_send_down(t.net, 0, t.link, bytes_of("now,"));
    EXPECT_STR(arrive(), "now,late");
    sim_net_cut(t.net, 1, 0, UINT64_MAX, true);
    sim_net_send_up(t.net, 1, bytes_of("lost"));
    EXPECT_STR(arrive(), "");
    sim_net_calm(t.net);
    sim_net_send_up(t.net, 1, bytes_of("x"));
    EXPECT_STR(arrive(), "x");
    end();
}

TEST(weather_loses_repeats_and_breaks)
{
    begin(false);
    connect_to(1, 0);
    t.weather.repeat = 1000;
    sim_net_send_up(t.net, 1, bytes_of("x"));
    EXPECT_STR(arrive(), "xx");
    t.weather = (struct sim_weather){.loss = 1000};
    sim_net_send_up(t.net, 1, bytes_of("x"));
    EXPECT_STR(arrive(), "");
    t.weather = (struct sim_weather){.breaks = 1000};
    sim_net_send_up(t.net, 1, bytes_of("x"));
    EXPECT_STR(arrive(), "");
    t.weather = (struct sim_weather){.reorder = 1000, .delay_us = 100000};
    for (int i = 0; i < 10; i++) {
        sim_net_send_up(t.net, 1, bytes_of((char[]){(char)('0' + i), 0}));
    }
    EXPECT_EQ(strlen(arrive()), 10);
    EXPECT(strcmp(t.got, "0123456789") != 0);
    end();
}
