// SPDX-License-Identifier: Apache-2.0
#include "daemon/host_facts.h"

#include <doctest/doctest.h>

#include <cstdlib>

namespace meshd {
namespace {

TEST_CASE("host facts: drops are summed over the own sockets alone") {
    const std::string table =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout "
        "inode ref pointer drops\n"
        "  71: 0100007F:270F 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        "
        "0 "
        "111 2 0000000000000000 5\n"
        "  72: 00000000:270F 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        "
        "0 "
        "222 2 0000000000000000 7\n"
        "  73: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        "
        "0 "
        "333 2 0000000000000000 900\n";
    CHECK(sum_udp_drops(table, {"111", "222"}) == 12U);
    CHECK(sum_udp_drops(table, {"222"}) == 7U);
    CHECK(!sum_udp_drops(table, {}));
    CHECK(!sum_udp_drops("", {"111"}));
}

TEST_CASE("host facts: the loopback has an MTU, and a directory has room") {
    const HostFacts facts = host_facts({ipv4_endpoint({127, 0, 0, 1}, 9999, 1)}, "/");
    REQUIRE(facts.interfaces.size() == 1);
    CHECK(facts.interfaces[0].mtu > 0);
    CHECK(facts.disk_free_bytes.has_value());
    CHECK(!host_facts({}, "").disk_free_bytes);
}

}  // namespace
}  // namespace meshd
