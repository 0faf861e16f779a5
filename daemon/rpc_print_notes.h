// SPDX-License-Identifier: Apache-2.0
/// \file
/// Notes, pings and traces as the JSON texts that ipc/API.md describes.
#pragma once

#include <optional>
#include <string>

#include "ipc/call_reply.h"
#include "proto/node.h"
#include "proto/view.h"

namespace meshd {

/// Data of an event `note`.
std::string print_note(const NoteEvent& note);
/// What a notes.send came to. `node`: what is known of the receiver now.
ipc::CallReply note_reply(const NoteSent& sent, const std::optional<NodeView>& node);
/// What a mesh.ping came to, of `self` to `node`.
ipc::CallReply ping_reply(const Probed& probed, const NodeId& self,
                          const std::optional<NodeView>& node);
/// And a mesh.trace.
ipc::CallReply trace_reply(const Probed& probed, const std::optional<NodeView>& node);

}  // namespace meshd
