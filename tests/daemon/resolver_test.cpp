// SPDX-License-Identifier: Apache-2.0
#include "daemon/resolver.h"

#include <doctest/doctest.h>

using namespace meshd;
using namespace std::chrono_literals;

namespace {

using Names = std::vector<std::string>;
using Endpoints = std::vector<Endpoint>;

constexpr Ipv4 kOne = {10, 0, 0, 1};
constexpr Ipv4 kTwo = {10, 0, 0, 2};

TimePoint at(Duration since) {
    return TimePoint(since);
}

LookupResult failure() {
    return tl::unexpected(std::string("Name or service not known"));
}

LookupResult found(std::vector<Ipv4> addresses) {
    return addresses;
}

std::optional<std::variant<Endpoint, BootstrapHost>> parsed(std::string_view text) {
    return parse_bootstrap(text, 9999);
}

}  // namespace

TEST_CASE("bootstrap: addresses and names are told apart") {
    CHECK(std::get<Endpoint>(*parsed("10.0.0.1")) == ipv4_endpoint(kOne, 9999));
    CHECK(std::get<Endpoint>(*parsed("10.0.0.1:5")) == ipv4_endpoint(kOne, 5));
    for (const char* name : {"gate", "gate.example", "gate.example.", "cam_2.lan", "3com.example",
                             "a-b", "xn--bcher-kva.example", "10.0.0.1.example"}) {
        CAPTURE(name);
        CHECK(std::get<BootstrapHost>(parsed(name).value()) == BootstrapHost{name, 9999});
        CHECK(std::get<BootstrapHost>(parsed(name + std::string(":80")).value()) ==
              BootstrapHost{name, 80});
    }
}

TEST_CASE("resolver: other names begin at once, those that stay keep their addresses") {
    Resolver resolver(at(0s), {{"gate", 9999}, {"yard", 9999}});
    CHECK(resolver.poll_due(at(0s)) == Names{"gate", "yard"});
    CHECK(resolver.on_result(at(1s), "gate", found({kOne})));
    CHECK(resolver.on_result(at(1s), "yard", found({kTwo})));
    resolver.set_hosts(at(2s), {{"gate", 9998}, {"roof", 9999}});
    CHECK(resolver.endpoints() == Endpoints{ipv4_endpoint(kOne, 9998)});
    CHECK(resolver.poll_due(at(2s)) == Names{"roof"});
    // The answer to a question of before.
    CHECK_FALSE(resolver.on_result(at(3s), "yard", found({kTwo})));
}

TEST_CASE("bootstrap: what is neither an address nor a name is refused") {
    for (const char* text : {"",
                             ":",
                             ":9999",
                             "gate:",
                             "gate:0",
                             "gate:65536",
                             "gate:x",
                             "gate:80x",
                             "gate:80:80",
                             "10.0.0.300",
                             "10.1",
                             "1234",
                             "10.0.0.1:0",
                             "a b",
                             "-a",
                             "a-",
                             "a..b",
                             ".a",
                             ".",
                             "fd00::1",
                             "[fd00::1]:9999",
                             "b\xc3\xbc"
                             "cher",
                             "http://gate",
                             "gate/"}) {
        CAPTURE(text);
        CHECK_FALSE(parsed(text));
    }
    CHECK(parsed(std::string(63, 'a')));
    CHECK_FALSE(parsed(std::string(64, 'a')));
    std::string longest;
    for (int i = 0; i < 126; ++i) {
        longest += "a.";
    }
    CHECK(parsed(longest + "a"));
    CHECK_FALSE(parsed(longest + "aa"));
}

TEST_CASE("resolver: a name is asked at once, and every minute where it is found") {
    Resolver resolver(at(5s), {{"gate", 9999}});
    CHECK(resolver.next_deadline() == at(5s));
    CHECK(resolver.poll_due(at(5s)) == Names{"gate"});
    CHECK(resolver.poll_due(at(6s)).empty());
    CHECK_FALSE(resolver.next_deadline());
    CHECK(resolver.on_result(at(7s), "gate", found({kOne})));
    CHECK(resolver.endpoints() == Endpoints{ipv4_endpoint(kOne, 9999)});
    CHECK(resolver.next_deadline() == at(67s));
    CHECK(resolver.poll_due(at(67s) - 1us).empty());
    CHECK(resolver.poll_due(at(67s)) == Names{"gate"});
    CHECK_FALSE(resolver.on_result(at(67s), "gate", found({kOne})));
}

TEST_CASE("resolver: a failure is repeated after 1, 2, 4 and at last every 60 s") {
    Resolver resolver(at(0s), {{"gate", 9999}});
    TimePoint now = at(0s);
    for (const Duration wait : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s}) {
        CHECK(resolver.poll_due(now) == Names{"gate"});
        CHECK_FALSE(resolver.on_result(now, "gate", failure()));
        CHECK(resolver.next_deadline() == now + wait);
        now += wait;
    }
    resolver.poll_due(now);
    resolver.on_result(now, "gate", found({kOne}));
    now += 60s;
    resolver.poll_due(now);
    resolver.on_result(now, "gate", failure());
    CHECK(resolver.next_deadline() == now + 1s);
}

TEST_CASE("resolver: a failure warns by name and keeps the former addresses") {
    Resolver resolver(at(0s), {{"gate", 9999}, {"yard", 9999}});
    CHECK(resolver.warnings().empty());
    CHECK(resolver.poll_due(at(0s)) == Names{"gate", "yard"});
    resolver.on_result(at(0s), "gate", failure());
    resolver.on_result(at(0s), "yard", found({kTwo}));
    REQUIRE(resolver.warnings().size() == 1);
    CHECK(resolver.warnings()[0].find("gate: Name or service not known") != std::string::npos);
    CHECK(resolver.warnings()[0].find("former") == std::string::npos);

    resolver.poll_due(at(60s));
    CHECK_FALSE(resolver.on_result(at(60s), "yard", failure()));
    CHECK(resolver.endpoints() == Endpoints{ipv4_endpoint(kTwo, 9999)});
    REQUIRE(resolver.warnings().size() == 2);
    CHECK(resolver.warnings()[1].find("former addresses are still tried") != std::string::npos);

    resolver.on_result(at(61s), "gate", found({kOne}));
    resolver.on_result(at(61s), "yard", found({kTwo}));
    CHECK(resolver.warnings().empty());
}

TEST_CASE("resolver: an answer in another order is no change, another address is") {
    Resolver resolver(at(0s), {{"gate", 9999}});
    resolver.poll_due(at(0s));
    CHECK(resolver.on_result(at(0s), "gate", found({kTwo, kOne, kTwo})));
    CHECK(resolver.endpoints().size() == 2);
    resolver.poll_due(at(60s));
    CHECK_FALSE(resolver.on_result(at(60s), "gate", found({kOne, kTwo})));
    resolver.poll_due(at(120s));
    CHECK(resolver.on_result(at(120s), "gate", found({kTwo})));
    CHECK(resolver.endpoints() == Endpoints{ipv4_endpoint(kTwo, 9999)});
}

TEST_CASE("resolver: one name with two ports is asked once") {
    Resolver resolver(at(0s), {{"gate", 9999}, {"gate", 9998}, {"gate", 9999}});
    CHECK(resolver.poll_due(at(0s)) == Names{"gate"});
    resolver.on_result(at(0s), "gate", found({kOne}));
    CHECK(resolver.endpoints() == Endpoints{ipv4_endpoint(kOne, 9999), ipv4_endpoint(kOne, 9998)});
}

TEST_CASE("resolver: of a name with many addresses some are enough") {
    Resolver resolver(at(0s), {{"pool", 9999}});
    resolver.poll_due(at(0s));
    std::vector<Ipv4> many;
    for (std::uint8_t i = 0; i < 100; ++i) {
        many.push_back({10, 0, 1, i});
    }
    resolver.on_result(at(0s), "pool", found(many));
    CHECK(resolver.endpoints().size() == Resolver::kAddressesMax);
}

TEST_CASE("resolver: another network makes every name due at once, also one that is being asked") {
    Resolver resolver(at(0s), {{"gate", 9999}, {"yard", 9999}});
    resolver.poll_due(at(0s));
    resolver.on_result(at(0s), "gate", found({kOne}));
    resolver.on_network_change(at(1s));
    CHECK(resolver.poll_due(at(1s)) == Names{"gate"});
    resolver.on_result(at(2s), "yard", failure());
    CHECK(resolver.poll_due(at(2s)) == Names{"yard"});
    resolver.on_result(at(3s), "yard", failure());
    CHECK(resolver.next_deadline() == at(4s));
}

TEST_CASE("resolver: an answer for a name that nobody knows changes nothing") {
    Resolver resolver(at(0s), {});
    CHECK_FALSE(resolver.next_deadline());
    CHECK_FALSE(resolver.on_result(at(0s), "gate", found({kOne})));
    CHECK(resolver.endpoints().empty());
}
