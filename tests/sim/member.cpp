// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/member.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "proto/base/assert.h"
#include "proto/store/record.h"
#include "proto/wire/limits.h"
#include "proto/wire/message.h"

namespace meshd::sim {
namespace {

/// About that of the simulator's boxes, as a hybrid time.
constexpr std::uint64_t kNowClock = std::uint64_t{1'700'000'000'000} << 16;
constexpr std::size_t kFragmentBytes = 1000;

RecordHeader header_of(RecordKind kind, const NodeId& author, StreamId stream,
                       std::uint64_t counter, HybridTime clock) {
    RecordHeader header;
    header.kind = kind;
    header.author = author;
    header.stream = stream;
    header.counter = counter;
    header.clock = clock;
    return header;
}

EncodedMessage push_of(RecordKind kind, const Buffer& record, const NodeId& by,
                       std::uint64_t covers_after = 0) {
    Push push;
    push.kind = kind;
    push.record = record;
    push.covers_after = covers_after;
    push.provenance.path = {by.short_id()};
    return encode_message(push);
}

}  // namespace

NodeId Member::somebody() {
    return mesh_[prng_->below(mesh_.size())];
}

std::vector<EncodedMessage> Member::items() {
    switch (malice_) {
        case Malice::NestedJson:
            return nested();
        case Malice::Leaps:
            return leaps();
        case Malice::Topologies:
            return topology();
        case Malice::Lies:
            return lies();
        case Malice::Hoard:
            return hoard();
        case Malice::All:
            break;
    }
    switch (prng_->below(5)) {
        case 0:
            return nested();
        case 1:
            return leaps();
        case 2:
            return topology();
        case 3:
            return lies();
        default:
            return hoard();
    }
}

/// Six parts of one message in turn: its number is far from those that the box itself gives.
std::vector<EncodedMessage> Member::nested() {
    const std::string opening = number_ % 2 == 0 ? "[" : "{\"a\":";
    std::string text;
    while (text.size() < limits::kPayloadBytesMax) {
        text += opening;
    }
    Buffer whole;
    append_big_endian<3>(whole, text.size());
    append(whole, text);
    const auto count = static_cast<std::uint16_t>(whole.size() / kFragmentBytes + 1);
    std::vector<EncodedMessage> items;
    for (int i = 0; i < 6; ++i) {
        Fragment fragment;
        fragment.index = static_cast<std::uint16_t>(number_ % count);
        fragment.message = 0x80000000U + static_cast<std::uint32_t>(number_ / count);
        fragment.count = count;
        fragment.kind = MessageKind::StateSync;
        const std::size_t from = fragment.index * kFragmentBytes;
        fragment.bytes = Bytes(whole).subspan(from, std::min(kFragmentBytes, whole.size() - from));
        items.push_back(encode_message(fragment));
        ++number_;
    }
    return items;
}

std::vector<EncodedMessage> Member::leaps() {
    std::vector<EncodedMessage> items;
    for (const HybridTime clock : {HybridTime{0}, HybridTime{1}, kHybridTimeMax}) {
        ++number_;
        const NodeId author = prng_->below(2) == 0 ? self_ : somebody();
        const std::uint64_t stream = prng_->next() | 1;
        const std::uint64_t counter = limits::kCounterMax - number_;
        items.push_back(push_of(RecordKind::State,
                                encode_state_record(header_of(RecordKind::State, author,
                                                              StreamId{stream}, counter, clock),
                                                    {Activity::Idle, R"({"forged":true})"}),
                                self_));
        items.push_back(
            push_of(RecordKind::Shared,
                    encode_shared_record(
                        header_of(RecordKind::Shared, author, StreamId{stream ^ 2}, counter, clock),
                        {"key", std::to_string(number_), false}),
                    self_));
        NodeData data;
        data.instance = InstanceId{stream};
        data.start = StartId{stream};
        data.version = std::to_string(prng_->next());
        data.volatile_stream = StreamId{stream ^ 4};
        data.durable_stream = StreamId{stream ^ 8};
        items.push_back(push_of(
            RecordKind::Node,
            encode_node_record(
                header_of(RecordKind::Node, self_, data.volatile_stream, counter, clock), data),
            self_));
    }
    Heartbeat beat;
    beat.seq = static_cast<std::uint32_t>(prng_->next());
    beat.wall_ms = prng_->below(2) == 0 ? -1 : 9007199254740991;
    items.push_back(encode_message(beat));
    return items;
}

std::vector<EncodedMessage> Member::topology() {
    std::vector<EncodedMessage> items;
    for (int i = 0; i < 2; ++i) {
        ++number_;
        NodeData data;
        data.instance = InstanceId{number_ + 1000};
        data.start = StartId{number_ + 1000};
        data.version = "x";
        data.volatile_stream = StreamId{(number_ << 32) | 1};
        data.durable_stream = StreamId{(number_ << 32) | 2};
        std::set<NodeId> peers(mesh_.begin(), mesh_.end());
        while (peers.size() < limits::kLinksMax) {
            peers.insert(*NodeId::parse("ghost-" + std::to_string(prng_->below(5000))));
        }
        for (const NodeId& peer : peers) {
            data.links.push_back({peer, 0});
        }
        const NodeId ghost = *NodeId::parse("ghost-" + std::to_string(number_));
        items.push_back(push_of(
            RecordKind::Node,
            encode_node_record(
                header_of(RecordKind::Node, ghost, data.volatile_stream, 1, HybridTime{kNowClock}),
                data),
            self_));
    }
    return items;
}

std::vector<EncodedMessage> Member::lies() {
    Heartbeat beat;
    beat.seq = static_cast<std::uint32_t>(prng_->next());
    beat.hashes = DigestHashes{prng_->next(), prng_->next()};
    Digest digest;
    digest.buckets = 0xffffffff;
    Announce announce;
    Census census;
    census.parts = 1;
    for (int i = 0; i < 10; ++i) {
        StreamIntervals nothing{
            StreamId{prng_->next() | 1}, somebody(), {{1, 1 + prng_->below(limits::kCounterMax)}}};
        announce.streams.push_back(nothing);
        nothing.floor =
            prng_->below(2) == 0 ? std::optional(nothing.intervals.front().last) : std::nullopt;
        digest.streams.push_back(nothing);
    }
    return {encode_message(beat), encode_message(digest), encode_message(announce),
            encode_message(census)};
}

std::vector<EncodedMessage> Member::hoard() {
    std::vector<EncodedMessage> items;
    const StreamId stream{0x4000000000000000 | prng_->below(4)};
    for (int i = 0; i < 4; ++i) {
        ++number_;
        const HybridTime clock{kNowClock + number_};
        AlertData alert;
        alert.priority = number_ % 2 == 0 ? Priority::Critical : Priority::Normal;
        alert.alert = "{\"hoard\":" + std::to_string(number_) + "}";
        items.push_back(
            push_of(RecordKind::Alert,
                    encode_alert_record(
                        header_of(RecordKind::Alert, self_, stream, 3 * number_, clock), alert),
                    self_));
        RegistryData entry;
        entry.hash = "hoard-" + std::to_string(number_);
        entry.owner = self_;
        entry.type = "hoard";
        items.push_back(push_of(
            RecordKind::Registry,
            encode_registry_record(
                header_of(RecordKind::Registry, self_, stream, 3 * number_ + 1, clock), entry, {}),
            self_, 3 * number_));
        items.push_back(push_of(
            RecordKind::Shared,
            encode_shared_record(
                header_of(RecordKind::Shared, self_, stream, 3 * number_ + 2, clock),
                {"hoard-" + std::to_string(number_), '"' + std::string(500, 'x') + '"', false}),
            self_, 3 * number_ + 1));
    }
    return items;
}

}  // namespace meshd::sim
