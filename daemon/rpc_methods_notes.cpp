// SPDX-License-Identifier: Apache-2.0
// Handlers of notes, pings and traces.
#include <chrono>
#include <utility>

#include "daemon/rpc_methods.h"

namespace meshd {

using ipc::CallReply;

namespace {

Duration wait_of(const ipc::Params& params) {
    return std::chrono::milliseconds(params.integer("timeout_ms"));
}

}  // namespace

CallReply RpcMethods::send_note(const ipc::Method& method, const ipc::Params& params) {
    SendNote send;
    send.node = *params.node_id("node");
    send.note = params.value("note").print();
    send.wants_ack = params.boolean("ack");
    send.timeout = wait_of(params);
    return command(method, params, std::move(send));
}

CallReply RpcMethods::broadcast_note(const ipc::Method& method, const ipc::Params& params) {
    BroadcastNote broadcast;
    broadcast.topic = params.string("topic").value_or("");
    broadcast.note = params.value("note").print();
    return command(method, params, std::move(broadcast));
}

CallReply RpcMethods::probe(const ipc::Method& method, const ipc::Params& params) {
    Probe probe;
    probe.node = *params.node_id("node");
    probe.is_trace = method.id == ipc::MethodId::MeshTrace;
    probe.timeout = wait_of(params);
    return command(method, params, std::move(probe));
}

}  // namespace meshd
