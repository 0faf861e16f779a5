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
#include "proto/base/security_mode.h"
#include "proto/base/shared_bytes.h"
#include "proto/crypto/keyring.h"
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
/// of 50, 32 forgotten nodes of 106, 700 for the other members at their longest, and 3.1 KiB for
/// those of later versions.
inline constexpr std::size_t kNodeRecordBytesMax = 12 * 1024;
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

/// A node that was forgotten for good: its start that wrote in this volatile stream is dead, and
/// so are those before it.
struct ForgottenNode {
    NodeId node;
    StreamId stream;
    HybridTime clock{};  ///< of its node record; starts whose node record is of later are others
    friend auto operator<=>(const ForgottenNode&, const ForgottenNode&) = default;
};

enum class Presence : std::uint8_t { Here, Left, Restarting };

/// How a node seals, as it says in its record: from it the others see who lacks which key.
struct SecurityClaim {
    SecurityMode mode = SecurityMode::Open;
    KeyId active;             ///< the one it seals with; 0 = it has none
    std::vector<KeyId> keys;  ///< that it can open: rising, at most Keyring::kKeysMax
    friend bool operator==(const SecurityClaim&, const SecurityClaim&) = default;
};

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
    /// Scrapped nodes that a local caller had forgotten: rising, never itself, at most
    /// limits::kForgottenMax.
    std::vector<ForgottenNode> forgotten{};
    SecurityClaim security{};
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
    std::uint64_t ttl_ms = 0;       ///< gone at this age; 0 = at limits::kAlertAgeMsMax
    std::string dedupe_key{};       ///< empty = none
};

/// Data of a registry record: one sighting of a hash by its owner, or a tombstone on it. The key is
/// (hash, owner). Only the owner writes the sighting, anyone its tombstone.
struct RegistryData {
    std::string hash;  ///< 1 to limits::kHashBytesMax bytes of UTF-8 without control characters
    NodeId owner;      ///< the author, except in a tombstone
    bool is_deleted = false;
    // All below is empty in a tombstone.
    std::string type;               ///< 1 to limits::kTypeBytesMax bytes, as for the hash
    std::int64_t timestamp_ms = 0;  ///< owner's wall clock, or what the application said
    std::uint64_t ttl_ms = 0;       ///< gone at this age; 0 = lives until deleted
    std::string metadata = "{}";    ///< compact JSON object, at most limits::kMetadataBytesMax
    std::string space;              ///< model of the embedding; empty exactly where there is none
    /// Values of the embedding; the record's body holds them as fp16, little-endian, normalised.
    std::uint32_t dimension = 0;
};

/// Data of a shared record: one member of the mesh's shared state, or a tombstone on it.
struct SharedData {
    std::string key;  ///< 1 to limits::kSharedKeyBytesMax bytes of UTF-8 without control characters
    std::string value;  ///< compact JSON, not null; empty in a tombstone
    bool is_deleted = false;
};

/// What the store keeps decoded of a registry record: what it is found by, in little room, since
/// there may be 100 000 of them. The rest is decoded again when it is shown (decode_registry).
class RegistryKey {
  public:
    std::string_view hash() const { return part(0, type_at_); }
    std::string_view type() const { return part(type_at_, space_at_); }
    std::string_view space() const { return part(space_at_, end_); }
    /// Each within its limit, so that places fit 16 bits.
    void set_names(std::string_view hash, std::string_view type, std::string_view space);

    std::unique_ptr<const NodeId> other_owner;  ///< null where it is the author: see entry_owner
    std::uint64_t ttl_ms = 0;
    std::uint32_t dimension = 0;
    bool is_deleted = false;

  private:
    std::string_view part(std::size_t from, std::size_t to) const {
        return {names_.get() + from, to - from};
    }
    std::unique_ptr<char[]> names_;  ///< hash, type and space
    std::uint16_t type_at_ = 0;
    std::uint16_t space_at_ = 0;
    std::uint16_t end_ = 0;
};

/// A decoded record: header, data by kind (exactly one set), and the bytes themselves.
struct Record {
    RecordHeader header;
    SharedBytes bytes;
    std::uint64_t hash = 0;  ///< checksum64 of the bytes
    // On the heap, so that a record of one kind has no room for the others.
    std::unique_ptr<const NodeData> node;
    std::unique_ptr<const StateData> state;
    std::unique_ptr<const AlertData> alert;
    std::unique_ptr<const RegistryKey> registry;
    std::unique_ptr<const SharedData> shared;
};

/// Whose sighting a registry record is about.
inline const NodeId& entry_owner(const Record& record) {
    return record.registry->other_owner ? *record.registry->other_owner : record.header.author;
}

/// The content must keep the limits that decode_record checks; it is ours.
Buffer encode_node_record(const RecordHeader& header, const NodeData& data);
Buffer encode_state_record(const RecordHeader& header, const StateData& data);
Buffer encode_alert_record(const RecordHeader& header, const AlertData& data);
/// `embedding`: data.dimension fp16 values; empty where there is none.
Buffer encode_registry_record(const RecordHeader& header, const RegistryData& data,
                              Bytes embedding);
Buffer encode_shared_record(const RecordHeader& header, const SharedData& data);

/// Fails on anything that breaks the layout or a limit. Records of a kind this build does not know
/// (or has no data for yet) decode with no data set, so that they are stored and passed on as they
/// are. Unknown members are tolerated, and a body where the kind is none of node and state: a later
/// version may write them.
///
/// A registry record with a ttl may come without the body that its dimension promises: that is its
/// stub, left by a holder at which it expired (see without_body).
///
/// `likely_author`: a name that need not be checked and hashed again where it is the record's.
std::optional<Record> decode_record(Bytes bytes, const NodeId& likely_author = {});
/// The same for bytes that are shared already: they are not copied.
std::optional<Record> decode_record(SharedBytes bytes);

/// All data of a registry record that decode_record accepted.
RegistryData decode_registry(const Record& record);
/// The bytes behind the JSON: a registry record's embedding; empty where there is none.
Bytes record_body(Bytes record);
/// The record's bytes without what is behind the JSON: the stub of an expired registry entry.
Bytes without_body(Bytes record);
/// True where `text` may be a hash, type, space, shared key or dedupe key: UTF-8 of 1 to
/// `bytes_max` bytes without control characters.
bool is_name(std::string_view text, std::size_t bytes_max);

/// True where `text` may stand in a record as state document or alert: a JSON object within
/// kPayloadBytesMax and kPayloadDepthMax.
bool is_payload(std::string_view text);

/// "<node_id>.<stream>.<counter>".
std::string print_alert_id(const RecordHeader& header);

}  // namespace meshd
