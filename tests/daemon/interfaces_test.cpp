// SPDX-License-Identifier: Apache-2.0
#include "daemon/interfaces.h"

#include <doctest/doctest.h>

using namespace meshd;

namespace {

LocalInterface interface(const char* name, std::uint32_t index, Ipv4 address) {
    LocalInterface made;
    made.name = name;
    made.index = index;
    made.address = address;
    made.netmask = {255, 255, 255, 0};
    made.is_up = true;
    made.is_loopback = made.name == "lo";
    return made;
}

std::vector<std::string> names(const std::vector<LocalInterface>& interfaces) {
    std::vector<std::string> result;
    for (const auto& one : interfaces) {
        result.push_back(one.name);
    }
    return result;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("interfaces: without a list all but loopback, containers and tunnels are used") {
    const std::vector<LocalInterface> all = {
        interface("wlan0", 3, {10, 0, 0, 1}),   interface("lo", 1, {127, 0, 0, 1}),
        interface("eth0", 2, {10, 0, 1, 1}),    interface("docker0", 4, {172, 17, 0, 1}),
        interface("veth12", 5, {10, 0, 2, 1}),  interface("virbr0", 6, {10, 0, 3, 1}),
        interface("br-12ab", 7, {10, 0, 4, 1}), interface("tun0", 8, {10, 0, 5, 1}),
        interface("tap0", 9, {10, 0, 6, 1}),    interface("br0", 10, {10, 0, 7, 1}),
    };
    CHECK(names(usable_interfaces(all, {})) == Names{"eth0", "wlan0", "br0"});
}

TEST_CASE("interfaces: a list decides alone, with names and patterns") {
    const std::vector<LocalInterface> all = {
        interface("lo", 1, {127, 0, 0, 1}), interface("eth0", 2, {10, 0, 1, 1}),
        interface("eth1", 3, {10, 0, 2, 1}), interface("tun0", 4, {10, 0, 3, 1})};
    CHECK(names(usable_interfaces(all, {"lo"})) == Names{"lo"});
    CHECK(names(usable_interfaces(all, {"eth*"})) == Names{"eth0", "eth1"});
    CHECK(names(usable_interfaces(all, {"tun0", "eth1"})) == Names{"eth1", "tun0"});
    CHECK(names(usable_interfaces(all, {"eth"})).empty());
}

TEST_CASE("interfaces: one that is down is not used, and the first address counts") {
    std::vector<LocalInterface> all = {interface("eth0", 2, {10, 0, 1, 1}),
                                       interface("eth0", 2, {10, 0, 9, 1}),
                                       interface("eth1", 3, {10, 0, 2, 1})};
    all[2].is_up = false;
    const auto usable = usable_interfaces(all, {});
    REQUIRE(usable.size() == 1);
    CHECK(usable[0].address == Ipv4{10, 0, 1, 1});
}

TEST_CASE("interfaces: a link-local address counts where the interface has no other") {
    const auto local = interface("eth0", 2, {169, 254, 7, 7});
    const auto other = interface("eth0", 2, {10, 0, 1, 1});
    const auto late = interface("eth0", 2, {10, 0, 9, 1});
    const auto address = [](const std::vector<LocalInterface>& all) {
        const auto usable = usable_interfaces(all, {});
        REQUIRE(usable.size() == 1);
        return usable[0].address;
    };
    // The kernel lists the narrower scope first, whichever came first.
    CHECK(address({local, other, late}) == other.address);
    CHECK(address({other, local}) == other.address);
    CHECK(address({local}) == local.address);
}

TEST_CASE("interfaces: a list may name what is not there yet") {
    std::vector<LocalInterface> all = {interface("lo", 1, {127, 0, 0, 1}),
                                       interface("eth0", 2, {10, 0, 1, 1})};
    const std::vector<std::string> allowed = {"wlan*", "usb0"};
    CHECK(usable_interfaces(all, allowed).empty());
    all.push_back(interface("wlan0", 3, {10, 0, 2, 1}));
    CHECK(names(usable_interfaces(all, allowed)) == Names{"wlan0"});
}

TEST_CASE("interfaces: a pattern of a star alone allows all, containers too") {
    const std::vector<LocalInterface> all = {interface("lo", 1, {127, 0, 0, 1}),
                                             interface("docker0", 2, {172, 17, 0, 1})};
    CHECK(names(usable_interfaces(all, {"*"})) == Names{"lo", "docker0"});
    CHECK(matches_interface("*", ""));
    CHECK_FALSE(matches_interface("", "eth0"));
    CHECK_FALSE(matches_interface("e*h0", "eth0"));
}

TEST_CASE("interfaces: the subnet follows the netmask") {
    const auto eth0 = interface("eth0", 2, {10, 0, 1, 1});
    CHECK(is_in_subnet(eth0, {10, 0, 1, 200}));
    CHECK_FALSE(is_in_subnet(eth0, {10, 0, 2, 1}));
}
