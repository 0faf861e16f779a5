// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "proto/base/assert.h"
#include "proto/wire/fields.h"
#include "proto/wire/limits.h"

namespace meshd {

void write_fields(json::Writer& writer, const Heartbeat& heartbeat) {
    writer.member(heartbeat.is_reply ? "r" : "q", heartbeat.seq);
    if (heartbeat.wall_ms) {
        writer.member("w", *heartbeat.wall_ms);
    }
}

void write_fields(json::Writer& writer, const Ack& ack) {
    MESHD_ASSERT(ack.ranges.size() <= limits::kAckRangesMax);
    writer.key("a").begin_array();
    for (const auto& [first, last] : ack.ranges) {
        writer.unsigned_integer(first).unsigned_integer(last);
    }
    writer.end_array();
}

Bytes write_fields(json::Writer& writer, const Fragment& fragment) {
    MESHD_ASSERT(fragment.index < fragment.count && fragment.count <= limits::kFragmentsMax &&
                 !fragment.bytes.empty() && fragment.kind != MessageKind::Fragment);
    writer.member("m", fragment.message);
    writer.member("i", fragment.index);
    writer.member("n", fragment.count);
    writer.member("k", static_cast<std::uint8_t>(fragment.kind));
    return fragment.bytes;
}

std::optional<Message> read_heartbeat(Fields& fields, Bytes body) {
    Heartbeat heartbeat;
    heartbeat.is_reply = fields.has("r");
    fields.require(heartbeat.is_reply != fields.has("q"));
    heartbeat.seq =
        static_cast<std::uint32_t>(fields.number(heartbeat.is_reply ? "r" : "q", 0, UINT32_MAX));
    if (fields.has("w")) {
        heartbeat.wall_ms = fields.signed_number("w");
    }
    if (body.size() == sizeof(DigestHashes)) {
        heartbeat.hashes =
            DigestHashes{load_big_endian<8>(body.data()), load_big_endian<8>(body.data() + 8)};
    } else {
        fields.require(body.empty());
    }
    return heartbeat;
}

std::optional<Message> read_ack(Fields& fields, Bytes body) {
    fields.require(body.empty());
    Ack ack;
    const auto intervals = fields.intervals_of(fields["a"], limits::kAckRangesMax);
    ack.ranges.reserve(intervals.size());
    for (const Interval& interval : intervals) {
        ack.ranges.emplace_back(interval.first, interval.last);
    }
    return ack;
}

namespace {

/// Takes `before` and the number behind it from the front of `text`.
template <class Number>
bool take_number(std::string_view& text, std::string_view before, Number& number) {
    if (!text.starts_with(before)) {
        return false;
    }
    text.remove_prefix(before.size());
    const char* begin = text.data();
    const auto [end, error] = std::from_chars(begin, begin + text.size(), number);
    // JSON knows no leading zeros.
    const bool is_plain = error == std::errc{} && (*begin != '0' || end == begin + 1);
    text.remove_prefix(static_cast<std::size_t>(end - begin));
    return is_plain;
}

}  // namespace

std::optional<Fragment> read_plain_fragment(std::string_view text, Bytes body) {
    Fragment fragment;
    std::uint8_t kind = 0;
    const bool is_read = take_number(text, R"({"m":)", fragment.message) &&
                         take_number(text, R"(,"i":)", fragment.index) &&
                         take_number(text, R"(,"n":)", fragment.count) &&
                         take_number(text, R"(,"k":)", kind) && text == "}";
    fragment.kind = static_cast<MessageKind>(kind);
    fragment.bytes = body;
    const bool is_good = is_read && fragment.index < fragment.count &&
                         fragment.count <= limits::kFragmentsMax && kind != 0 && !body.empty() &&
                         fragment.kind != MessageKind::Fragment;
    return is_good ? std::optional(fragment) : std::nullopt;
}

std::optional<Message> read_fragment(Fields& fields, Bytes body) {
    Fragment fragment;
    fragment.message = static_cast<std::uint32_t>(fields.number("m", 0, UINT32_MAX));
    fragment.count = static_cast<std::uint16_t>(fields.number("n", 1, limits::kFragmentsMax));
    fragment.index = static_cast<std::uint16_t>(fields.number("i", 0, limits::kFragmentsMax - 1));
    fragment.kind = static_cast<MessageKind>(fields.number("k", 1, UINT8_MAX));
    fragment.bytes = body;
    fields.require(fragment.index < fragment.count && !body.empty() &&
                   fragment.kind != MessageKind::Fragment);
    return fragment;
}

void write_fields(json::Writer& writer, const Notice& notice) {
    writer.member("about", notice.about);
    if (!notice.path.empty()) {
        writer.key("path");
        write_path(writer, notice.path);
    }
}

std::optional<Message> read_notice(Fields& fields, Bytes body) {
    fields.require(body.empty());
    Notice notice;
    notice.about = static_cast<std::uint32_t>(fields.number("about", 0, UINT32_MAX));
    notice.path = fields.path("path");
    return notice;
}

std::optional<Message> read_prune(Fields& fields, Bytes body) {
    fields.require(body.empty());
    return Prune{};
}

}  // namespace meshd
