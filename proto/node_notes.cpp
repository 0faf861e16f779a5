// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/base/json.h"
#include "proto/node_impl.h"
#include "proto/node_params.h"

namespace meshd {
namespace {

/// Messages waiting on every link beyond which notes are refused rather than queued.
constexpr std::size_t kNoteBacklogMax = 1500;

}  // namespace

tl::expected<RequestId, CommandError> Node::Impl::send_note(Now now, const SendNote& command) {
    const auto document = parse_object(command.note, "note", limits::kPayloadBytesMax);
    if (!document) {
        return tl::unexpected(document.error());
    }
    if (auto error = check_wait(command.timeout)) {
        return tl::unexpected(*std::move(error));
    }
    if (command.node != self_.node && store_.node_record(command.node) == nullptr) {
        return tl::unexpected(unknown_node(command.node, "node"));
    }
    if (has_left_ || leaving_) {
        return tl::unexpected(left_error());
    }
    const std::string text = document->root().print();
    if (!notes_.has_room(text.size()) || is_congested(kNoteBacklogMax)) {
        return tl::unexpected(overloaded("too many notes are on their way"));
    }
    const RequestId request = next_request();
    const std::uint64_t number = next_number_++;
    if (command.node == self_.node) {
        tell_note(self_.node, {number, false, {}, as_bytes(text)}, false, now.wall.ms, {});
        outputs_.push_back(NoteSent{
            request, self_.node, command.wants_ack ? NoteOutcome::Acknowledged : NoteOutcome::Sent,
            Duration{}});
        return request;
    }
    notes_.send(now.monotonic, number,
                {request, command.node, to_buffer(as_bytes(text)), command.wants_ack,
                 now.monotonic + command.timeout});
    return request;
}

tl::expected<RequestId, CommandError> Node::Impl::broadcast_note(Now now,
                                                                 const BroadcastNote& command) {
    const auto document = parse_object(command.note, "note", limits::kPayloadBytesMax);
    if (!document) {
        return tl::unexpected(document.error());
    }
    if (!command.topic.empty()) {
        if (auto error = check_name(command.topic, "topic", limits::kTopicBytesMax)) {
            return tl::unexpected(*std::move(error));
        }
    }
    if (has_left_ || leaving_) {
        return tl::unexpected(left_error());
    }
    if (is_congested(kNoteBacklogMax)) {
        return tl::unexpected(overloaded("too many notes are on their way"));
    }
    const RequestId request = next_request();
    const std::string text = document->root().print();
    const Note note{next_number_++, false, command.topic, as_bytes(text)};
    spread(note);
    tell_note(self_.node, note, true, now.wall.ms, {});
    const auto& members = membership_.members();
    const auto alive = std::count_if(members.begin(), members.end(), [](const auto& member) {
        return member.second.status == NodeStatus::Alive;
    });
    counters_.add(Counter::notes_sent);
    outputs_.push_back(NoteSpread{request, static_cast<std::size_t>(alive)});
    return request;
}

tl::expected<RequestId, CommandError> Node::Impl::probe(Now now, const Probe& command) {
    if (auto error = check_wait(command.timeout)) {
        return tl::unexpected(*std::move(error));
    }
    if (command.node != self_.node && store_.node_record(command.node) == nullptr) {
        return tl::unexpected(unknown_node(command.node, "node"));
    }
    if (probes_.is_full()) {
        return tl::unexpected(overloaded("too many pings are on their way"));
    }
    const RequestId request = next_request();
    if (command.node == self_.node) {
        outputs_.push_back(Probed{request, self_.node, Duration{}, {}});
        return request;
    }
    const std::uint64_t number = next_number_++;
    const bool has_route = send_routed(command.node, Ping{number, command.is_trace});
    probes_.start(now.monotonic, number, request, command.node, command.is_trace,
                  now.monotonic + (has_route ? command.timeout : Duration{}));
    probes_.on_timeout(now.monotonic);
    return request;
}

void Node::Impl::on_note(Now now, const Routed& routed, const Note& note) {
    const std::string_view text = as_text(note.note);
    if (!is_payload(text) ||
        (!note.topic.empty() && !is_name(note.topic, limits::kTopicBytesMax))) {
        counters_.add(Counter::drop_malformed);
        return;
    }
    const bool is_broadcast = routed.destination.empty();
    const bool is_new = notes_seen_.accept(now.monotonic, routed.source, routed.start, note.number);
    if (note.wants_ack) {
        send_routed(routed.source, NoteAck{note.number});
    }
    if (!is_new) {
        counters_.add(Counter::drop_duplicate);
        return;
    }
    counters_.add(Counter::notes_received);
    tell_note(routed.source, note, is_broadcast, routed.timestamp_ms, routed.path);
}

void Node::Impl::tell_note(const NodeId& source, const Note& note, bool is_broadcast,
                           std::int64_t timestamp_ms, const std::vector<std::uint32_t>& path) {
    outputs_.push_back(NoteEvent{source, is_broadcast, note.topic, std::string(as_text(note.note)),
                                 timestamp_ms, static_cast<std::uint32_t>(path.size()),
                                 path_names(source, path)});
}

void Node::Impl::on_ping(const Routed& routed, const Ping& ping) {
    send_routed(routed.source, Pong{ping.number, routed.path});
}

void Node::Impl::on_pong(TimePoint now, const NodeId& from, const Pong& pong) {
    std::vector<NodeId> passed;
    for (const std::uint32_t short_id : pong.passed) {
        passed.push_back(node_of(short_id));
    }
    probes_.on_pong(now, pong.number, from, passed);
}

void Node::Impl::run_notes(TimePoint now) {
    while (const auto number = notes_.poll_attempt()) {
        const NoteSender::Outgoing& note = notes_.note(*number);
        const bool was_sent = send_routed(note.node, Note{*number, note.wants_ack, {}, note.note});
        counters_.add(Counter::notes_sent, was_sent ? 1 : 0);
        notes_.on_attempt(now, *number, was_sent);
    }
    while (const auto result = notes_.poll_result()) {
        outputs_.push_back(NoteSent{result->request, result->node, result->outcome, result->took});
    }
    while (auto result = probes_.poll()) {
        outputs_.push_back(
            Probed{result->request, result->node, result->rtt, std::move(result->hops)});
    }
}

}  // namespace meshd
