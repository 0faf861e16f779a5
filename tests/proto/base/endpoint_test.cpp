// SPDX-License-Identifier: Apache-2.0
#include "proto/base/endpoint.h"

#include <doctest/doctest.h>

using namespace meshd;

TEST_CASE("endpoint: literal addresses survive parsing and printing") {
    for (const char* text : {"10.7.0.1:9999", "255.255.255.255:1", "[fd00::1]:65535", "[::]:7",
                             "[2001:db8:1:2:3:4:5:6]:9999"}) {
        const auto endpoint = parse_endpoint(text);
        REQUIRE_MESSAGE(endpoint.has_value(), text);
        CHECK(print_endpoint(*endpoint) == text);
    }
}

TEST_CASE("endpoint: an IPv4 address and the same mapped into IPv6 are one") {
    const auto mapped = parse_endpoint("[::ffff:10.0.0.1]:9999");
    REQUIRE(mapped.has_value());
    CHECK(*mapped == ipv4_endpoint({10, 0, 0, 1}, 9999));
    CHECK(mapped->is_ipv4());
    CHECK_FALSE(parse_endpoint("[fd00::1]:9999")->is_ipv4());
}

TEST_CASE("endpoint: a missing port takes the default, and without one is an error") {
    CHECK(print_endpoint(*parse_endpoint("10.0.0.1", 9999)) == "10.0.0.1:9999");
    CHECK(print_endpoint(*parse_endpoint("fd00::1", 9999)) == "[fd00::1]:9999");
    CHECK(print_endpoint(*parse_endpoint("[fd00::1]", 9999)) == "[fd00::1]:9999");
    CHECK_FALSE(parse_endpoint("10.0.0.1").has_value());
    CHECK_FALSE(parse_endpoint("[fd00::1]").has_value());
}

TEST_CASE("endpoint: anything but a literal address and a port from 1 to 65535 is refused") {
    for (const char* text : {"",
                             ":",
                             ":9999",
                             "box:9999",
                             "10.0.0:9999",
                             "10.0.0.256:9999",
                             "10.0.0.1:",
                             "10.0.0.1:0",
                             "10.0.0.1:65536",
                             "10.0.0.1:-1",
                             "10.0.0.1:99x",
                             "10.0.0.1: 99",
                             " 10.0.0.1:9999",
                             "10.0.0.1:9:9",
                             "[10.0.0.1]:9999",
                             "[fd00::1]9999",
                             "[fd00::1",
                             "[fd00::1]:",
                             "[fe80::1%eth0]:9999",
                             "[]:9999",
                             "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1"}) {
        CHECK_MESSAGE(!parse_endpoint(text).has_value(), text);
    }
    CHECK_FALSE(parse_endpoint(std::string_view("10.0.0.1\0:99", 12)).has_value());
}

TEST_CASE("endpoint: the local interface does not count in comparing addresses") {
    const Endpoint a = ipv4_endpoint({10, 0, 0, 1}, 9999, 2);
    const Endpoint b = ipv4_endpoint({10, 0, 0, 1}, 9999, 3);
    CHECK(a.same_address(b));
    CHECK(a != b);
    CHECK_FALSE(a.same_address(ipv4_endpoint({10, 0, 0, 1}, 9998, 2)));
}
