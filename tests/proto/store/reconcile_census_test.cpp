// SPDX-License-Identifier: Apache-2.0
// When a census is asked for, and what is left alone until it came.
#include <doctest/doctest.h>

#include "proto/store/reconcile.h"
#include "tests/proto/store/keyed_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using Names = std::vector<std::string>;

const NodeId kPeer = id("p");
const NodeId kOther = id("q");

StreamIntervals keyed(std::string_view author, std::uint64_t stream, Interval interval,
                      std::uint64_t floor = 0) {
    return {StreamId{stream}, id(author), {interval}, floor};
}

/// A reconciler whose store holds a's member "k" as 0x22.1, and a member of its own.
struct Side {
    Store store = store_of("b");
    Reconciler reconciler;
    std::vector<NodeId> digests;
    std::vector<NodeId> censuses;
    std::uint32_t number = 0;  ///< of the census asked for last
    std::vector<Reconciler::SendPull> pulls;
    std::vector<Record> dead;

    Side() {
        give(store, shared_bytes("a", 0x22, 1, 1, "k", "1"));
        store.write_shared(now(0), {"own", "1", false});
    }
    void poll() {
        digests.clear();
        censuses.clear();
        pulls.clear();
        while (const auto request = reconciler.poll()) {
            if (const auto* ask = std::get_if<Reconciler::AskDigest>(&*request)) {
                digests.push_back(ask->peer);
            } else if (const auto* census = std::get_if<Reconciler::AskCensus>(&*request)) {
                censuses.push_back(census->peer);
                number = census->number;
            } else {
                pulls.push_back(std::get<Reconciler::SendPull>(*request));
            }
        }
    }
    void timeout(std::int64_t ms) {
        reconciler.on_timeout(at(ms), store);
        poll();
    }
    /// A link whose first question is answered with nothing.
    void link(std::int64_t ms, const NodeId& peer) {
        reconciler.on_link_up(at(ms), peer);
        reconciler.on_digest(at(ms), peer, answer({}, 0));
        timeout(ms);
        reconciler.on_hashes(at(ms), peer, {1, 0}, {2, 0});
    }
    static Digest answer(std::vector<StreamIntervals> streams, std::uint32_t buckets = 0xffffffff) {
        Digest digest;
        digest.buckets = buckets;
        digest.streams = std::move(streams);
        return digest;
    }
    /// A digest, compared 250 ms later.
    void digest(std::int64_t ms, const NodeId& peer, std::vector<StreamIntervals> streams) {
        reconciler.on_digest(at(ms), peer, answer(std::move(streams)));
        timeout(ms + 250);
    }
    void census(std::int64_t ms, const NodeId& peer, std::uint32_t part, std::uint32_t parts,
                std::vector<CensusStream> streams) {
        reconciler.on_census(at(ms), peer, {false, part, parts, std::move(streams), number}, store,
                             dead);
        poll();
    }
    std::vector<std::uint64_t> wanted() const {
        std::vector<std::uint64_t> streams;
        for (const auto& pull : pulls) {
            for (const StreamIntervals& want : pull.pull.wants) {
                streams.push_back(want.stream.value);
            }
        }
        return streams;
    }
    void hashes(std::int64_t ms, const NodeId& peer, DigestHashes theirs) {
        reconciler.on_hashes(at(ms), peer, theirs, {7, 7});
    }
};

/// c deleted "k" by 0x32.1 and purged that.
std::vector<StreamIntervals> purged() {
    return {keyed("a", 0x22, {1, 1}),
            keyed("c", 0x32, {1, 2}, 1),
            keyed("e", 0x52, {1, 1}),
            {StreamId{0x42}, id("d"), {{1, 3}}}};
}
const CensusStream kCensusOfA{keyed("a", 0x22, {1, 1}), {}};
const CensusStream kCensusOfC{keyed("c", 0x32, {1, 2}, 1), {{2, 2}}};
const CensusStream kCensusOfE{keyed("e", 0x52, {1, 1}), {{1, 1}}};

}  // namespace

TEST_CASE_FIXTURE(Side, "reconcile: who is behind asks for a census and takes no keyed stream") {
    link(0, kPeer);
    digest(100, kPeer, purged());
    CHECK(censuses == std::vector{kPeer});
    // Streams of alerts are nobody's tombstones.
    CHECK(wanted() == std::vector<std::uint64_t>{0x42});
    census(400, kPeer, 0, 1, {kCensusOfA, kCensusOfC, kCensusOfE});
    REQUIRE(dead.size() == 1);
    CHECK(dead[0].shared->key == "k");
    CHECK(store.shared("own") != nullptr);
    // Digests are compared again at once, and now all is taken.
    reconciler.on_link_down(kOther);
    timeout(1000);
    CHECK(digests == std::vector{kPeer});
    digest(1010, kPeer, purged());
    CHECK(censuses.empty());
    CHECK(wanted() == std::vector<std::uint64_t>{0x32, 0x42, 0x52});
}

TEST_CASE_FIXTURE(Side, "reconcile: from a peer that is behind no keyed stream is taken") {
    store.write_shared(now(1), {"gone", "1", false});
    store.write_shared(now(2), {"gone", "", true});
    store.on_timeout(at(48 * 3600 * 1000));
    REQUIRE(floor_of(store, 0x12) == 3);
    link(0, kPeer);
    digest(100, kPeer, {keyed("e", 0x52, {1, 1}), {StreamId{0x42}, id("d"), {{1, 3}}}});
    CHECK(censuses.empty());
    CHECK(wanted() == std::vector<std::uint64_t>{0x42});
    reconciler.on_delta(at(400), kPeer, store);
    timeout(2000);
    digest(2000, kPeer, {keyed("e", 0x52, {1, 1}), keyed("b", 0x12, {1, 3}, 3)});
    CHECK(wanted() == std::vector<std::uint64_t>{0x52});
}

TEST_CASE_FIXTURE(Side,
                  "reconcile: buckets left out of a digest do not make the peer look behind") {
    store.write_shared(now(1), {"gone", "1", false});
    store.write_shared(now(2), {"gone", "", true});
    store.on_timeout(at(48 * 3600 * 1000));
    link(0, kPeer);
    const std::uint64_t stream = 0x5200'0000'0000'0000;
    reconciler.on_digest(
        at(100), kPeer,
        answer({keyed("e", stream, {1, 1})}, std::uint32_t{1} << digest_bucket(StreamId{stream})));
    timeout(350);
    CHECK(wanted() == std::vector<std::uint64_t>{stream});
}

TEST_CASE_FIXTURE(Side, "reconcile: one census is under way at a time, over all peers") {
    link(0, kPeer);
    link(0, kOther);
    digest(100, kPeer, purged());
    CHECK(censuses == std::vector{kPeer});
    digest(100, kOther, purged());
    digest(1000, kPeer, purged());
    CHECK(censuses.empty());
    // What was not asked for counts for nothing.
    census(1300, kOther, 0, 1, {kCensusOfA, kCensusOfC, kCensusOfE});
    CHECK(dead.empty());
    CHECK(store.shared("k") != nullptr);
    // A link that goes down makes room for the next peer.
    reconciler.on_link_down(kPeer);
    digest(1400, kOther, purged());
    CHECK(censuses == std::vector{kOther});
}

TEST_CASE_FIXTURE(Side, "reconcile: a census takes effect with its last part, in whatever order") {
    link(0, kPeer);
    digest(100, kPeer, purged());
    census(400, kPeer, 2, 3, {kCensusOfE});
    census(401, kPeer, 0, 3, {kCensusOfA});
    census(402, kPeer, 2, 3, {kCensusOfE});
    census(403, kPeer, 0, 3, {kCensusOfA});
    CHECK(dead.empty());
    CHECK(store.shared("k") != nullptr);
    CHECK(floor_of(store, 0x32) == std::nullopt);
    census(404, kPeer, 1, 3, {kCensusOfC});
    CHECK(dead.size() == 1);
    CHECK(store.shared("k") == nullptr);
    CHECK(floor_of(store, 0x32) == 1);
    CHECK(covered(store, 0x52).empty());
    census(405, kPeer, 0, 1, {{keyed("b", 0x12, {1, 1}), {}}});
    CHECK(store.shared("own") != nullptr);
}

TEST_CASE_FIXTURE(Side,
                  "reconcile: a census with a lost part is over after 5 s and leaves no trace") {
    link(0, kPeer);
    digest(100, kPeer, purged());
    // The part with the floor came, that with the dead did not.
    census(400, kPeer, 1, 2, {kCensusOfC, kCensusOfE});
    reconciler.on_hashes(at(400), kPeer, {2, 0}, {2, 0});
    reconciler.on_delta(at(400), kPeer, store);
    timeout(5399);
    CHECK(reconciler.next_deadline() == at(5400));
    timeout(5400);
    CHECK_FALSE(reconciler.next_deadline().has_value());
    CHECK(store.is_behind(purged()));
    census(5410, kPeer, 0, 2, {kCensusOfA});
    CHECK(store.shared("k") != nullptr);
    digest(5420, kPeer, purged());
    CHECK(censuses == std::vector{kPeer});
    census(5700, kPeer, 0, 2, {kCensusOfA});
    CHECK(dead.empty());
    census(5701, kPeer, 1, 2, {kCensusOfC, kCensusOfE});
    CHECK(dead.size() == 1);
}

TEST_CASE_FIXTURE(Side,
                  "reconcile: equal coverage with unequal live records for 2 s asks for a census") {
    link(0, kPeer);
    hashes(1000, kPeer, {7, 8});
    CHECK(reconciler.next_deadline() == at(3000));
    timeout(2999);
    CHECK(censuses.empty());
    // Agreement in between starts the time anew, unequal coverage as well.
    hashes(2999, kPeer, {7, 7});
    hashes(3100, kPeer, {7, 8});
    hashes(4000, kPeer, {6, 8});
    hashes(4100, kPeer, {7, 8});
    timeout(6099);
    CHECK(censuses.empty());
    timeout(6100);
    CHECK(censuses == std::vector{kPeer});
    CHECK(digests.empty());
}

TEST_CASE_FIXTURE(Side,
                  "reconcile: a census for lost records drops nothing and fetches what is lost") {
    link(0, kPeer);
    store.cover(keyed("a", 0x22, {1, 3}));
    hashes(1000, kPeer, {7, 8});
    timeout(3000);
    REQUIRE(censuses == std::vector{kPeer});
    const StreamIntervals of_a = keyed("a", 0x22, {1, 3});
    census(3010, kPeer, 0, 1, {{of_a, {{2, 3}}}});
    CHECK(dead.empty());
    CHECK(store.shared("k") != nullptr);
    // From there and nowhere else: the others may lack it as well.
    REQUIRE(pulls.size() == 1);
    CHECK(pulls[0].peer == kPeer);
    CHECK(pulls[0].pull.wants.at(0).intervals == std::vector<Interval>{{2, 3}});
}

TEST_CASE_FIXTURE(Side,
                  "reconcile: what only a peer behind our floors has alive was not lost here") {
    link(0, kPeer);
    link(0, kOther);
    hashes(1000, kPeer, {7, 8});
    digest(1000, kOther, purged());
    REQUIRE(censuses == std::vector{kOther});
    census(1300, kOther, 0, 1, {kCensusOfA, kCensusOfC, kCensusOfE});
    REQUIRE(dead.size() == 1);
    // The peer was level by the last it told, and still holds what is dead here by now.
    timeout(3000);
    REQUIRE(censuses == std::vector{kPeer});
    census(3010, kPeer, 0, 1, {{keyed("a", 0x22, {1, 1}), {{1, 1}}}});
    CHECK(pulls.empty());
    CHECK(store.counts().found_lost == 0);
    CHECK(store.covers(StreamId{0x22}, 1));
}

TEST_CASE_FIXTURE(Side,
                  "reconcile: a census for lost records whose floors are ahead says what is dead") {
    link(0, kPeer);
    hashes(1000, kPeer, {7, 8});
    timeout(3000);
    REQUIRE(censuses == std::vector{kPeer});
    census(3010, kPeer, 0, 1, {kCensusOfA, kCensusOfC, kCensusOfE});
    CHECK(dead.size() == 1);
    CHECK(floor_of(store, 0x32) == 1);
}

TEST_CASE_FIXTURE(Side, "reconcile: for lost records one peer is asked ever more rarely") {
    link(0, kPeer);
    hashes(1000, kPeer, {7, 8});
    timeout(3000);
    REQUIRE(censuses.size() == 1);
    census(3010, kPeer, 0, 1, {});
    timeout(3010);
    CHECK(censuses.empty());
    hashes(4000, kPeer, {7, 8});
    timeout(7999);
    CHECK(censuses.empty());
    timeout(8000);
    CHECK(censuses.size() == 1);
    census(8010, kPeer, 0, 1, {});
    timeout(17'999);
    CHECK(censuses.empty());
    timeout(18'000);
    CHECK(censuses.size() == 1);
}

TEST_CASE("reconcile: what is on its way from one that was level is not taken once floors came") {
    for (const bool is_empty : {true, false}) {
        Store store = store_of("b");
        Store stale = store_of("q");
        give(stale, shared_bytes("a", 0x22, 1, 1, "k", "1"));
        if (!is_empty) {
            store.write_shared(now(0), {"own", "1", false});
        }
        Reconciler reconciler;
        std::vector<Reconciler::SendPull> pulls;
        std::uint32_t number = 0;
        const auto poll = [&] {
            while (const auto request = reconciler.poll()) {
                if (const auto* pull = std::get_if<Reconciler::SendPull>(&*request)) {
                    pulls.push_back(*pull);
                } else if (const auto* census = std::get_if<Reconciler::AskCensus>(&*request)) {
                    number = census->number;
                }
            }
        };
        const auto meet = [&](std::int64_t ms, const NodeId& peer,
                              std::vector<StreamIntervals> streams) {
            reconciler.on_link_up(at(ms), peer);
            reconciler.on_digest(at(ms), peer, Side::answer(std::move(streams)));
            reconciler.on_timeout(at(ms), store);
            poll();
        };
        meet(0, kOther, stale.digest());
        REQUIRE(pulls.size() == 1);
        CHECK(reconciler.takes_keyed(at(0), kOther));
        // "k" is dead by a tombstone that was purged.
        meet(10, kPeer, purged());
        std::vector<Record> dead;
        if (number != 0) {
            reconciler.on_census(at(20), kPeer,
                                 {false, 0, 1, {kCensusOfA, kCensusOfC, kCensusOfE}, number}, store,
                                 dead);
        }
        CHECK(reconciler.takes_keyed(at(20), kPeer));
        CHECK_FALSE(reconciler.takes_keyed(at(20), kOther));
        for (const Delta& delta : stale.deltas(at(20), pulls[0].pull, 8)) {
            store.apply_delta(
                at(20), delta, [](const DeltaRecord&, const ApplyResult&, RecordKind) {},
                reconciler.takes_keyed(at(20), kOther));
        }
        CHECK(store.shared("k") == nullptr);
        CHECK(reconciler.takes_keyed(at(20) + Reconciler::kStaleAnswerTime, kOther));
    }
}
