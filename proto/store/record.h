// SPDX-License-Identifier: Apache-2.0
/// \file
/// A record: the byte string its author wrote, kept and passed on verbatim (PROTOCOL.md,
/// "Records"). Layout: u24 JSON length, compact JSON
/// {"kind","node","stream","counter","clock","data"}, optional binary body.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/endpoint.h"
#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/store/hybrid_clock.h"
#include "proto/wire/limits.h"
#include "proto/wire/message_kind.h"

namespace meshd {

/// A record whose kind's name this build does not know; it has no number, so that it passes by
/// deltas only, never by push.
inline constexpr RecordKind kOtherKind{};

/// One record: a payload of full size, and 6 KiB for the other members. It leaves 2 KiB of a
/// message for the wrapper.
inline constexpr std::size_t kRecordBytesMax = 70 * 1024;
/// A node record: 64 links of 70 bytes (the longest name, class, brackets and commas), 8 addresses
/// of 50, 700 for the other members at their longest, and 2.5 KiB for those of later versions.
inline constexpr std::size_t kNodeRecordBytesMax = 8 * 1024;
/// The payload stands in "data", which stands in the record: two levels more.
inline constexpr json::Limits kRecordJson{kRecordBytesMax, limits::kPayloadDepthMax + 2,
                                          kRecordBytesMax / 2};

/// Who wrote a record, its place in their stream, and when.
struct RecordHeader {
    RecordKind kind = RecordKind::Node;
    NodeId author;
    StreamId stream;
    std::uint64_t counter = 0;  ///< from 1
    HybridTime clock;
};

/// One link as its end tells it.
struct LinkClaim {
    NodeId peer;
    /// Cost class: 0 good, 1 lossy, 2 bad.
    std::uint8_t cost_class = 0;
    friend auto operator<=>(const LinkClaim&, const LinkClaim&) = default;
};

enum class Presence : std::uint8_t { Here, Left, Restarting };

/// Data of a node record: what a node says of itself to all.
struct NodeData {
    InstanceId instance;
    StartId start;
    std::string version;       ///< of the software
    StreamId volatile_stream;  ///< carries node and state records
    StreamId durable_stream;   ///< carries registry, alert and shared records
    /// Alerts of the durable stream below this counter are gone: the lowest live one that is not
    /// critical, or one above the highest written.
    std::uint64_t alert_floor = 0;
    std::uint64_t critical_floor = 0;  ///< the same for critical alerts
    std::vector<Endpoint> addresses;
    std::vector<LinkClaim> links;  ///< sorted by peer
    Presence presence = Presence::Here;
    friend bool operator==(const NodeData&, const NodeData&) = default;
};

/// Data of a state record: activity, and the whole document (never a patch).
struct StateData {
    Activity activity = Activity::Active;
    std::string document = "{}";  ///< compact JSON object
};

/// Data of an alert record.
struct AlertData {
    Priority priority = Priority::Normal;
    std::int64_t timestamp_ms = 0;  ///< author's wall clock
    std::string alert = "{}";       ///< compact JSON object, the application's own
};

/// A decoded record: header, data by kind (exactly one set), and the bytes themselves.
struct Record {
    RecordHeader header;
    std::shared_ptr<const Buffer> bytes;
    std::uint64_t hash = 0;  ///< first 8 bytes of BLAKE2b of the bytes
    std::optional<NodeData> node;
    std::optional<StateData> state;
    std::optional<AlertData> alert;
};

/// The content must keep the limits that decode_record checks; it is ours.
Buffer encode_node_record(const RecordHeader& header, const NodeData& data);
Buffer encode_state_record(const RecordHeader& header, const StateData& data);
Buffer encode_alert_record(const RecordHeader& header, const AlertData& data);

/// Fails on anything that breaks the layout or a limit. Records of a kind this build does not know
/// (or has no data for yet) decode with no data set, so that they are stored and passed on as they
/// are. Unknown members are tolerated, and a body where the kind is none of node and state: a later
/// version may write them.
std::optional<Record> decode_record(Bytes bytes);

/// True where `text` may stand in a record as state document or alert: a JSON object within
/// kPayloadBytesMax and kPayloadDepthMax.
bool is_payload(std::string_view text);

/// "<node_id>.<stream>.<counter>".
std::string print_alert_id(const RecordHeader& header);

}  // namespace meshd
