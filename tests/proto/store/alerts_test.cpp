// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "tests/proto/store/store_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

constexpr std::size_t kMax = limits::kAlertsPerAuthorMax;
constexpr std::int64_t kDay = limits::kAlertAgeMsMax;

}  // namespace

TEST_CASE("alerts: listed newest first by clock, over all authors") {
    Store store = store_of("b");
    give(store, alert_bytes("c", 0x32, 1, 300));
    give(store, alert_bytes("a", 0x22, 1, 100));
    give(store, alert_bytes("a", 0x22, 2, 400));
    store.write_alert(now(0), {}, 0);
    std::vector<std::uint64_t> clocks;
    for (const HeldRecord* alert : alerts_of(store)) {
        clocks.push_back(alert->record.header.clock.value);
    }
    CHECK(clocks == std::vector<std::uint64_t>{std::uint64_t(kWallStart) << 16, 400, 300, 100});
    clocks.clear();
    store.newest_alerts(store.record(StreamId{0x22}, 2), [&](const HeldRecord& alert) {
        clocks.push_back(alert.record.header.clock.value);
        return clocks.size() < 2;
    });
    CHECK(clocks == std::vector<std::uint64_t>{300, 100});
}

TEST_CASE("alerts: of each author and class the newest are kept") {
    Store store = store_of("b");
    for (std::uint64_t i = 1; i <= kMax + 5; ++i) {
        CHECK(store.apply(at(0), alert_bytes("a", 0x22, 2 * i, 2 * i), 2 * i - 2, {}).outcome ==
              Applied::New);
    }
    CHECK(store.alert_count() == kMax);
    CHECK(store.record(StreamId{0x22}, 10) == nullptr);
    CHECK(store.record(StreamId{0x22}, 12) != nullptr);
    CHECK(store.counts().alerts_dropped == 5);
    CHECK(give(store, alert_bytes("a", 0x24, 1, 11)) == Applied::Stale);
    CHECK(give(store, alert_bytes("a", 0x22, 10, 10)) == Applied::Duplicate);
    CHECK(give(store, alert_bytes("a", 0x24, 2, 1, Priority::Critical)) == Applied::New);
    CHECK(give(store, alert_bytes("c", 0x32, 1, 1)) == Applied::New);
    CHECK(store.alert_count() == kMax + 2);
    CHECK(store.hashes() == hashes_from_scratch(store, {}));
}

TEST_CASE("alerts: own ones over the quota leave too, never the one just written") {
    Store store = store_of("a");
    for (std::size_t i = 0; i < kMax; ++i) {
        give(store, alert_bytes("a", 0x92, i + 1, (std::uint64_t(kWallStart + 5000) << 16) + i));
    }
    const HeldRecord& own = store.write_alert(now(0), {}, 0);
    CHECK(store.record(StreamId{0x12}, 1) == &own);
    CHECK(store.alert_count() == kMax);
}

TEST_CASE("alerts: they leave at the age of a day, counted by elapsed time") {
    Store store = store_of("b");
    CHECK(give(store, alert_bytes("a", 0x22, 1, 1), 0, {std::uint64_t(kDay - 1000), {}, 0}) ==
          Applied::New);
    CHECK(give(store, alert_bytes("a", 0x22, 2, 2), 0) == Applied::New);
    CHECK(store.next_deadline() == at(1000));
    store.on_timeout(at(999));
    CHECK(store.alert_count() == 2);
    store.on_timeout(at(1000));
    CHECK(store.alert_count() == 1);
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, 2}});
    CHECK(give(store, alert_bytes("a", 0x22, 1, 1), 1000) == Applied::Duplicate);
    CHECK(store.next_deadline() == at(kDay));
}

TEST_CASE("alerts: one that is too old already is covered, not held") {
    Store store = store_of("b");
    give(store, alert_bytes("a", 0x22, 1, 1));
    CHECK(give(store, alert_bytes("a", 0x22, 2, 2), 0, {std::uint64_t(kDay), {}, 0}) ==
          Applied::Stale);
    CHECK(give(store, alert_bytes("a", 0x22, 3, 2), 0, {UINT64_MAX, {}, 0}) == Applied::Stale);
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, 3}});
}

TEST_CASE("alerts: a stream without any leaves the digest, and its alerts do not return") {
    Store store = store_of("b");
    give(store, alert_bytes("a", 0x22, 1, 1));
    Store late = store_of("c", 0x31, 0x32);
    give(late, alert_bytes("a", 0x22, 1, 1), 500);
    store.on_timeout(at(kDay));
    CHECK(store.digest().empty());
    CHECK(store.hashes() == DigestHashes{});
    CHECK(store.missing(late.digest()).empty());
    CHECK(give(store, alert_bytes("a", 0x22, 1, 1), kDay) == Applied::Stale);
    late.on_timeout(at(kDay + 500));
    CHECK(late.hashes() == store.hashes());
    // A later alert of the stream brings back what was covered.
    CHECK(give(store, alert_bytes("a", 0x22, 2, 2), kDay + 1) == Applied::New);
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, 2}});
    store.on_timeout(at(2 * kDay + 1));
    CHECK(store.next_deadline() == at(2 * kDay + 1 + to_ms(Store::kGraveTime)));
    store.on_timeout(at(2 * kDay + 1 + to_ms(Store::kGraveTime)));
    CHECK_FALSE(store.next_deadline().has_value());
}

TEST_CASE("alerts: the stream that a node record names keeps its coverage while it is empty") {
    Store store = store_of("b");
    give(store, node_bytes("a", 0x21, 1, 1));
    give(store, alert_bytes("a", 0x22, 1, 1));
    store.on_timeout(at(kDay));
    CHECK(covered(store, 0x22).empty());
    CHECK_FALSE(store.next_deadline().has_value());
    CHECK(give(store, alert_bytes("a", 0x22, 1, 1), kDay) == Applied::Duplicate);
    // A newer start names another one.
    give(store, node_bytes("a", 0x31, 1, 2), kDay);
    CHECK(give(store, alert_bytes("a", 0x22, 1, 1), kDay) == Applied::Stale);
}

TEST_CASE("alerts: those below their author's floors leave, by class") {
    Store store = store_of("b");
    give(store, node_bytes("a", 0x21, 1, 1));
    for (std::uint64_t i = 1; i <= 6; ++i) {
        give(store, alert_bytes("a", 0x22, i, i, i % 2 ? Priority::Critical : Priority::Low));
    }
    CHECK(give(store, node_bytes("a", 0x21, 2, 2, 5, 2)) == Applied::New);
    std::vector<std::uint64_t> counters;
    for (const HeldRecord* alert : alerts_of(store)) {
        counters.push_back(alert->record.header.counter);
    }
    CHECK(counters == std::vector<std::uint64_t>{6, 5, 3});
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, 6}});
    CHECK(give(store, node_bytes("a", 0x21, 3, 3, 9, 2)) == Applied::New);
    CHECK(give(store, alert_bytes("a", 0x22, 8, 8)) == Applied::Stale);
    CHECK(give(store, alert_bytes("a", 0x22, 7, 8, Priority::Critical)) == Applied::New);
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, 8}});
}

TEST_CASE("alerts: floors say nothing of former streams") {
    Store store = store_of("b");
    give(store, alert_bytes("a", 0x32, 1, 1));
    CHECK(give(store, node_bytes("a", 0x21, 1, 1, 100, 100)) == Applied::New);
    CHECK(store.alert_count() == 1);
}

TEST_CASE("alerts: over the bytes for all, those next to expire leave") {
    Store store = store_of("b");
    const std::string big = R"({"a":")" + std::string(60'000, 'x') + R"("})";
    std::uint64_t counter = 0;
    while (store.counts().alerts_dropped == 0) {
        ++counter;
        const std::string author = "n" + std::to_string(counter % 7);
        give(store,
             alert_bytes(author, 0x100 + 2 * (counter % 7), 1 + counter / 7, 1, Priority::Low, big),
             std::int64_t(counter));
    }
    CHECK(counter > 1000);
    CHECK(store.bytes() <= Store::kAlertBytesMax);
    CHECK(store.record(StreamId{0x102}, 1) == nullptr);
    CHECK(store.record(StreamId{0x104}, 1) != nullptr);
    CHECK(give(store, alert_bytes("n1", 0x102, 1, 1, Priority::Low, big)) == Applied::Duplicate);
}
