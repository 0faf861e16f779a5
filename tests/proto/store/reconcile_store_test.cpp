// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/proto/store/keyed_support.h"
#include "tests/proto/store/store_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

std::vector<StreamIntervals> want(std::string_view author, std::uint64_t stream,
                                  std::vector<Interval> intervals) {
    return {{StreamId{stream}, id(author), std::move(intervals)}};
}

/// Counters of the records of a delta.
std::vector<std::uint64_t> counters(const Delta& delta) {
    std::vector<std::uint64_t> counters;
    for (const DeltaRecord& record : delta.records) {
        counters.push_back(decode_record(record.record).value().header.counter);
    }
    return counters;
}

void ignore(const DeltaRecord&, const ApplyResult&, RecordKind) {}

}  // namespace

TEST_CASE("digest: the coverage hash of one stream is this number") {
    IntervalSet set;
    set.insert({1, 3});
    set.insert({7, 7});
    Buffer bytes;
    append_big_endian<8>(bytes, 0x22);
    append_big_endian<1>(bytes, 5);
    append(bytes, "cam-1");
    for (const std::uint64_t number : {1U, 3U, 7U, 7U}) {
        append_big_endian<8>(bytes, number);
    }
    CHECK(coverage_hash(StreamId{0x22}, id("cam-1"), set) == hash64(bytes));
    CHECK(print_hex(coverage_hash(StreamId{0x22}, id("cam-1"), set)) == "66c9456b5c10756f");
}

TEST_CASE("digest: equal stores have equal hashes, whatever order filled them") {
    Store one = store_of("x", 0x91, 0x92);
    Store two = store_of("y", 0x93, 0x94);
    const std::vector<Buffer> records = {node_bytes("a", 0x21, 1, 1), state_bytes("a", 0x21, 2, 2),
                                         alert_bytes("a", 0x22, 1, 3), node_bytes("c", 0x31, 1, 1),
                                         alert_bytes("c", 0x32, 1, 3)};
    for (const Buffer& record : records) {
        give(one, record);
    }
    for (auto record = records.rbegin(); record != records.rend(); ++record) {
        give(two, *record);
    }
    CHECK(one.digest().size() == 4);
    CHECK(one.hashes() == two.hashes());
    CHECK(one.hashes().live != 0);
    give(two, alert_bytes("c", 0x32, 2, 4));
    CHECK(one.hashes().coverage != two.hashes().coverage);
    CHECK(one.hashes().live == two.hashes().live);
}

TEST_CASE("digest: buckets that are equal are left out, and it says which ones it lists") {
    constexpr std::uint64_t kLow = 0x0800'0000'0000'0022;   // bucket 1
    constexpr std::uint64_t kHigh = 0xf800'0000'0000'0032;  // bucket 31
    Store one = store_of("x", 0x91, 0x92);
    Store two = store_of("y", 0x93, 0x94);
    for (Store* store : {&one, &two}) {
        give(*store, alert_bytes("a", kLow, 1, 1));
        give(*store, alert_bytes("c", kHigh, 1, 1));
    }
    CHECK(one.digest(two.bucket_hashes()).first == 0);
    CHECK(one.digest(two.bucket_hashes()).second.empty());
    give(one, alert_bytes("c", kHigh, 2, 2));
    const auto [buckets, streams] = one.digest(two.bucket_hashes());
    CHECK(buckets == std::uint32_t{1} << 31);
    REQUIRE(streams.size() == 1);
    CHECK(streams[0].stream == StreamId{kHigh});
    CHECK(one.digest(std::nullopt).first == 0xffffffff);
    CHECK(one.digest(std::nullopt).second.size() == 2);
    std::uint64_t all = 0;
    for (const std::uint64_t hash : one.bucket_hashes()) {
        all ^= hash;
    }
    CHECK(all == one.hashes().coverage);
    CHECK(one.bucket_hashes()[1] == two.bucket_hashes()[1]);
}

TEST_CASE("missing: what they cover and we lack, own current streams left out") {
    Store store = store_of("a");
    give(store, alert_bytes("c", 0x32, 2, 2));
    std::vector<StreamIntervals> theirs = want("c", 0x32, {{1, 4}});
    theirs.push_back({StreamId{0x11}, id("a"), {{1, 5}}});
    theirs.push_back({StreamId{0x71}, id("a"), {{1, 5}}});
    const auto missing = store.missing(theirs);
    REQUIRE(missing.size() == 2);
    CHECK(missing[0].intervals == std::vector<Interval>{{1, 1}, {3, 4}});
    CHECK(missing[1].stream.value == 0x71);
}

TEST_CASE("missing: what scattered digests lack still fits a message") {
    Store store = store_of("b");
    std::vector<Interval> even;
    for (std::uint64_t i = 1; i <= 4 * limits::kIntervalsMax; ++i) {
        even.push_back({10 * i, 10 * i + 8});
    }
    for (std::uint64_t i = 1; i <= 4 * limits::kIntervalsMax; ++i) {
        give(store, alert_bytes("a", 0x22, 10 * i + 4, i));
    }
    const auto missing = store.missing(want("a", 0x22, even));
    REQUIRE(missing.size() == 1);
    CHECK(missing[0].intervals.size() == limits::kMessageIntervalsMax);
    store.cover({StreamId{0x22}, id("a"), even});
    std::vector<Interval> odd;
    for (std::uint64_t i = 1; i <= limits::kMessageIntervalsMax; ++i) {
        odd.push_back({1000 + 3 * i, 1001 + 3 * i});
    }
    for (const Delta& delta : store.deltas(at(0), Pull{want("a", 0x22, odd)}, 100)) {
        CHECK(decode_message(MessageKind::Delta, encode_message(Message(delta)).bytes).has_value());
    }
}

TEST_CASE("delta: holds the live records asked for, with age, path and report time of now") {
    Store store = store_of("b");
    const std::vector<std::uint32_t> path = {id("a").short_id(), 7};
    give(store, alert_bytes("a", 0x22, 5, 5), 100, {20, path, 900});
    const auto deltas = store.deltas(at(600), Pull{want("a", 0x22, {{1, 9}})}, 7);
    REQUIRE(deltas.size() == 1);
    CHECK(deltas[0].covers[0].intervals == std::vector<Interval>{{5, 5}});
    REQUIRE(deltas[0].records.size() == 1);
    CHECK(deltas[0].records[0].provenance.age_ms == 520);
    CHECK(deltas[0].records[0].provenance.path == path);
    CHECK(deltas[0].records[0].provenance.report_ms == 400);
}

TEST_CASE(
    "delta: nothing where the stream is not held, is another's, or nothing asked is covered") {
    Store store = store_of("b");
    give(store, alert_bytes("a", 0x22, 5, 5));
    CHECK(store.deltas(at(0), Pull{want("a", 0x29, {{1, 9}})}, 7).empty());
    CHECK(store.deltas(at(0), Pull{want("c", 0x22, {{1, 9}})}, 7).empty());
    CHECK(store.deltas(at(0), Pull{want("a", 0x22, {{6, 9}})}, 7).empty());
    CHECK(store.deltas(at(0), Pull{want("a", 0x22, {{1, 9}})}, 0).empty());
}

TEST_CASE("delta: each covers its own records and the dead counters beside them") {
    Store store = store_of("b");
    give(store, node_bytes("a", 0x21, 1, 1));
    const std::string big = R"({"a":")" + std::string(20'000, 'x') + R"("})";
    for (std::uint64_t i = 1; i <= 12; ++i) {
        give(store, alert_bytes("a", 0x22, i, i, Priority::Low, big));
    }
    store.cover({StreamId{0x22}, id("a"), {{13, 20}}});
    give(store, node_bytes("a", 0x21, 2, 2, 3, 0));  // 1 and 2 are dead
    const auto deltas = store.deltas(at(0), Pull{want("a", 0x22, {{1, 20}})}, 7);
    REQUIRE(deltas.size() == 4);
    CHECK(counters(deltas[0]) == std::vector<std::uint64_t>{3, 4, 5});
    CHECK(deltas[0].covers[0].intervals == std::vector<Interval>{{1, 5}});
    CHECK(counters(deltas[3]) == std::vector<std::uint64_t>{12});
    CHECK(deltas[3].covers[0].intervals == std::vector<Interval>{{12, 20}});
    for (const Delta& delta : deltas) {
        CHECK(encode_message(Message(delta)).bytes.size() <= limits::kMessageBytesMax);
    }
    CHECK(store.deltas(at(0), Pull{want("a", 0x22, {{1, 20}})}, 2).size() == 2);
    // Any of them alone, in any order, twice.
    Store other = store_of("c", 0x31, 0x32);
    for (const std::size_t i : {2U, 0U, 2U}) {
        other.apply_delta(at(0), deltas[i], ignore);
    }
    CHECK(covered(other, 0x22) == std::vector<Interval>{{1, 5}, {9, 11}});
    CHECK(other.alert_count() == 6);
    pull_all(other, store, 0);
    CHECK(other.hashes() == store.hashes());
}

TEST_CASE("delta: whatever is asked for, and however scattered, each fits a message") {
    const std::string author(63, 'a');
    const Provenance far{limits::kCounterMax, std::vector<std::uint32_t>(limits::kHopsMax - 1, ~0U),
                         ~0U};
    // Longest records, as only hostile ones are: the payload is of full size, and more beside it.
    const auto longest = [&](std::string_view kind, std::uint64_t stream, std::string data) {
        std::string json = R"({"kind":")" + std::string(kind) + R"(","node":")" + author +
                           R"(","stream":")" + print_hex(stream) +
                           R"(","counter":9007199254740001,"clock":"0000000000000001","data":{)" +
                           data + R"(},"pad":")";
        json += std::string(kRecordBytesMax - 3 - json.size() - 2, 'x') + R"("})";
        return record_of(json);
    };
    Store store = store_of("b");
    const std::uint64_t after = 9'000'000'000'000'000;
    REQUIRE(store
                .apply(at(0), longest("alert", 0x22, R"("priority":3,"timestamp":0,"alert":{})"),
                       after, {0, far.path, ~0U})
                .outcome == Applied::New);
    REQUIRE(
        store.apply(at(0), longest("state", 0x21, R"("activity":"IDLE","document":{})"), after, far)
            .outcome == Applied::New);
    std::vector<Interval> scattered;
    for (std::uint64_t i = 1; i < limits::kMessageIntervalsMax; ++i) {
        scattered.push_back({after + 3 * i, after + 3 * i + 1});
    }
    scattered.push_back({after + 10'000'000'000, limits::kCounterMax});
    for (const std::uint64_t stream : {0x21U, 0x22U}) {
        Pull pull{want(author, stream, scattered)};
        std::vector<std::uint64_t> sent;
        for (int round = 0; round < 3; ++round) {
            for (Delta& delta : store.deltas(at(0), pull, 7)) {
                for (DeltaRecord& record : delta.records) {
                    record.provenance.path.push_back(~0U);
                }
                CHECK(encode_message(Message(delta)).bytes.size() <= limits::kMessageBytesMax);
                for (const std::uint64_t counter : counters(delta)) {
                    sent.push_back(counter);
                }
                for (const Interval& interval : delta.covers.at(0).intervals) {
                    IntervalSet covered;
                    covered.insert(interval);
                    pull.wants[0].intervals = covered.missing_from(pull.wants[0].intervals);
                }
            }
        }
        CHECK(sent == std::vector<std::uint64_t>{9'007'199'254'740'001});
        // What nobody has stays lacking.
        CHECK(pull.wants[0].intervals ==
              std::vector<Interval>{{9'007'199'254'740'002, limits::kCounterMax}});
    }
}

TEST_CASE("delta: many small records are cut by their number") {
    Store store = store_of("b");
    for (std::uint64_t i = 1; i <= limits::kDeltaRecordsMax + 10; ++i) {
        give(store, alert_bytes("a", 0x22, i, i));
    }
    const auto deltas =
        store.deltas(at(0), Pull{want("a", 0x22, {{1, limits::kDeltaRecordsMax + 10}})}, 7);
    std::size_t records = 0;
    for (const Delta& delta : deltas) {
        records += delta.records.size();
        CHECK(delta.records.size() <= limits::kDeltaRecordsMax);
    }
    CHECK(deltas.size() >= 2);
    CHECK(records == limits::kDeltaRecordsMax + 10);
}

TEST_CASE("delta: dead counters of a volatile stream come with the records that made them dead") {
    Store store = store_of("b");
    give(store, node_bytes("a", 0x21, 1, 1));
    give(store, state_bytes("a", 0x21, 2, 2));
    give(store, state_bytes("a", 0x21, 3, 3));
    give(store, node_bytes("a", 0x21, 4, 4));
    auto deltas = store.deltas(at(0), Pull{want("a", 0x21, {{1, 4}})}, 7);
    REQUIRE(deltas.size() == 1);
    CHECK(counters(deltas[0]) == std::vector<std::uint64_t>{3, 4});
    CHECK(deltas[0].covers[0].intervals == std::vector<Interval>{{1, 4}});
    // Too much for one message: then first the records, each for itself.
    give(store,
         state_bytes("a", 0x21, 5, 5,
                     R"({"a":")" + std::string(limits::kPayloadBytesMax - 8, 'x') + R"("})"));
    deltas = store.deltas(at(0), Pull{want("a", 0x21, {{1, 5}})}, 7);
    REQUIRE(deltas.size() == 2);
    CHECK(deltas[0].covers[0].intervals == std::vector<Interval>{{4, 4}});
    CHECK(deltas[1].covers[0].intervals == std::vector<Interval>{{5, 5}});
    CHECK(encode_message(Message(deltas[1])).bytes.size() <= limits::kMessageBytesMax);
    Store other = store_of("c", 0x31, 0x32);
    pull_all(other, store, 0);
    CHECK(covered(other, 0x21) == std::vector<Interval>{{1, 5}});
    CHECK(other.hashes() == store.hashes());
}

TEST_CASE("delta: a start's state is not lost where it comes before its node record") {
    Store store = store_of("b");
    give(store, node_bytes("a", 0x21, 1, 200));
    // The clock was set back for the state, and forward again for the node record.
    const Buffer state = state_bytes("a", 0x31, 2, 101);
    const Buffer node = node_bytes("a", 0x31, 3, 300);
    Delta delta{want("a", 0x31, {{1, 3}}), {{state, {}}, {node, {}}}};
    store.apply_delta(at(0), delta, ignore);
    CHECK(covered(store, 0x31) == std::vector<Interval>{{1, 3}});
    CHECK(store.state_record(id("a")) != nullptr);
}

TEST_CASE("delta: counters of refused and malformed records are not covered") {
    Store store = store_of("b");
    give(store, alert_bytes("a", 0x22, 1, 1));
    const Buffer good = alert_bytes("a", 0x22, 2, 2);
    const Buffer mixed = node_bytes("a", 0x22, 3, 2);  // its stream carries alerts
    Delta delta{want("a", 0x22, {{2, 5}}), {{good, {}}, {mixed, {}}}};
    // Node records go first.
    std::vector<Applied> outcomes;
    std::vector<RecordKind> kinds;
    store.apply_delta(at(0), delta,
                      [&](const DeltaRecord&, const ApplyResult& result, RecordKind kind) {
                          outcomes.push_back(result.outcome);
                          kinds.push_back(kind);
                      });
    CHECK(outcomes == std::vector{Applied::Refused, Applied::New});
    CHECK(kinds == std::vector{RecordKind::Node, RecordKind::Alert});
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, 2}, {4, 5}});
    const Buffer broken = {0, 0, 1, 'x'};
    delta = {want("a", 0x22, {{6, 9}}), {{broken, {}}}};
    store.apply_delta(at(0), delta, ignore);
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, 2}, {4, 5}});
    CHECK(store.counts().malformed == 1);
}

TEST_CASE("delta: counters of refused records are not covered, however many and scattered") {
    Store store({id("b"), StreamId{0x21}, StreamId{0x22}, std::chrono::hours(24), 0, 1});
    std::vector<Buffer> records;
    for (std::uint64_t counter = 2; counter <= 200; counter += 2) {
        records.push_back(
            shared_bytes("a", 0x32, counter, counter, "k" + std::to_string(counter), "1"));
    }
    Delta delta{{{StreamId{0x32}, id("a"), {{1, 200}}, 0}}, {}};
    for (const Buffer& record : records) {
        delta.records.push_back({record, {}});
    }
    store.apply_delta(at(0), delta, [](const DeltaRecord&, const ApplyResult&, RecordKind) {});

    REQUIRE(store.counts().no_room == 100);
    for (std::uint64_t counter = 2; counter <= 200; counter += 2) {
        CHECK_FALSE(store.covers(StreamId{0x32}, counter));
    }
}

TEST_CASE("cover: streams that were never held stay unknown") {
    Store store = store_of("b");
    store.cover({StreamId{0x22}, id("a"), {{1, 9}}});
    CHECK(store.missing(want("a", 0x22, {{1, 9}})).size() == 1);
    CHECK(give(store, alert_bytes("a", 0x22, 1, 1)) == Applied::New);
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, 1}});
}

TEST_CASE(
    "forget: node and state leave, alerts stay, and a peer that forgets later changes nothing") {
    Store store = store_of("b");
    Store peer = store_of("c", 0x31, 0x32);
    for (Store* each : {&store, &peer}) {
        give(*each, node_bytes("a", 0x21, 1, 1));
        give(*each, state_bytes("a", 0x21, 2, 2));
        give(*each, alert_bytes("a", 0x22, 1, 3));
    }
    store.forget(at(0), id("a"));
    CHECK(store.node_record(id("a")) == nullptr);
    CHECK(store.state_record(id("a")) == nullptr);
    CHECK(store.nodes().empty());
    CHECK(store.alert_count() == 1);
    CHECK(store.hashes() == hashes_from_scratch(store, {id("a")}));
    CHECK(store.missing(peer.digest()).empty());
    CHECK(give(store, node_bytes("a", 0x21, 1, 1)) == Applied::Stale);
    peer.forget(at(500), id("a"));
    CHECK(peer.hashes() == store.hashes());
    store.forget(at(0), id("nobody"));
}

TEST_CASE("forget: a node that writes again is back at once, with all it has") {
    Store store = store_of("b");
    Store author = store_of("a", 0x21, 0x22);
    author.write_node(now(0), node_data());
    author.write_state(now(0), {});
    pull_all(store, author, 0);
    store.forget(at(10), id("a"));
    const Buffer node = bytes_of(author.write_node(now(20), node_data()));
    CHECK(give(store, node) == Applied::New);
    CHECK(store.missing(author.digest()).size() == 1);
    pull_all(store, author, 20);
    CHECK(store.hashes() == author.hashes());
    CHECK(store.state_record(id("a")) != nullptr);
}

TEST_CASE("forget: after an hour the streams are unknown again") {
    Store store = store_of("b");
    give(store, node_bytes("a", 0x21, 1, 1));
    store.forget(at(0), id("a"));
    const auto end = at(0) + Store::kGraveTime;
    CHECK(store.next_deadline() == end);
    store.on_timeout(end - Duration(1));
    CHECK(store.missing(want("a", 0x21, {{1, 1}})).empty());
    store.on_timeout(end);
    CHECK(store.missing(want("a", 0x21, {{1, 1}})).size() == 1);
    CHECK_FALSE(store.next_deadline().has_value());
}

TEST_CASE("forget: a store does not forget itself") {
    Store store = store_of("a");
    store.write_node(now(0), node_data());
    store.forget(at(0), id("a"));
    CHECK(store.node_record(id("a")) != nullptr);
}
