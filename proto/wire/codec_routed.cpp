// SPDX-License-Identifier: Apache-2.0
#include "proto/base/assert.h"
#include "proto/wire/codec.h"
#include "proto/wire/fields.h"
#include "proto/wire/limits.h"

namespace meshd {
namespace {

/// Longest reason for which a search is refused, and of those to come.
constexpr std::size_t kReasonBytesMax = 16;

// Each writes the members of its payload and returns the message's body.

Bytes write_payload(json::Writer& writer, const DeliveryReport& report) {
    writer.key("report").begin_object();
    writer.member("stream", print_hex(report.stream.value));
    writer.member("counter", report.counter);
    return {};
}

Bytes write_payload(json::Writer& writer, const Note& note) {
    MESHD_ASSERT(!note.note.empty() && note.topic.size() <= limits::kTopicBytesMax);
    writer.key("note").begin_object();
    writer.member("number", note.number);
    if (note.wants_ack) {
        writer.member("ack", true);
    }
    if (!note.topic.empty()) {
        writer.member("topic", note.topic);
    }
    return note.note;
}

Bytes write_payload(json::Writer& writer, const NoteAck& ack) {
    writer.key("noted").begin_object();
    writer.member("number", ack.number);
    return {};
}

Bytes write_payload(json::Writer& writer, const Ping& ping) {
    writer.key("ping").begin_object();
    writer.member("number", ping.number);
    if (ping.is_trace) {
        writer.member("trace", true);
    }
    return {};
}

Bytes write_payload(json::Writer& writer, const Pong& pong) {
    writer.key("pong").begin_object();
    writer.member("number", pong.number);
    writer.key("passed");
    write_path(writer, pong.passed);
    return {};
}

Bytes write_payload(json::Writer& writer, const SearchQuery& query) {
    MESHD_ASSERT(!query.query.empty() && !query.type.empty());
    writer.key("query").begin_object();
    writer.member("number", query.number);
    writer.member("type", query.type);
    writer.member("timeout", query.timeout_ms);
    writer.member("limit", query.limit);
    return query.query;
}

Bytes write_payload(json::Writer& writer, const SearchAnswer& answer) {
    writer.key("answer").begin_object();
    writer.member("number", answer.number);
    if (answer.is_pending) {
        writer.member("pending", true);
    }
    if (answer.is_truncated) {
        writer.member("truncated", true);
    }
    if (answer.silent != 0) {
        writer.member("silent", answer.silent);
    }
    if (answer.skipped != 0) {
        writer.member("skipped", answer.skipped);
    }
    if (!answer.refused.empty()) {
        writer.member("refused", answer.refused);
    }
    return answer.results;
}

DeliveryReport read_report(Fields& payload) {
    return {StreamId{payload.hex("stream")}, payload.number("counter", 1, limits::kCounterMax)};
}

std::uint64_t read_number(Fields& payload) {
    return payload.number("number", 1, limits::kCounterMax);
}

/// Absent is false.
bool read_flag(Fields& payload, std::string_view key) {
    if (!payload.has(key)) {
        return false;
    }
    const auto flag = payload[key].as_bool();
    payload.require(flag.has_value());
    return flag.value_or(false);
}

Note read_note(Fields& payload, Bytes body) {
    Note note;
    note.number = read_number(payload);
    note.wants_ack = read_flag(payload, "ack");
    if (payload.has("topic")) {
        note.topic = payload.text("topic", 1, limits::kTopicBytesMax);
    }
    payload.require(!body.empty() && body.size() <= limits::kPayloadBytesMax);
    note.note = body;
    return note;
}

SearchQuery read_query(Fields& payload, Bytes body) {
    SearchQuery query;
    query.number = read_number(payload);
    query.type = payload.text("type", 1, limits::kSearchTypeBytesMax);
    query.timeout_ms = static_cast<std::uint32_t>(payload.number("timeout", 0, limits::kWaitMsMax));
    query.limit = static_cast<std::uint32_t>(payload.number("limit", 1, limits::kSearchResultsMax));
    payload.require(!body.empty() && body.size() <= limits::kPayloadBytesMax);
    query.query = body;
    return query;
}

SearchAnswer read_answer(Fields& payload, Bytes body) {
    SearchAnswer answer;
    answer.number = read_number(payload);
    answer.is_pending = read_flag(payload, "pending");
    answer.is_truncated = read_flag(payload, "truncated");
    answer.silent =
        static_cast<std::uint32_t>(payload.number_or_zero("silent", limits::kRespondersMax));
    answer.skipped =
        static_cast<std::uint32_t>(payload.number_or_zero("skipped", limits::kRespondersMax));
    if (payload.has("refused")) {
        answer.refused = payload.text("refused", 1, kReasonBytesMax);
    }
    payload.require(body.empty() == (answer.is_pending || !answer.refused.empty()) &&
                    body.size() <= limits::kPayloadBytesMax);
    answer.results = body;
    return answer;
}

/// Nothing where it is a payload that this build does not know.
std::optional<RoutedPayload> read_payload(Fields& fields, Bytes body, MessageKind kind) {
    const auto read = [&](std::string_view key, auto reader) {
        Fields payload(fields[key]);
        RoutedPayload result = reader(payload);
        fields.require(payload.ok() && routed_kind(result) == kind);
        return result;
    };
    const auto without_body = [&] { fields.require(body.empty()); };
    if (fields.has("report")) {
        without_body();
        return read("report", read_report);
    }
    if (fields.has("note")) {
        return read("note", [&](Fields& payload) { return read_note(payload, body); });
    }
    if (fields.has("noted")) {
        without_body();
        return read("noted", [](Fields& payload) { return NoteAck{read_number(payload)}; });
    }
    if (fields.has("ping")) {
        without_body();
        return read("ping", [](Fields& payload) {
            return Ping{read_number(payload), read_flag(payload, "trace")};
        });
    }
    if (fields.has("pong")) {
        without_body();
        return read("pong", [](Fields& payload) {
            return Pong{read_number(payload), payload.path("passed")};
        });
    }
    if (fields.has("query")) {
        return read("query", [&](Fields& payload) { return read_query(payload, body); });
    }
    if (fields.has("answer")) {
        return read("answer", [&](Fields& payload) { return read_answer(payload, body); });
    }
    return std::nullopt;
}

/// Whether it may be said to one node, or to everyone.
bool may_go(const RoutedPayload& payload, bool is_to_one) {
    if (const auto* note = std::get_if<Note>(&payload)) {
        return is_to_one ? note->topic.empty() : !note->wants_ack;
    }
    return is_to_one || std::holds_alternative<SearchQuery>(payload);
}

}  // namespace

MessageKind routed_kind(const RoutedPayload& payload) {
    return std::holds_alternative<SearchQuery>(payload) ||
                   std::holds_alternative<SearchAnswer>(payload)
               ? MessageKind::Search
               : MessageKind::Broadcast;
}

Bytes write_fields(json::Writer& writer, const Routed& routed) {
    MESHD_ASSERT(!routed.source.empty() && routed.start && routed.seq <= limits::kCounterMax &&
                 may_go(routed.payload, !routed.destination.empty()));
    writer.member("source", routed.source.text());
    writer.member("start", print_hex(routed.start.value));
    writer.member("seq", routed.seq);
    writer.member("timestamp", routed.timestamp_ms);
    if (!routed.destination.empty()) {
        writer.member("to", routed.destination.text());
    } else if (routed.graph != 0) {
        writer.member("graph", routed.graph);
    }
    writer.key("path");
    write_path(writer, routed.path);
    const Bytes body = std::visit(
        [&](const auto& payload) { return write_payload(writer, payload); }, routed.payload);
    writer.end_object();
    return body;
}

std::optional<Message> read_routed(Fields& fields, Bytes body, MessageKind kind) {
    Routed routed;
    routed.source = fields.node("source");
    routed.start = StartId{fields.hex("start")};
    routed.seq = fields.number("seq", 0, limits::kCounterMax);
    routed.timestamp_ms = fields.signed_number("timestamp");
    if (fields.has("to")) {
        routed.destination = fields.node("to");
    } else {
        routed.graph = static_cast<std::uint32_t>(fields.number_or_zero("graph", UINT32_MAX));
    }
    fields.require(fields.has("path"));
    routed.path = fields.path("path");
    auto payload = read_payload(fields, body, kind);
    if (!payload) {
        return std::nullopt;
    }
    routed.payload = *std::move(payload);
    fields.require(may_go(routed.payload, !routed.destination.empty()));
    return routed;
}

}  // namespace meshd
