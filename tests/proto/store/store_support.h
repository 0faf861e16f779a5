// SPDX-License-Identifier: Apache-2.0
/// \file
/// Stores, records and instants with short names.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/hash.h"
#include "proto/store/store.h"
#include "proto/store/stream_table.h"
#include "proto/wire/codec.h"

namespace meshd::test {

inline NodeId id(std::string_view name) {
    return NodeId::parse(name).value();
}

/// Monotonic time and wall clock run together, the wall clock from 2023 on.
inline constexpr std::int64_t kWallStart = 1'700'000'000'000;
inline TimePoint at(std::int64_t ms) {
    return TimePoint(std::chrono::milliseconds(ms));
}
inline Now now(std::int64_t ms, std::int64_t skew_ms = 0) {
    return {at(ms), WallTime{kWallStart + ms + skew_ms}};
}

/// Newest first.
inline std::vector<const HeldRecord*> alerts_of(const Store& store) {
    std::vector<const HeldRecord*> alerts;
    store.newest_alerts(nullptr, [&](const HeldRecord& alert) {
        alerts.push_back(&alert);
        return true;
    });
    return alerts;
}

inline Store store_of(std::string_view name, std::uint64_t volatile_stream = 0x11,
                      std::uint64_t durable_stream = 0x12) {
    return Store({id(name), StreamId{volatile_stream}, StreamId{durable_stream}});
}

inline RecordHeader header_of(RecordKind kind, std::string_view author, std::uint64_t stream,
                              std::uint64_t counter, std::uint64_t clock) {
    return {kind, id(author), StreamId{stream}, counter, HybridTime{clock}};
}

inline NodeData node_data(std::uint64_t volatile_stream = 0x11,
                          std::uint64_t durable_stream = 0x12) {
    NodeData data;
    data.instance = InstanceId{0xa1};
    data.start = StartId{0xb1};
    data.version = "0.1.0";
    data.volatile_stream = StreamId{volatile_stream};
    data.durable_stream = StreamId{durable_stream};
    return data;
}

/// Records of an author whose durable stream is one above its volatile one.
inline Buffer node_bytes(std::string_view author, std::uint64_t stream, std::uint64_t counter,
                         std::uint64_t clock, std::uint64_t floor = 0,
                         std::uint64_t critical_floor = 0) {
    NodeData data = node_data(stream, stream + 1);
    data.alert_floor = floor;
    data.critical_floor = critical_floor;
    return encode_node_record(header_of(RecordKind::Node, author, stream, counter, clock), data);
}
inline Buffer state_bytes(std::string_view author, std::uint64_t stream, std::uint64_t counter,
                          std::uint64_t clock, std::string document = "{}") {
    return encode_state_record(header_of(RecordKind::State, author, stream, counter, clock),
                               {Activity::Active, std::move(document)});
}
inline Buffer alert_bytes(std::string_view author, std::uint64_t stream, std::uint64_t counter,
                          std::uint64_t clock, Priority priority = Priority::Normal,
                          std::string alert = "{}") {
    return encode_alert_record(header_of(RecordKind::Alert, author, stream, counter, clock),
                               {priority, kWallStart, std::move(alert)});
}
/// A record of a kind that comes by JSON text only.
inline Buffer record_of(std::string_view json, std::string_view body = "") {
    Buffer bytes;
    append_big_endian<3>(bytes, json.size());
    append(bytes, json);
    append(bytes, body);
    return bytes;
}
inline Buffer other_bytes(std::string_view kind, std::string_view author, std::uint64_t stream,
                          std::uint64_t counter, std::size_t body_bytes = 0) {
    return record_of("{\"kind\":\"" + std::string(kind) + "\",\"node\":\"" + std::string(author) +
                         "\",\"stream\":\"" + print_hex(stream) +
                         "\",\"counter\":" + std::to_string(counter) + ",\"clock\":\"" +
                         print_hex(counter) + "\",\"data\":{}}",
                     std::string(body_bytes, 'x'));
}

inline Buffer bytes_of(const HeldRecord& held) {
    const Bytes bytes = held.record.bytes;
    return {bytes.begin(), bytes.end()};
}
/// The record as it is now: the store changes or frees its own.
inline Record copy_of(const HeldRecord& held) {
    return decode_record(held.record.bytes).value();
}

/// Applies a record that covers its own counter only.
inline Applied give(Store& store, const Buffer& record, std::int64_t ms = 0,
                    const Provenance& provenance = {}) {
    return store.apply(at(ms), record, decode_record(record).value().header.counter - 1, provenance)
        .outcome;
}

inline std::vector<Interval> covered(const Store& store, std::uint64_t stream) {
    for (const StreamIntervals& held : store.digest()) {
        if (held.stream == StreamId{stream}) {
            return held.intervals;
        }
    }
    return {};
}

/// The hashes as PROTOCOL.md defines them, computed from nothing but what the store shows.
inline DigestHashes hashes_from_scratch(const Store& store, const std::vector<NodeId>& authors) {
    DigestHashes hashes;
    for (const StreamIntervals& stream : store.digest()) {
        IntervalSet set;
        for (const Interval& interval : stream.intervals) {
            set.insert(interval);
        }
        hashes.coverage ^= coverage_hash(stream.stream, stream.author, set);
    }
    for (const NodeId& author : authors) {
        for (const HeldRecord* held : {store.node_record(author), store.state_record(author)}) {
            hashes.live ^= held == nullptr ? 0 : checksum64(held->record.bytes);
        }
    }
    return hashes;
}

/// Pulls all that `from` has and `to` lacks, in as many rounds as it takes, over encoded messages.
/// Returns the number of records that were new.
inline std::size_t pull_all(Store& to, const Store& from, std::int64_t ms) {
    std::size_t fresh = 0;
    for (int round = 0; round < 100; ++round) {
        to.check_own_streams(from.digest());
        const Pull pull{to.missing(from.digest())};
        const auto deltas = from.deltas(at(ms), pull, 7);
        for (const Delta& delta : deltas) {
            const EncodedMessage message = encode_message(Message(delta));
            const auto decoded = decode_message(MessageKind::Delta, message.bytes);
            to.apply_delta(at(ms), std::get<Delta>(decoded.value()),
                           [&](const DeltaRecord&, const ApplyResult& result, RecordKind) {
                               fresh += result.outcome == Applied::New ? 1 : 0;
                           });
        }
        if (pull.wants.empty() || deltas.empty()) {
            break;
        }
    }
    return fresh;
}

}  // namespace meshd::test
