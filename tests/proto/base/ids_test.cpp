// SPDX-License-Identifier: Apache-2.0
#include "proto/base/ids.h"

#include <doctest/doctest.h>

#include "proto/base/node_id.h"

using namespace meshd;

TEST_CASE("ids: 64-bit values are exactly 16 lower-case hex digits in text") {
    CHECK(print_hex(0) == "0000000000000000");
    CHECK(print_hex(0x0123456789abcdef) == "0123456789abcdef");
    CHECK(parse_hex("ffffffffffffffff") == UINT64_MAX);
    for (const char* text : {"", "0", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF",
                             "0x23456789abcdef", "0123456789abcdeg", " 123456789abcdef"}) {
        CHECK_MESSAGE(!parse_hex(text).has_value(), text);
    }
}

TEST_CASE("node id: 1 to 63 letters, digits, dots, underscores and hyphens") {
    CHECK(NodeId::parse("box-1.site_A")->text() == "box-1.site_A");
    CHECK(NodeId::parse(std::string(63, 'x')).has_value());
    CHECK_FALSE(NodeId::parse(std::string(64, 'x')).has_value());
    for (const char* text : {"", "box 1", "box/1", "b\xc3\xb6x", "a:b", "a\n"}) {
        CHECK_MESSAGE(!NodeId::parse(text).has_value(), text);
    }
}

TEST_CASE("node id: the hash is that of the name on every machine") {
    CHECK(NodeId::parse("box-1")->hash() == NodeId::parse("box-1")->hash());
    CHECK(NodeId::parse("box-1")->hash() != NodeId::parse("box-2")->hash());
    CHECK(NodeId().empty());
    CHECK(NodeId().hash() == 0);
}
