// SPDX-License-Identifier: Apache-2.0
/// \file
/// The daemon's results (ipc/API.md) as text for people: pure functions, one per method shown.
#pragma once

#include <set>
#include <string>

#include "cli/format.h"
#include "proto/base/json.h"

namespace meshd::cli {

std::string render_status(const json::Value& result, const Style& style);  ///< mesh.status
std::string render_stats(const json::Value& result, const Style& style);   ///< mesh.stats
std::string render_nodes(const json::Value& result, const Style& style);   ///< mesh.nodes
std::string render_node(const json::Value& result, const Style& style);    ///< mesh.node
std::string render_peers(const json::Value& result, const Style& style);   ///< mesh.peers
std::string render_routes(const json::Value& result, const Style& style);  ///< mesh.routes
std::string render_alerts(const json::Value& result, const Style& style);  ///< alerts.list
std::string render_alert(const json::Value& result, const Style& style);   ///< alerts.get
std::string render_state(const json::Value& result, const Style& style);   ///< state.get, .update
/// state.get and .update of scope mesh
std::string render_shared(const json::Value& result, const Style& style);
std::string render_keys(const json::Value& result, const Style& style);    ///< keys.list
std::string render_backup(const json::Value& result, const Style& style);  ///< store.backup

std::string render_forgotten(const json::Value& result, const Style& style);  ///< mesh.forget

std::string render_trace(const json::Value& result, const Style& style);  ///< mesh.trace

/// alerts.raise; `has_waited`: false where nobody waited for confirmations.
std::string render_raised(const json::Value& result, bool has_waited);

Tone tone_of_status(std::string_view status);
Tone tone_of_priority(std::string_view priority);
/// An alert's object on one line; {"message": text} alone as the text.
std::string print_alert(const json::Value& alert);
/// "unreachable (behind cam-3)", "left (restarting)", else the status itself.
std::string print_status(const json::Value& node);

}  // namespace meshd::cli
