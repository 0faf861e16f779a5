// SPDX-License-Identifier: Apache-2.0
/// \file
/// Members of a message's JSON object, read and written with their types and limits. Used by the
/// codec only.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proto/base/json.h"
#include "proto/wire/message.h"

namespace meshd {

/// An interval as JSON: two numbers of 16 digits, each with a comma.
inline constexpr std::size_t kIntervalTextBytesMax = 34;

/// Whether a stream's element "floor" may or must be there.
enum class FloorRule { Refused, Optional, Required };

/// Reads members by name. A member that is missing, of another type or out of range turns ok()
/// false for good and reads as an empty value, so that a decoder checks once at its end.
class Fields {
  public:
    explicit Fields(json::Value object) : object_(object), ok_(object.is_object()) {}

    bool ok() const { return ok_; }
    void fail() { ok_ = false; }
    void require(bool condition) { ok_ = ok_ && condition; }
    bool has(std::string_view key) const { return object_[key].exists(); }
    json::Value operator[](std::string_view key) const { return object_[key]; }

    /// A whole number in [min, max].
    std::uint64_t number(std::string_view key, std::uint64_t min, std::uint64_t max);
    /// The same, 0 where absent.
    std::uint64_t number_or_zero(std::string_view key, std::uint64_t max);
    /// A whole number that every JSON reader keeps exact: ±(2^53 - 1).
    std::int64_t signed_number(std::string_view key);
    /// A string of `bytes_min` to `bytes_max` bytes.
    std::string_view text(std::string_view key, std::size_t bytes_min, std::size_t bytes_max);
    /// 16 hex digits, not all 0.
    std::uint64_t hex(std::string_view key);
    NodeId node(std::string_view key);
    /// {"node","instance","start"}.
    Identity identity();
    Cookie cookie(std::string_view key);
    /// [min, max], 1 ≤ min ≤ max ≤ 255.
    std::pair<std::uint8_t, std::uint8_t> version_range(std::string_view key);
    /// Short ids of nodes, at most kHopsMax; empty where absent.
    std::vector<std::uint32_t> path(std::string_view key);
    /// [[stream, author, intervals, floor], …], at most kStreamsMax.
    std::vector<StreamIntervals> streams(std::string_view key, FloorRule floor);

    // The same for values that are elements of an array.
    std::uint64_t number_of(json::Value value, std::uint64_t min, std::uint64_t max);
    std::uint64_t hex_of(json::Value value);
    NodeId node_of(json::Value value);
    std::vector<std::uint32_t> path_of(json::Value value);
    /// [lo, hi, lo, hi, …]: at most `intervals_max`, rising, disjoint, not adjacent, from 1 to
    /// kCounterMax.
    std::vector<Interval> intervals_of(json::Value value, std::size_t intervals_max);

  private:
    json::Value object_;
    bool ok_;
};

// What Fields reads, written.
void write_identity(json::Writer& writer, const Identity& identity);
void write_path(json::Writer& writer, const std::vector<std::uint32_t>& path);
void write_intervals(json::Writer& writer, const std::vector<Interval>& intervals);
void write_stream(json::Writer& writer, const StreamIntervals& stream);
void write_streams(json::Writer& writer, std::string_view key,
                   const std::vector<StreamIntervals>& streams, FloorRule floor);

/// Writes JSON members of `message` into an open object; returns the body.
Bytes write_fields(json::Writer& writer, const Push& message);
Bytes write_fields(json::Writer& writer, const Fragment& message);
Bytes write_fields(json::Writer& writer, const Routed& message);
Bytes write_fields(json::Writer& writer, const Req& message);
Bytes write_fields(json::Writer& writer, const Acc& message);
Bytes write_fields(json::Writer& writer, const KeyGrant& message);
void write_fields(json::Writer& writer, const Hello& message);
void write_fields(json::Writer& writer, const Offer& message);
void write_fields(json::Writer& writer, const Close& message);
void write_fields(json::Writer& writer, const Notice& message);
void write_fields(json::Writer& writer, const Heartbeat& message);
void write_fields(json::Writer& writer, const Ack& message);
void write_fields(json::Writer& writer, const Digest& message);
void write_fields(json::Writer& writer, const Pull& message);
void write_fields(json::Writer& writer, const Delta& message);
void write_fields(json::Writer& writer, const Census& message);
void write_fields(json::Writer& writer, const Announce& message);
void append_body(Buffer& bytes, const Census& message);
std::size_t body_bytes(const Census& message);

/// Readers: nothing where the message is of a kind that this build does not know; broken ones turn
/// `fields.ok()` false. A message without a body in its table must come with an empty one.
std::optional<Message> read_discovery(Fields& fields, Bytes body);
std::optional<Message> read_req(Fields& fields, Bytes body);
std::optional<Message> read_acc(Fields& fields, Bytes body);
std::optional<Message> read_conf(Fields& fields, Bytes body);
std::optional<Message> read_close(Fields& fields, Bytes body);
std::optional<Message> read_prune(Fields& fields, Bytes body);
std::optional<Message> read_notice(Fields& fields, Bytes body);
std::optional<Message> read_key_grant(Fields& fields, Bytes body);
std::optional<Message> read_heartbeat(Fields& fields, Bytes body);
std::optional<Message> read_ack(Fields& fields, Bytes body);
/// The form that write_fields gives a fragment, read without a document: nearly all datagrams of
/// bulk are fragments. Nothing where it is any other form or breaks a limit.
std::optional<Fragment> read_plain_fragment(std::string_view text, Bytes body);
std::optional<Message> read_fragment(Fields& fields, Bytes body);
std::optional<Message> read_push(Fields& fields, Bytes body, MessageKind kind);
std::optional<Message> read_digest(Fields& fields, Bytes body);
std::optional<Message> read_pull(Fields& fields, Bytes body);
std::optional<Message> read_delta(Fields& fields, Bytes body);
std::optional<Message> read_routed(Fields& fields, Bytes body, MessageKind kind);
std::optional<Message> read_census(Fields& fields, Bytes body);
std::optional<Message> read_announce(Fields& fields, Bytes body);

}  // namespace meshd
