// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <utility>

#include "proto/base/assert.h"
#include "proto/wire/codec.h"
#include "proto/wire/fields.h"
#include "proto/wire/limits.h"

namespace meshd {
namespace {

/// LEB128 (DWARF 5, section 7.6): seven bits a byte, the lowest first, the high bit = more follow.
constexpr unsigned kVarintBits = 7;
constexpr std::uint8_t kVarintMore = 0x80;
/// 53 bits of a counter.
constexpr std::size_t kVarintBytesMax = 8;
/// A message has no room for 2^21 intervals.
constexpr std::size_t kCountBytesMax = 3;
/// Gap and length take a byte each at least.
constexpr std::size_t kLiveBytesMin = 2;
/// JSON of a census without streams: u24, keys, numbers and brackets.
constexpr std::size_t kWrapperBytesMax = 64;

std::size_t varint_bytes(std::uint64_t value) {
    std::size_t bytes = 1;
    for (; value >= kVarintMore; value >>= kVarintBits) {
        ++bytes;
    }
    return bytes;
}

void append_varint(Buffer& to, std::uint64_t value) {
    for (; value >= kVarintMore; value >>= kVarintBits) {
        to.push_back(static_cast<std::uint8_t>(value | kVarintMore));
    }
    to.push_back(static_cast<std::uint8_t>(value));
}

class VarintReader {
  public:
    explicit VarintReader(Bytes bytes) : bytes_(bytes) {}

    std::size_t rest() const { return bytes_.size() - at_; }

    /// Only the shortest form of a number is one, so that there is one encoding of each census.
    std::optional<std::uint64_t> next() {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < kVarintBytesMax && at_ < bytes_.size(); ++i) {
            const std::uint8_t byte = bytes_[at_++];
            value |= static_cast<std::uint64_t>(byte & (kVarintMore - 1)) << (kVarintBits * i);
            if ((byte & kVarintMore) == 0) {
                return byte == 0 && i > 0 ? std::nullopt : std::optional(value);
            }
        }
        return std::nullopt;
    }

  private:
    Bytes bytes_;
    std::size_t at_ = 0;
};

std::size_t live_bytes(std::uint64_t previous_last, const Interval& interval) {
    return varint_bytes(interval.first - previous_last - 1) +
           varint_bytes(interval.last - interval.first + 1);
}

/// The live intervals of one stream. What a varint holds at most (2^56) cannot overflow the sums.
bool read_live(VarintReader& reader, const std::vector<Interval>& covered,
               std::vector<Interval>& live) {
    const auto count = reader.next();
    if (!count || *count > reader.rest() / kLiveBytesMin) {
        return false;
    }
    live.reserve(static_cast<std::size_t>(*count));
    auto within = covered.begin();
    std::uint64_t previous_last = 0;
    for (std::uint64_t i = 0; i < *count; ++i) {
        const auto gap = reader.next();
        const auto length = gap ? reader.next() : std::nullopt;
        if (!length || *length == 0 || (*gap == 0 && i > 0)) {
            return false;
        }
        const Interval interval{previous_last + 1 + *gap, previous_last + *gap + *length};
        while (within != covered.end() && within->last < interval.first) {
            ++within;
        }
        if (within == covered.end() || interval.first < within->first ||
            interval.last > within->last) {
            return false;
        }
        live.push_back(interval);
        previous_last = interval.last;
    }
    return true;
}

/// Fills the parts of a census one after the other.
class CensusParts {
  public:
    CensusParts() { begin_part(); }

    void add(const CensusStream& stream) {
        begin_piece(stream);
        auto live = stream.live.begin();
        for (Interval covered : stream.covered.intervals) {
            if (!has_room(kIntervalTextBytesMax) ||
                piece().covered.intervals.size() == limits::kMessageIntervalsMax) {
                begin_part();
                begin_piece(stream);
            }
            bytes_ += kIntervalTextBytesMax;
            for (; live != stream.live.end() && live->last <= covered.last; ++live) {
                if (!has_room(live_bytes(last_live(), *live))) {
                    if (live->first > covered.first) {
                        piece().covered.intervals.push_back({covered.first, live->first - 1});
                    }
                    covered.first = live->first;
                    begin_part();
                    begin_piece(stream);
                    bytes_ += kIntervalTextBytesMax;
                }
                bytes_ += live_bytes(last_live(), *live);
                piece().live.push_back(*live);
            }
            piece().covered.intervals.push_back(covered);
        }
        MESHD_ASSERT(live == stream.live.end());
    }

    std::vector<Census> take() {
        if (parts_.size() > limits::kCensusPartsMax) {
            parts_.resize(limits::kCensusPartsMax);
        }
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            parts_[i].part = static_cast<std::uint32_t>(i);
            parts_[i].parts = static_cast<std::uint32_t>(parts_.size());
        }
        return std::move(parts_);
    }

  private:
    bool has_room(std::size_t more) const { return bytes_ + more <= limits::kMessageBytesMax; }
    CensusStream& piece() { return parts_.back().streams.back(); }
    std::uint64_t last_live() { return piece().live.empty() ? 0 : piece().live.back().last; }

    void begin_part() {
        parts_.emplace_back();
        bytes_ = kWrapperBytesMax;
    }

    void begin_piece(const CensusStream& stream) {
        CensusStream piece{{stream.covered.stream, stream.covered.author, {}, stream.covered.floor},
                           {}};
        const std::size_t more = encoded_bytes_max(piece.covered) + kCountBytesMax;
        if (!has_room(more + kIntervalTextBytesMax + 2 * kVarintBytesMax)) {
            begin_part();
        }
        bytes_ += more;
        parts_.back().streams.push_back(std::move(piece));
    }

    std::vector<Census> parts_;
    std::size_t bytes_ = 0;  ///< at most, of the last part
};

}  // namespace

void write_fields(json::Writer& writer, const Census& census) {
    if (census.number != 0) {
        writer.member("number", census.number);
    }
    if (census.is_request) {
        writer.member("request", true);
        return;
    }
    MESHD_ASSERT(census.part < census.parts && census.parts <= limits::kCensusPartsMax &&
                 census.streams.size() <= limits::kStreamsMax);
    writer.member("part", census.part).member("parts", census.parts);
    writer.key("streams").begin_array();
    for (const CensusStream& stream : census.streams) {
        MESHD_ASSERT(stream.covered.floor.has_value());
        write_stream(writer, stream.covered);
    }
    writer.end_array();
}

void append_body(Buffer& bytes, const Census& census) {
    for (const CensusStream& stream : census.streams) {
        append_varint(bytes, stream.live.size());
        std::uint64_t previous_last = 0;
        for (const Interval& interval : stream.live) {
            const bool is_first = previous_last == 0;
            MESHD_ASSERT(interval.first > previous_last + (is_first ? 0 : 1) &&
                         interval.last >= interval.first);
            append_varint(bytes, interval.first - previous_last - 1);
            append_varint(bytes, interval.last - interval.first + 1);
            previous_last = interval.last;
        }
    }
}

std::size_t body_bytes(const Census& census) {
    std::size_t sum = 0;
    for (const CensusStream& stream : census.streams) {
        sum += varint_bytes(stream.live.size());
        std::uint64_t previous_last = 0;
        for (const Interval& interval : stream.live) {
            sum += live_bytes(previous_last, interval);
            previous_last = interval.last;
        }
    }
    return sum;
}

std::optional<Message> read_census(Fields& fields, Bytes body) {
    Census census;
    census.number = static_cast<std::uint32_t>(fields.number_or_zero("number", UINT32_MAX));
    if (fields.has("request")) {
        census.is_request = true;
        fields.require(fields["request"].as_bool() == true && body.empty());
        return census;
    }
    census.parts = static_cast<std::uint32_t>(fields.number("parts", 1, limits::kCensusPartsMax));
    census.part = static_cast<std::uint32_t>(fields.number("part", 0, limits::kCensusPartsMax - 1));
    fields.require(census.part < census.parts);
    std::vector<StreamIntervals> streams = fields.streams("streams", FloorRule::Required);
    VarintReader reader(body);
    census.streams.reserve(streams.size());
    for (StreamIntervals& covered : streams) {
        if (!fields.ok()) {
            return census;
        }
        CensusStream& stream = census.streams.emplace_back();
        fields.require(read_live(reader, covered.intervals, stream.live));
        stream.covered = std::move(covered);
    }
    fields.require(reader.rest() == 0);
    return census;
}

std::vector<Census> split_census(const std::vector<CensusStream>& streams) {
    CensusParts parts;
    for (const CensusStream& stream : streams) {
        parts.add(stream);
    }
    return parts.take();
}

}  // namespace meshd
