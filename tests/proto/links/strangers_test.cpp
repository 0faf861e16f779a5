// SPDX-License-Identifier: Apache-2.0
#include "proto/links/strangers.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

namespace meshd {
namespace {

using namespace std::chrono_literals;

Endpoint at(std::uint8_t host, std::uint16_t port = 9999) {
    return ipv4_endpoint({10, 0, 0, host}, port);
}

TEST_CASE("strangers: one heard again is one, counted and moved to the front") {
    Strangers strangers;
    strangers.on_heard(TimePoint(1s), Stranger::Kind::OtherMesh, "farm", at(1));
    strangers.on_heard(TimePoint(2s), Stranger::Kind::OtherVersion, "", at(2));
    strangers.on_heard(TimePoint(3s), Stranger::Kind::OtherMesh, "farm", at(1));
    const auto heard = strangers.heard(TimePoint(4s));
    REQUIRE(heard.size() == 2);
    CHECK(heard[0].name == "farm");
    CHECK(heard[0].count == 2);
    CHECK((heard[0].last_heard == TimePoint(3s)));
    CHECK((heard[1].kind == Stranger::Kind::OtherVersion));
}

TEST_CASE("strangers: of more than fit the one silent longest goes, and old ones are not told") {
    Strangers strangers;
    for (std::size_t i = 0; i <= Strangers::kMax; ++i) {
        strangers.on_heard(TimePoint(std::chrono::seconds(i)), Stranger::Kind::OtherMesh,
                           "mesh" + std::to_string(i), at(static_cast<std::uint8_t>(i)));
    }
    const auto heard = strangers.heard(TimePoint(20s));
    REQUIRE(heard.size() == Strangers::kMax);
    CHECK(heard.back().name == "mesh1");
    CHECK(strangers.heard(TimePoint(20s) + Strangers::kToldFor).empty());
}

}  // namespace
}  // namespace meshd
