// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_print_notes.h"

#include <utility>

#include "daemon/rpc_print.h"
#include "proto/base/json.h"

namespace meshd {

using ipc::CallReply;
using ipc::Error;
using ipc::ErrorCode;

namespace {

/// That there is no way to a node, and why: "box-3 is unreachable, because of box-2".
Error no_way(ErrorCode code, const NodeId& id, const std::optional<NodeView>& node) {
    Error error;
    error.code = code;
    error.field = "node";
    error.message = std::string(id.text());
    if (!node || node->status == NodeStatus::Alive) {
        error.message = "there is no way to " + error.message;
        error.status = node ? node_status_name(node->status) : "unknown";
        return error;
    }
    error.status = node_status_name(node->status);
    error.message += node->status == NodeStatus::Left ? " has left" : " is " + error.status;
    if (!node->because.empty()) {
        error.because = node->because.text();
        error.message += ", because of " + error.because;
    }
    return error;
}

bool is_away(const std::optional<NodeView>& node) {
    return !node || node->status != NodeStatus::Alive || !node->hops;
}

Error timed_out(ErrorCode code, std::string message, const std::optional<NodeView>& node) {
    Error error;
    error.code = code;
    error.field = "node";
    error.message = std::move(message);
    error.status = node ? node_status_name(node->status) : "unknown";
    return error;
}

void write_node(json::Writer& writer, const NodeId& node) {
    node.empty() ? writer.null() : writer.string(node.text());
}

}  // namespace

std::string print_note(const NoteEvent& note) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().member("source", note.source.text()).key("topic");
    note.topic.empty() ? writer.null() : writer.string(note.topic);
    writer.member("broadcast", note.is_broadcast)
        .member_raw("note", note.note)
        .member("timestamp_ms", note.timestamp_ms)
        .member("hops", note.hops)
        .key("path")
        .begin_array();
    for (const std::string& node : note.path) {
        writer.string(node);
    }
    writer.end_array().end_object();
    return text;
}

CallReply note_reply(const NoteSent& sent, const std::optional<NodeView>& node) {
    if (sent.outcome == NoteOutcome::NoRoute) {
        return CallReply::failed(no_way(ErrorCode::Undeliverable, sent.node, node));
    }
    if (sent.outcome == NoteOutcome::Silent) {
        const std::string name(sent.node.text());
        return CallReply::failed(
            is_away(node)
                ? no_way(ErrorCode::NotAcknowledged, sent.node, node)
                : timed_out(ErrorCode::NotAcknowledged,
                            "sent, but " + name + " has not said in time that it has it", node));
    }
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("node", sent.node.text())
        .member("acknowledged", sent.outcome == NoteOutcome::Acknowledged)
        .member("took_ms", fractional_ms(sent.took))
        .end_object();
    return CallReply::done(std::move(text));
}

CallReply ping_reply(const Probed& probed, const NodeId& self,
                     const std::optional<NodeView>& node) {
    if (!probed.rtt) {
        return CallReply::failed(
            is_away(node)
                ? no_way(ErrorCode::NodeUnreachable, probed.node, node)
                : timed_out(ErrorCode::NoAnswer,
                            std::string(probed.node.text()) + " has not answered in time", node));
    }
    std::string text;
    json::Writer writer(text);
    writer.begin_object()
        .member("node_id", probed.node.text())
        .member("rtt_ms", fractional_ms(*probed.rtt))
        .member("hops", probed.hops.size())
        .key("path")
        .begin_array()
        .string(self.text());
    for (const Probes::Hop& hop : probed.hops) {
        write_node(writer, hop.node);
    }
    writer.end_array().end_object();
    return CallReply::done(std::move(text));
}

CallReply trace_reply(const Probed& probed, const std::optional<NodeView>& node) {
    if (!probed.rtt && probed.hops.empty() && is_away(node)) {
        return CallReply::failed(no_way(ErrorCode::NodeUnreachable, probed.node, node));
    }
    std::string text;
    json::Writer writer(text);
    writer.begin_object()
        .member("node_id", probed.node.text())
        .member("complete", probed.rtt.has_value())
        .key("hops")
        .begin_array();
    std::size_t number = 0;
    for (const Probes::Hop& hop : probed.hops) {
        writer.begin_object().member("hop", ++number).key("node_id");
        write_node(writer, hop.node);
        writer.key("rtt_ms");
        hop.rtt ? writer.number(fractional_ms(*hop.rtt)) : writer.null();
        writer.end_object();
    }
    writer.end_array().end_object();
    return CallReply::done(std::move(text));
}

}  // namespace meshd
