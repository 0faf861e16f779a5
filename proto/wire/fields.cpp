// SPDX-License-Identifier: Apache-2.0
#include "proto/wire/fields.h"

#include "proto/base/assert.h"
#include "proto/wire/limits.h"

namespace meshd {

std::uint64_t Fields::number_of(json::Value value, std::uint64_t min, std::uint64_t max) {
    const auto number = value.as_uint();
    if (!number || *number < min || *number > max) {
        fail();
        return 0;
    }
    return *number;
}

std::uint64_t Fields::hex_of(json::Value value) {
    const auto number = parse_hex(value.as_string().value_or(""));
    if (!number || *number == 0) {
        fail();
        return 0;
    }
    return *number;
}

NodeId Fields::node_of(json::Value value) {
    auto node = NodeId::parse(value.as_string().value_or(""));
    if (!node) {
        fail();
        return {};
    }
    return *std::move(node);
}

std::vector<std::uint32_t> Fields::path_of(json::Value value) {
    std::vector<std::uint32_t> path;
    if (!value.is_array() || value.size() > limits::kHopsMax) {
        fail();
        return path;
    }
    path.reserve(value.size());
    for (const json::Value element : value) {
        path.push_back(static_cast<std::uint32_t>(number_of(element, 0, UINT32_MAX)));
    }
    return path;
}

std::vector<Interval> Fields::intervals_of(json::Value value, std::size_t intervals_max) {
    std::vector<Interval> intervals;
    if (!value.is_array() || value.size() % 2 != 0 || value.size() / 2 > intervals_max) {
        fail();
        return intervals;
    }
    intervals.reserve(value.size() / 2);
    std::uint64_t first_min = 1;
    for (auto it = value.begin(); ok_ && it != value.end(); ++it) {
        Interval interval;
        interval.first = number_of(*it, first_min, limits::kCounterMax);
        ++it;
        interval.last = number_of(*it, interval.first, limits::kCounterMax);
        first_min = interval.last + 2;
        intervals.push_back(interval);
    }
    return intervals;
}

std::uint64_t Fields::number(std::string_view key, std::uint64_t min, std::uint64_t max) {
    return number_of(object_[key], min, max);
}

std::uint64_t Fields::number_or_zero(std::string_view key, std::uint64_t max) {
    const json::Value value = object_[key];
    return value.exists() ? number_of(value, 0, max) : 0;
}

std::int64_t Fields::signed_number(std::string_view key) {
    constexpr auto kMax = static_cast<std::int64_t>(limits::kCounterMax);
    const auto number = object_[key].as_int();
    if (!number || *number < -kMax || *number > kMax) {
        fail();
        return 0;
    }
    return *number;
}

std::string_view Fields::text(std::string_view key, std::size_t bytes_min, std::size_t bytes_max) {
    const auto text = object_[key].as_string();
    if (!text || text->size() < bytes_min || text->size() > bytes_max) {
        fail();
        return {};
    }
    return *text;
}

std::uint64_t Fields::hex(std::string_view key) {
    return hex_of(object_[key]);
}

NodeId Fields::node(std::string_view key) {
    return node_of(object_[key]);
}

Identity Fields::identity() {
    return {node("node"), InstanceId{hex("instance")}, StartId{hex("start")}};
}

Cookie Fields::cookie(std::string_view key) {
    Cookie cookie{};
    require(parse_hex_bytes(object_[key].as_string().value_or(""), cookie.data(), cookie.size()));
    return cookie;
}

std::pair<std::uint8_t, std::uint8_t> Fields::version_range(std::string_view key) {
    const json::Value range = object_[key];
    if (!range.is_array() || range.size() != 2) {
        fail();
        return {};
    }
    auto it = range.begin();
    const auto min = number_of(*it, 1, UINT8_MAX);
    ++it;
    const auto max = number_of(*it, min, UINT8_MAX);
    return {static_cast<std::uint8_t>(min), static_cast<std::uint8_t>(max)};
}

std::vector<std::uint32_t> Fields::path(std::string_view key) {
    const json::Value value = object_[key];
    return value.exists() ? path_of(value) : std::vector<std::uint32_t>();
}

std::vector<StreamIntervals> Fields::streams(std::string_view key, FloorRule floor) {
    std::vector<StreamIntervals> streams;
    const json::Value list = object_[key];
    if (!list.is_array() || list.size() > limits::kStreamsMax) {
        fail();
        return streams;
    }
    streams.reserve(list.size());
    const std::size_t elements_min = floor == FloorRule::Required ? 4 : 3;
    const std::size_t elements_max = floor == FloorRule::Refused ? 3 : 4;
    for (const json::Value entry : list) {
        if (!entry.is_array() || entry.size() < elements_min || entry.size() > elements_max) {
            fail();
            return streams;
        }
        auto it = entry.begin();
        StreamIntervals& stream = streams.emplace_back();
        stream.stream = StreamId{hex_of(*it)};
        ++it;
        stream.author = node_of(*it);
        ++it;
        stream.intervals = intervals_of(*it, limits::kMessageIntervalsMax);
        if (++it != entry.end()) {
            stream.floor = number_of(*it, 0, limits::kCounterMax);
        }
        if (!ok_) {
            return streams;
        }
    }
    return streams;
}

void write_identity(json::Writer& writer, const Identity& identity) {
    MESHD_ASSERT(!identity.node.empty() && identity.instance && identity.start);
    writer.member("node", identity.node.text());
    writer.member("instance", print_hex(identity.instance.value));
    writer.member("start", print_hex(identity.start.value));
}

void write_path(json::Writer& writer, const std::vector<std::uint32_t>& path) {
    MESHD_ASSERT(path.size() <= limits::kHopsMax);
    writer.begin_array();
    for (const std::uint32_t node : path) {
        writer.unsigned_integer(node);
    }
    writer.end_array();
}

void write_intervals(json::Writer& writer, const std::vector<Interval>& intervals) {
    writer.begin_array();
    std::uint64_t first_min = 1;
    for (const Interval& interval : intervals) {
        MESHD_ASSERT(interval.first >= first_min && interval.last >= interval.first &&
                     interval.last <= limits::kCounterMax);
        writer.unsigned_integer(interval.first).unsigned_integer(interval.last);
        first_min = interval.last + 2;
    }
    writer.end_array();
}

void write_stream(json::Writer& writer, const StreamIntervals& stream) {
    MESHD_ASSERT(stream.stream && !stream.author.empty() &&
                 stream.intervals.size() <= limits::kMessageIntervalsMax &&
                 stream.floor.value_or(0) <= limits::kCounterMax);
    writer.begin_array().string(print_hex(stream.stream.value)).string(stream.author.text());
    write_intervals(writer, stream.intervals);
    if (stream.floor) {
        writer.unsigned_integer(*stream.floor);
    }
    writer.end_array();
}

void write_streams(json::Writer& writer, std::string_view key,
                   const std::vector<StreamIntervals>& streams, FloorRule floor) {
    MESHD_ASSERT(streams.size() <= limits::kStreamsMax);
    writer.key(key).begin_array();
    for (const StreamIntervals& stream : streams) {
        MESHD_ASSERT(floor != FloorRule::Refused || !stream.floor);
        write_stream(writer, stream);
    }
    writer.end_array();
}

}  // namespace meshd
