// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/announce.h"

#include <doctest/doctest.h>

#include <set>

#include "proto/wire/codec.h"
#include "tests/proto/routing/graph_support.h"

using namespace meshd;
using namespace meshd::test;
using std::chrono::milliseconds;

namespace {

TimePoint at(std::int64_t ms) {
    return TimePoint(milliseconds(ms));
}

struct AnnounceFixture {
    Counters counters;
    Duration rtt{};
    Announcer announcer{counters, [this](const NodeId&) { return rtt; }};
    Prng prng{Entropy{1}};
    std::set<std::pair<StreamId, std::uint64_t>> held;
    const StreamId stream{0x51};
    const NodeId author = id("author");

    bool covers(StreamId of, std::uint64_t counter) const { return held.count({of, counter}) != 0; }
    Announcer::Covered covered() {
        return [this](StreamId of, std::uint64_t counter) { return covers(of, counter); };
    }
    void on_new(TimePoint now, std::uint64_t counter, const std::vector<NodeId>& targets,
                bool is_urgent = true) {
        held.insert({stream, counter});
        announcer.on_new(now, prng, {author, stream, counter},
                         is_urgent ? Announcer::Haste::Urgent : Announcer::Haste::Later, targets);
    }
    /// "peer: first-last first-last" of each announcement or pull.
    std::vector<std::string> drain() {
        std::vector<std::string> texts;
        while (const auto request = announcer.poll()) {
            const auto* announce = std::get_if<Announcer::SendAnnounce>(&*request);
            const auto* pull = std::get_if<Announcer::SendPull>(&*request);
            std::string text =
                announce != nullptr ? "tell " + announce->peer.text() : "pull " + pull->peer.text();
            for (const StreamIntervals& one :
                 announce != nullptr ? announce->announce.streams : pull->pull.wants) {
                CHECK(one.author == author);
                CHECK_FALSE(one.floor);
                for (const Interval& range : one.intervals) {
                    text += " " + std::to_string(range.first) + "-" + std::to_string(range.last);
                }
            }
            texts.push_back(text);
        }
        return texts;
    }
    std::vector<std::pair<TimePoint, std::string>> run_until(TimePoint end) {
        std::vector<std::pair<TimePoint, std::string>> sent;
        while (announcer.next_deadline() && *announcer.next_deadline() <= end) {
            const TimePoint now = *announcer.next_deadline();
            announcer.on_timeout(now, covered());
            for (std::string& text : drain()) {
                sent.emplace_back(now, std::move(text));
            }
        }
        return sent;
    }
    void hear(TimePoint now, const std::string& peer, std::uint64_t first, std::uint64_t last) {
        announcer.on_announce(now, id(peer), {{{stream, author, {{first, last}}, {}}}}, covered());
    }
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(AnnounceFixture, "announce: an urgent record within 20 to 50 ms, once") {
    for (int i = 0; i < 50; ++i) {
        const TimePoint start = at(i * 1000);
        on_new(start, static_cast<std::uint64_t>(2 * i + 1), {id("m")});
        const auto sent = run_until(start + milliseconds(900));
        REQUIRE(sent.size() == 1);
        CHECK(sent[0].first >= start + milliseconds(20));
        CHECK(sent[0].first <= start + milliseconds(50));
    }
    CHECK_FALSE(announcer.next_deadline());
    CHECK(announcer.pending() == 0);
    CHECK(counters[Counter::announcements_sent] == 50);
}

TEST_CASE_FIXTURE(AnnounceFixture, "announce: other records after 100 ms") {
    on_new(at(0), 1, {id("m")}, false);
    const auto sent = run_until(at(1000));
    REQUIRE(sent.size() == 1);
    CHECK(sent[0] == std::pair(at(100), std::string("tell m 1-1")));
}

TEST_CASE_FIXTURE(AnnounceFixture, "announce: what is due within 5 ms for a peer goes together") {
    for (const std::uint64_t counter : {1U, 2U, 3U, 5U}) {
        on_new(at(static_cast<std::int64_t>(counter)), counter, {id("m"), id("n")}, false);
    }
    on_new(at(20), 9, {id("m")}, false);
    const auto sent = run_until(at(1000));
    REQUIRE(sent.size() == 3);
    CHECK(sent[0] == std::pair(at(101), std::string("tell m 1-3 5-5")));
    CHECK(sent[1] == std::pair(at(101), std::string("tell n 1-3 5-5")));
    CHECK(sent[2] == std::pair(at(120), std::string("tell m 9-9")));
}

TEST_CASE_FIXTURE(AnnounceFixture,
                  "announce: not to a peer that has shown that it has the record") {
    on_new(at(0), 1, {id("m"), id("n")});
    on_new(at(0), 2, {id("m"), id("n")});
    on_new(at(0), 3, {id("m")});
    announcer.on_known(id("m"), stream, {1, 2});
    announcer.on_known(id("x"), stream, {1, 2});
    hear(at(1), "m", 3, 3);
    hear(at(1), "n", 2, 2);
    Texts texts;
    for (const auto& [when, text] : run_until(at(1000))) {
        texts.push_back(text);
    }
    CHECK(texts == Texts{"tell n 1-1"});
    CHECK(counters[Counter::announcements_pulled] == 0);
}

TEST_CASE_FIXTURE(AnnounceFixture,
                  "announce: a link that goes down takes its announcements along") {
    on_new(at(0), 1, {id("m")});
    announcer.on_peer_gone(id("m"));
    CHECK_FALSE(announcer.next_deadline());
    CHECK(run_until(at(1000)).empty());
}

TEST_CASE_FIXTURE(AnnounceFixture, "announce: what is missing is pulled at once, and only that") {
    held.insert({stream, 2});
    hear(at(0), "a", 1, 4);
    CHECK(drain() == Texts{"pull a 1-1 3-4"});
    hear(at(1), "b", 1, 4);
    CHECK(drain().empty());
    CHECK(counters[Counter::announcements_received] == 2);
    CHECK(counters[Counter::announcements_pulled] == 1);
}

TEST_CASE_FIXTURE(AnnounceFixture,
                  "announce: a pull that brings nothing goes to the next announcer") {
    hear(at(0), "a", 1, 2);
    hear(at(10), "b", 1, 2);
    hear(at(20), "c", 2, 2);
    CHECK(drain() == Texts{"pull a 1-2"});
    held.insert({stream, 1});
    announcer.on_taken(stream, 1);
    const auto sent = run_until(at(10'000));
    REQUIRE(sent.size() == 2);
    CHECK(sent[0] == std::pair(at(100), std::string("pull b 2-2")));
    CHECK(sent[1] == std::pair(at(200), std::string("pull c 2-2")));
    // Nobody else: the comparison of digests has it next.
    CHECK(announcer.pending() == 0);
    hear(at(10'000), "a", 2, 2);
    CHECK(drain() == Texts{"pull a 2-2"});
}

TEST_CASE_FIXTURE(AnnounceFixture,
                  "announce: the next announcer is not asked for what came meanwhile") {
    hear(at(0), "a", 1, 1);
    hear(at(0), "b", 1, 1);
    drain();
    SUBCASE("as a new record") {
        on_new(at(50), 1, {});
    }
    SUBCASE("covered by another") {
        held.insert({stream, 1});
    }
    SUBCASE("and the announcer is gone") {
        announcer.on_peer_gone(id("b"));
    }
    CHECK(run_until(at(1000)).empty());
    CHECK(announcer.pending() == 0);
}

TEST_CASE_FIXTURE(AnnounceFixture,
                  "announce: an absurd announcement costs no more than a long one") {
    hear(at(0), "a", 1, limits::kCounterMax);
    CHECK(drain() == Texts{"pull a 1-" + std::to_string(Announcer::kDuePerPeerMax)});
    CHECK(counters[Counter::drop_announcements_full] == 1);
    hear(at(0), "b", 1'000'000, limits::kCounterMax);
    CHECK(drain().empty());
    CHECK(announcer.pending() == Announcer::kPullsMax);
}

TEST_CASE_FIXTURE(AnnounceFixture, "announce: what waits is bounded, and fits the wire") {
    for (std::uint64_t counter = 1; counter <= 2 * Announcer::kDuePerPeerMax + 2; counter += 2) {
        on_new(at(0), counter, {id("m")}, false);
    }
    CHECK(counters[Counter::drop_announcements_full] == 1);
    announcer.on_timeout(at(100), covered());
    std::size_t intervals = 0;
    while (const auto request = announcer.poll()) {
        const auto& announce = std::get<Announcer::SendAnnounce>(*request).announce;
        for (const StreamIntervals& one : announce.streams) {
            CHECK(one.intervals.size() <= limits::kMessageIntervalsMax);
            intervals += one.intervals.size();
        }
        const EncodedMessage encoded = encode_message(announce);
        CHECK(decode_message(encoded.kind, encoded.bytes));
    }
    CHECK(intervals == Announcer::kDuePerPeerMax);
    CHECK_FALSE(announcer.next_deadline());
}

TEST_CASE_FIXTURE(AnnounceFixture, "announce: over a long round trip later and more at a time") {
    rtt = milliseconds(200);
    on_new(at(0), 1, {id("m")});
    auto sent = run_until(at(1000));
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].first >= at(120));
    CHECK(sent[0].first <= at(150));
    on_new(at(1000), 3, {id("m")}, false);
    on_new(at(1025), 4, {id("m")}, false);
    on_new(at(1026), 6, {id("m")}, false);
    sent = run_until(at(2000));
    REQUIRE(sent.size() == 2);
    CHECK(sent[0] == std::pair(at(1200), std::string("tell m 3-4")));
    CHECK(sent[1] == std::pair(at(1226), std::string("tell m 6-6")));
}

TEST_CASE_FIXTURE(AnnounceFixture, "announce: a pull over a long round trip is given time") {
    rtt = milliseconds(200);
    hear(at(0), "a", 1, 1);
    hear(at(10), "b", 1, 1);
    CHECK(drain() == Texts{"pull a 1-1"});
    const auto sent = run_until(at(1000));
    REQUIRE(sent.size() == 1);
    CHECK(sent[0] == std::pair(at(300), std::string("pull b 1-1")));
}

TEST_CASE_FIXTURE(AnnounceFixture, "announce: a short round trip changes nothing") {
    rtt = std::chrono::microseconds(7'999);
    on_new(at(0), 1, {id("m")}, false);
    const auto sent = run_until(at(1000));
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].first == at(100));
    hear(at(1000), "a", 2, 2);
    CHECK(announcer.next_deadline() == at(1100));
}
