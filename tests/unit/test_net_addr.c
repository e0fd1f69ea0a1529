/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/net_addr.h"

#include "tests/harness.h"

TEST(endpoints_come_apart_as_they_were_joined)
{
    static const struct {
        const char *host;
        const char *endpoint;
    } rows[] = {
        {"10.0.0.5", "tcp://10.0.0.5:7000"},
        {"algo-1", "tcp://algo-1:7000"},
        {"::1", "tcp://[::1]:7000"},
        {"fe80::1%eth0", "tcp://[fe80::1%eth0]:7000"},
    };
    char endpoint[NET_ENDPOINT_MAX];
    char host[NET_HOST_MAX];
    char long_host[NET_HOST_MAX + 1];
    struct fault why;
    uint16_t port;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_EQ(net_addr_join(rows[i].host, 7000, &why, endpoint), STATUS_OK);
        EXPECT_STR(endpoint, rows[i].endpoint);
        EXPECT_EQ(net_addr_split(endpoint, &why, host, &port), STATUS_OK);
        EXPECT_STR(host, rows[i].host);
        EXPECT_EQ(port, 7000);
    }
    EXPECT_EQ(net_addr_join("[::1]", 1, &why, endpoint), STATUS_OK);
    EXPECT_STR(endpoint, "tcp://[::1]:1");
    EXPECT_EQ(net_addr_join("", 1, &why, endpoint), STATUS_INVALID);
    memset(long_host, 'a', sizeof(long_host));
    long_host[NET_HOST_MAX] = '\0';
    EXPECT_EQ(net_addr_join(long_host, 1, &why, endpoint), STATUS_INVALID);
    long_host[NET_HOST_MAX - 1] = '\0';
    EXPECT_EQ(net_addr_join(long_host, 65535, &why, endpoint), STATUS_OK);
}

TEST(addresses_of_this_machine)
{
    char address[NET_ADDR_MAX];
    struct fault why;

    EXPECT_EQ(net_addr_of_interface("lo", &why, address), STATUS_OK);
    EXPECT_STR(address, "127.0.0.1");
    EXPECT_EQ(net_addr_of_interface("nosuch0", &why, address),
              STATUS_NOT_FOUND);
    EXPECT_STR(why.text, "this machine has no interface nosuch0");
    EXPECT_EQ(net_addr_resolve("lo", &why, address), STATUS_OK);
    EXPECT_STR(address, "127.0.0.1");
    EXPECT_EQ(net_addr_resolve("[::1]", &why, address), STATUS_OK);
    EXPECT_STR(address, "::1");
    EXPECT_EQ(net_addr_resolve("10.1.2.3", &why, address), STATUS_OK);
    EXPECT_STR(address, "10.1.2.3");
    EXPECT_EQ(net_addr_resolve("localhost", &why, address), STATUS_OK);
    EXPECT_STR(address, "127.0.0.1");
    EXPECT_EQ(net_addr_resolve("", &why, address), STATUS_NOT_FOUND);
    EXPECT(net_addr_of_name("localhost", address));
    EXPECT_STR(address, "127.0.0.1");
    EXPECT(!net_addr_of_name("no such host", address));
    EXPECT(!net_addr_is_ours("127.0.0.1"));
    EXPECT(!net_addr_is_ours("::1"));
    EXPECT(!net_addr_is_ours("192.0.2.1"));
    EXPECT(!net_addr_is_ours(""));
    if (net_addr_of_this(address)) {
        EXPECT(net_addr_is_ours(address));
        EXPECT(strncmp(address, "127.", 4) != 0);
        EXPECT(strcmp(address, "::1") != 0);
    }
}
