// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace meshd {

/// Number of a message on the wire. 1 to 8 are the predecessor's, new ones begin at 16; none is
/// ever given another meaning. A number not listed here is ignored and counted.
enum class MessageKind : std::uint8_t {
    Heartbeat = 1,
    Discovery = 2,  ///< HELLO and OFFER
    StateSync = 3,  ///< push of a node, state or shared record
    Search = 4,     ///< a routed message that asks or answers a search
    Alert = 5,      ///< push of an alert record
    Registry = 6,   ///< push of a registry record
    Broadcast = 7,  ///< any other routed message: envelope, destination and payload
    Ack = 8,
    Req = 16,
    Acc = 17,
    Conf = 18,
    Close = 19,
    Prune = 20,
    Digest = 21,
    Pull = 22,
    Delta = 23,
    Fragment = 24,
    Notice = 25,
    Census = 26,
    Announce = 27,
    KeyGrant = 28,
};

/// What a record is about. The number is its place in orderings; on the wire it goes by name.
enum class RecordKind : std::uint8_t { Node = 1, State = 2, Registry = 3, Alert = 4, Shared = 5 };

/// "node", "state", "registry", "alert", "shared".
std::string_view record_kind_name(RecordKind kind);
std::optional<RecordKind> parse_record_kind(std::string_view name);
/// The number under which a record of that kind is pushed.
MessageKind push_kind(RecordKind kind);

/// 0 low … 3 critical: the number is on the wire, the name in the local API.
enum class Priority : std::uint8_t { Low = 0, Normal = 1, High = 2, Critical = 3 };
/// "low", "normal", "high", "critical".
std::string_view priority_name(Priority priority);
std::optional<Priority> parse_priority(std::string_view name);

/// What a node says of itself. Offline is only ever shown for a node that is not alive.
enum class Activity : std::uint8_t { Active = 1, Idle = 2, Processing = 3, Offline = 4 };
/// "ACTIVE", "IDLE", "PROCESSING", "OFFLINE".
std::string_view activity_name(Activity activity);
std::optional<Activity> parse_activity(std::string_view name);

}  // namespace meshd
