// SPDX-License-Identifier: Apache-2.0
#include "proto/store/reconcile.h"

#include <doctest/doctest.h>

#include "tests/proto/store/store_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

const NodeId kPeer = id("p");
const NodeId kOther = id("q");

StreamIntervals alerts_of(std::string_view author, std::uint64_t stream, Interval interval) {
    return {StreamId{stream}, id(author), {interval}};
}

Digest digest_of(std::vector<StreamIntervals> streams) {
    Digest digest;
    digest.streams = std::move(streams);
    return digest;
}

/// A reconciler with the store it repairs, and hashes that always differ.
struct Side {
    Store store = store_of("b");
    Reconciler reconciler;

    struct Requests {
        std::vector<NodeId> asked;
        std::vector<Reconciler::SendPull> pulls;
    };
    Requests poll() {
        Requests all;
        while (const auto request = reconciler.poll()) {
            if (const auto* ask = std::get_if<Reconciler::AskDigest>(&*request)) {
                all.asked.push_back(ask->peer);
            } else {
                all.pulls.push_back(std::get<Reconciler::SendPull>(*request));
            }
        }
        return all;
    }
    Requests timeout(std::int64_t ms) {
        reconciler.on_timeout(at(ms), store);
        return poll();
    }
    /// A link whose first question is answered with nothing.
    void link(std::int64_t ms, const NodeId& peer) {
        reconciler.on_link_up(at(ms), peer);
        reconciler.on_digest(at(ms), peer, {});
        timeout(ms);
        reconciler.on_hashes(at(ms), peer, {1, 0}, {2, 0});
    }
    void delta(std::int64_t ms, const NodeId& peer) { reconciler.on_delta(at(ms), peer, store); }
    /// Answers each question and pull at once, the pulls by a delta that brings nothing, and
    /// returns when it was asked.
    std::vector<std::int64_t> asked_until(std::int64_t end_ms,
                                          const std::vector<StreamIntervals>& digest) {
        std::vector<std::int64_t> times;
        std::int64_t ms = 0;
        for (auto next = reconciler.next_deadline(); next && *next <= at(end_ms);
             next = reconciler.next_deadline()) {
            ms = std::max(ms, to_ms(*next - at(0)));
            Requests requests = timeout(ms);
            if (!requests.asked.empty()) {
                times.push_back(ms);
                reconciler.on_digest(at(ms), requests.asked[0], digest_of(digest));
            }
            for (const auto& pull : requests.pulls) {
                delta(ms, pull.peer);
            }
        }
        return times;
    }
};

}  // namespace

TEST_CASE("reconcile: a new link is asked at once, and its first digest compared without delay") {
    Side side;
    side.reconciler.on_link_up(at(10), kPeer);
    CHECK(side.poll().asked == std::vector{kPeer});
    side.reconciler.on_digest(at(20), kPeer, digest_of({alerts_of("a", 0x22, {1, 3})}));
    CHECK(side.reconciler.next_deadline() == at(20));
    const auto pulls = side.timeout(20).pulls;
    REQUIRE(pulls.size() == 1);
    CHECK(pulls[0].peer == kPeer);
    CHECK(pulls[0].pull.wants.at(0).intervals == std::vector<Interval>{{1, 3}});
}

TEST_CASE("reconcile: later digests wait 250 ms for pushes under way, and parts of one add up") {
    Side side;
    side.link(0, kPeer);
    side.reconciler.on_digest(at(100), kPeer, digest_of({alerts_of("a", 0x22, {1, 2})}));
    side.reconciler.on_digest(at(200), kPeer, digest_of({alerts_of("a", 0x24, {1, 1})}));
    side.reconciler.on_digest(at(210), kPeer, digest_of({alerts_of("a", 0x22, {1, 3})}));
    CHECK(side.reconciler.next_deadline() == at(350));
    CHECK(side.timeout(349).pulls.empty());
    give(side.store, alert_bytes("a", 0x22, 1, 1));
    const auto pulls = side.timeout(350).pulls;
    REQUIRE(pulls.size() == 1);
    REQUIRE(pulls[0].pull.wants.size() == 2);
    CHECK(pulls[0].pull.wants[0].intervals == std::vector<Interval>{{2, 3}});
    CHECK(pulls[0].pull.wants[1].stream == StreamId{0x24});
}

TEST_CASE("reconcile: of all peers one is asked each second, and only where hashes differ") {
    Side side;
    side.link(0, kPeer);
    side.link(0, kOther);
    CHECK(side.timeout(999).asked.empty());
    CHECK(side.timeout(1000).asked == std::vector{kPeer});
    CHECK(side.timeout(1999).asked.empty());
    CHECK(side.timeout(2000).asked.size() == 1);
    for (const NodeId& peer : {kPeer, kOther}) {
        side.reconciler.on_hashes(at(2001), peer, {2, 7}, {2, 7});
    }
    CHECK_FALSE(side.reconciler.next_deadline().has_value());
    CHECK(side.timeout(60'000).asked.empty());
}

TEST_CASE("reconcile: a peer that has nothing we lack is asked every 5 s in the end") {
    Side side;
    side.link(0, kPeer);
    const auto times = side.asked_until(30'000, {});
    REQUIRE(times.size() >= 5);
    CHECK(times[0] == 1000);
    CHECK(times.back() - times[times.size() - 2] == 5000);
    side.reconciler.on_hashes(at(30'000), kPeer, {2, 0}, {2, 0});
    side.reconciler.on_hashes(at(40'000), kPeer, {1, 0}, {2, 0});
    CHECK(side.timeout(40'000).asked.size() == 1);
    CHECK(side.timeout(41'000).asked.size() == 1);
}

TEST_CASE("reconcile: what is refused here is fetched ever more rarely, every 60 s in the end") {
    Side side;
    side.link(0, kPeer);
    const auto times = side.asked_until(600'000, {alerts_of("a", 0x22, {1, 3})});
    REQUIRE(times.size() >= 5);
    CHECK(times.size() < 20);
    CHECK(times.back() - times[times.size() - 2] == 60'000);
    // Something comes at last: from then on as usual.
    const std::int64_t ms = times.back() + 60'000;
    REQUIRE(side.timeout(ms).asked.size() == 1);
    side.reconciler.on_digest(at(ms), kPeer, digest_of({alerts_of("a", 0x22, {1, 3})}));
    REQUIRE(side.timeout(ms + 250).pulls.size() == 1);
    for (std::uint64_t i = 1; i <= 3; ++i) {
        give(side.store, alert_bytes("a", 0x22, i, i));
    }
    side.delta(ms + 260, kPeer);
    CHECK(side.timeout(ms + 1260).asked.size() == 1);
    side.reconciler.on_digest(at(ms + 1260), kPeer, digest_of({alerts_of("a", 0x22, {1, 4})}));
    CHECK(side.timeout(ms + 1510).pulls.size() == 1);
}

TEST_CASE("reconcile: of one stream one pull is under way, whichever peer it went to") {
    Side side;
    side.link(0, kPeer);
    side.link(0, kOther);
    side.reconciler.on_digest(at(100), kPeer, digest_of({alerts_of("a", 0x22, {1, 3})}));
    side.reconciler.on_digest(
        at(100), kOther, digest_of({alerts_of("a", 0x22, {1, 9}), alerts_of("a", 0x24, {1, 1})}));
    const auto pulls = side.timeout(350).pulls;
    REQUIRE(pulls.size() == 2);
    CHECK(pulls[0].peer == kPeer);
    REQUIRE(pulls[1].pull.wants.size() == 1);
    CHECK(pulls[1].pull.wants[0].stream == StreamId{0x24});
    // A link that goes down frees its streams for others.
    side.reconciler.on_link_down(kPeer);
    side.timeout(850);
    side.reconciler.on_digest(at(900), kOther, digest_of({alerts_of("a", 0x22, {1, 9})}));
    CHECK(side.timeout(1150).pulls.size() == 1);
}

TEST_CASE("reconcile: a pull goes on after four deltas, as long as they bring something") {
    Side side;
    side.link(0, kPeer);
    side.reconciler.on_digest(at(100), kPeer, digest_of({alerts_of("a", 0x22, {1, 20})}));
    REQUIRE(side.timeout(350).pulls.size() == 1);
    for (std::uint64_t i = 1; i <= Reconciler::kDeltasToAskOn; ++i) {
        CHECK(side.poll().pulls.empty());
        give(side.store, alert_bytes("a", 0x22, i, i));
        side.delta(360, kPeer);
    }
    const auto pulls = side.poll().pulls;
    REQUIRE(pulls.size() == 1);
    CHECK(pulls[0].pull.wants.at(0).intervals == std::vector<Interval>{{5, 20}});
    for (std::size_t i = 0; i < Reconciler::kDeltasPerPull; ++i) {
        side.delta(370, kPeer);
    }
    CHECK(side.poll().pulls.empty());
    side.delta(371, kPeer);  // of no pull any more
    CHECK(side.poll().pulls.empty());
}

TEST_CASE("reconcile: a pull without a delta for 500 ms is over, or goes on with what is left") {
    Side side;
    side.link(0, kPeer);
    side.reconciler.on_digest(at(100), kPeer, digest_of({alerts_of("a", 0x22, {1, 3})}));
    REQUIRE(side.timeout(350).pulls.size() == 1);
    give(side.store, alert_bytes("a", 0x22, 1, 1));
    side.delta(600, kPeer);
    CHECK(side.reconciler.next_deadline() == at(1100));
    CHECK(side.timeout(1099).pulls.empty());
    const auto pulls = side.timeout(1100).pulls;
    REQUIRE(pulls.size() == 1);
    CHECK(pulls[0].pull.wants.at(0).intervals == std::vector<Interval>{{2, 3}});
    CHECK(side.timeout(1600).pulls.empty());
    CHECK(side.timeout(5000).asked.size() == 1);
}

TEST_CASE("reconcile: a peer that repeats part of its census does not hold up another's") {
    Side side;
    side.link(0, kPeer);
    side.reconciler.on_hashes(at(0), kPeer, {1, 1}, {1, 2});
    std::optional<std::uint32_t> number;
    std::vector<Record> dead;
    for (std::int64_t ms = 0; ms < 20'000; ms += 1000) {
        side.reconciler.on_timeout(at(ms), side.store);
        while (const auto request = side.reconciler.poll()) {
            if (const auto* ask = std::get_if<Reconciler::AskCensus>(&*request)) {
                if (number) {
                    CHECK(ask->number != *number);
                    return;
                }
                number = ask->number;
            }
        }
        if (number) {
            Census part;
            part.number = *number;
            part.part = 0;
            part.parts = 2;
            side.reconciler.on_census(at(ms), kPeer, part, side.store, dead);
        }
    }
    FAIL("the census was never given up");
}

TEST_CASE("reconcile: a digest longer than any honest one, and one without a link, are ignored") {
    Side side;
    side.reconciler.on_digest(at(0), kPeer, digest_of({alerts_of("a", 0x22, {1, 3})}));
    CHECK_FALSE(side.reconciler.next_deadline().has_value());
    side.link(0, kPeer);
    std::vector<StreamIntervals> streams;
    for (std::uint64_t i = 0; i < limits::kStreamsMax; ++i) {
        streams.push_back(alerts_of("a", 0x1000 + i, {1, 1}));
    }
    side.reconciler.on_digest(at(10), kPeer, digest_of(streams));
    side.reconciler.on_digest(at(20), kPeer, digest_of({alerts_of("a", 0x22, {1, 3})}));
    for (const auto& pull : side.timeout(260).pulls) {
        CHECK(pull.pull.wants.at(0).stream == StreamId{0x1000});
        CHECK(encode_message(Message(pull.pull)).bytes.size() <= limits::kMessageBytesMax);
    }
}
