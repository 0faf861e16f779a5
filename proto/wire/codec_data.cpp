// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/base/assert.h"
#include "proto/wire/codec.h"
#include "proto/wire/fields.h"
#include "proto/wire/limits.h"

namespace meshd {
namespace {

/// Longest name of a record kind, and of those to come.
constexpr std::size_t kKindNameBytesMax = 16;
/// 2^53 - 1 has 16 digits, 2^32 - 1 has 10; each with a comma.
constexpr std::size_t kCounterTextMax = kIntervalTextBytesMax / 2;
constexpr std::size_t kShortIdTextMax = 11;
constexpr std::uint32_t kAllBuckets = 0xffffffff;
/// JSON of a message that is not streams or records: u24, keys and brackets.
constexpr std::size_t kWrapperBytesMax = 64;

}  // namespace

Bytes write_fields(json::Writer& writer, const Push& push) {
    const Provenance& provenance = push.provenance;
    MESHD_ASSERT(!push.record.empty() && push.covers_after < limits::kCounterMax);
    writer.member("kind", record_kind_name(push.kind));
    writer.member("after", push.covers_after);
    if (push.graph != 0) {
        writer.member("graph", push.graph);
    }
    if (provenance.age_ms != 0) {
        writer.member("age", std::min(provenance.age_ms, limits::kCounterMax));
    }
    if (!provenance.path.empty()) {
        writer.key("path");
        write_path(writer, provenance.path);
    }
    if (provenance.report_ms != 0) {
        writer.member("report", provenance.report_ms);
    }
    return push.record;
}

void write_fields(json::Writer& writer, const Digest& digest) {
    if (digest.is_request) {
        writer.member("request", true);
        return;
    }
    if (digest.buckets != kAllBuckets) {
        writer.member("buckets", digest.buckets);
    }
    write_streams(writer, "streams", digest.streams, FloorRule::Optional);
}

void write_fields(json::Writer& writer, const Pull& pull) {
    if (pull.window != 0) {
        writer.member("window", pull.window);
    }
    write_streams(writer, "wants", pull.wants, FloorRule::Refused);
}

void write_fields(json::Writer& writer, const Announce& announce) {
    write_streams(writer, "streams", announce.streams, FloorRule::Refused);
}

void write_fields(json::Writer& writer, const Delta& delta) {
    MESHD_ASSERT(delta.records.size() <= limits::kDeltaRecordsMax);
    write_streams(writer, "covers", delta.covers, FloorRule::Optional);
    writer.key("records").begin_array();
    for (const DeltaRecord& record : delta.records) {
        MESHD_ASSERT(!record.record.empty());
        writer.begin_array().unsigned_integer(record.record.size());
        writer.unsigned_integer(std::min(record.provenance.age_ms, limits::kCounterMax));
        write_path(writer, record.provenance.path);
        writer.unsigned_integer(record.provenance.report_ms).end_array();
    }
    writer.end_array();
}

std::optional<Message> read_push(Fields& fields, Bytes body, MessageKind kind) {
    const auto record_kind = parse_record_kind(fields.text("kind", 1, kKindNameBytesMax));
    if (!record_kind) {
        return std::nullopt;
    }
    Push push;
    push.kind = *record_kind;
    push.record = body;
    push.covers_after = fields.number("after", 0, limits::kCounterMax - 1);
    push.graph = static_cast<std::uint32_t>(fields.number_or_zero("graph", UINT32_MAX));
    push.provenance.age_ms = fields.number_or_zero("age", limits::kCounterMax);
    push.provenance.path = fields.path("path");
    push.provenance.report_ms =
        static_cast<std::uint32_t>(fields.number_or_zero("report", UINT32_MAX));
    fields.require(push_kind(push.kind) == kind && !body.empty());
    return push;
}

std::optional<Message> read_digest(Fields& fields, Bytes body) {
    Digest digest;
    if (!fields.has("request")) {
        fields.require(body.empty());
        if (fields.has("buckets")) {
            digest.buckets = static_cast<std::uint32_t>(fields.number("buckets", 0, UINT32_MAX));
        }
        digest.streams = fields.streams("streams", FloorRule::Optional);
        return digest;
    }
    digest.is_request = true;
    fields.require(fields["request"].as_bool() == true);
    if (body.size() == sizeof(BucketHashes)) {
        BucketHashes& hashes = digest.hashes.emplace();
        for (std::size_t i = 0; i < hashes.size(); ++i) {
            hashes[i] = load_big_endian<8>(body.data() + 8 * i);
        }
    } else {
        fields.require(body.empty());
    }
    return digest;
}

std::optional<Message> read_pull(Fields& fields, Bytes body) {
    fields.require(body.empty());
    return Pull{fields.streams("wants", FloorRule::Refused),
                static_cast<std::uint16_t>(fields.number_or_zero("window", UINT16_MAX))};
}

std::optional<Message> read_announce(Fields& fields, Bytes body) {
    fields.require(body.empty());
    return Announce{fields.streams("streams", FloorRule::Refused)};
}

std::optional<Message> read_delta(Fields& fields, Bytes body) {
    Delta delta;
    delta.covers = fields.streams("covers", FloorRule::Optional);
    const json::Value records = fields["records"];
    fields.require(records.is_array() && records.size() <= limits::kDeltaRecordsMax);
    if (!fields.ok()) {
        return delta;
    }
    delta.records.reserve(records.size());
    std::size_t at = 0;
    for (const json::Value entry : records) {
        fields.require(entry.is_array() && entry.size() == 4);
        if (!fields.ok()) {
            return delta;
        }
        auto it = entry.begin();
        const std::size_t length = fields.number_of(*it, 1, limits::kMessageBytesMax);
        ++it;
        DeltaRecord& record = delta.records.emplace_back();
        record.provenance.age_ms = fields.number_of(*it, 0, limits::kCounterMax);
        ++it;
        record.provenance.path = fields.path_of(*it);
        ++it;
        record.provenance.report_ms =
            static_cast<std::uint32_t>(fields.number_of(*it, 0, UINT32_MAX));
        fields.require(length <= body.size() - at);
        if (!fields.ok()) {
            return delta;
        }
        record.record = body.subspan(at, length);
        at += length;
    }
    fields.require(at == body.size());
    return delta;
}

std::size_t encoded_bytes_max(const DeltaRecord& record) {
    // [length,age,[path],report],
    return record.record.size() + 2 * kCounterTextMax + kShortIdTextMax + 5 +
           record.provenance.path.size() * kShortIdTextMax;
}

std::size_t encoded_bytes_max(const StreamIntervals& stream) {
    // ["0123456789abcdef","author",[lo,hi],floor],
    return 28 + stream.author.text().size() + stream.intervals.size() * kIntervalTextBytesMax +
           (stream.floor ? kCounterTextMax : 0);
}

std::vector<std::vector<StreamIntervals>> split_streams(std::vector<StreamIntervals> streams) {
    std::vector<std::vector<StreamIntervals>> parts(1);
    std::size_t bytes = kWrapperBytesMax;
    for (StreamIntervals& stream : streams) {
        const std::size_t more = encoded_bytes_max(stream);
        if (bytes + more > limits::kMessageBytesMax) {
            parts.emplace_back();
            bytes = kWrapperBytesMax;
        }
        bytes += more;
        parts.back().push_back(std::move(stream));
    }
    return parts;
}

}  // namespace meshd
