// SPDX-License-Identifier: Apache-2.0
/// \file
/// Results of the local API: views of the node as the JSON texts that ipc/API.md describes. State
/// documents and alerts are compact JSON already and go in as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/json.h"
#include "proto/counters.h"
#include "proto/node.h"
#include "proto/view.h"

namespace meshd {

std::string print_status(const StatusView& status);
/// Counters beside the node's own, by name.
using OtherCounters = std::vector<std::pair<std::string_view, std::uint64_t>>;
std::string print_stats(const StatusView& status, const Counters& counters,
                        const OtherCounters& other_counters = {});

/// Document and age of a node's state; nothing where it is not known.
using MaybeState = std::optional<StateView>;

/// `states`: empty, or one per node.
std::string print_nodes(const std::vector<NodeView>& nodes, const std::vector<MaybeState>& states);
std::string print_node(const NodeView& node, const MaybeState& state);
std::string print_peers(const std::vector<PeerView>& peers);
std::string print_routes(const std::vector<Route>& routes);
std::string print_topology(const std::vector<NodeView>& nodes, const std::vector<LinkView>& links);

/// The first of `alerts`, at most `limit` and until the text exceeds `bytes_max` (one at least);
/// `next` is null where they are all of them.
struct AlertPage {
    std::string text;       ///< {"alerts":[…],"next":…}
    std::size_t count = 0;  ///< alerts in it
};
AlertPage print_alerts(const std::vector<AlertView>& alerts, std::size_t limit,
                       std::size_t bytes_max);
/// The members of an alert, inside an object that the caller began. `aged_ms`: since the view was
/// made.
void write_alert(json::Writer& writer, const AlertView& alert, std::uint64_t aged_ms = 0);
std::string print_alert(const AlertView& alert);

std::string print_raised(const AlertRaised& raised, std::size_t listeners);
/// With `is_alive` false the activity shows as OFFLINE.
std::string print_state(const StateView& state, bool is_alive = true);

/// Milliseconds with microseconds behind the point, as a JSON number: 0.412.
double fractional_ms(Duration duration);

}  // namespace meshd
