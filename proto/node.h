// SPDX-License-Identifier: Apache-2.0
/// \file
/// One mesh node as a pure state machine. It knows no socket, clock, thread or file: it is told the
/// time and what arrived, and returns what to send, what to tell, and when to be called again.
///
/// Contract with the driver. `now.monotonic` never goes back. After any handle_* call drain
/// poll_transmit and poll_output until they are empty, then re-arm one timer to next_timeout().
/// Early or repeated handle_timeout calls do nothing. The same object runs in the daemon (one) and
/// in the simulator (thousands).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/endpoint.h"
#include "proto/base/time.h"
#include "proto/config.h"
#include "proto/counters.h"
#include "proto/view.h"

namespace meshd {

// ---- commands: what a local process asks -------------------------------------------------------

/// Raises an alert. `alert`: compact JSON object of at most limits::kPayloadBytesMax.
struct RaiseAlert {
    std::string alert;
    Priority priority = Priority::Normal;
    /// How long the answer may wait for delivery reports; 0 = answer at once. At most 60 s.
    Duration wait{};
};

/// Merge patch (RFC 7396) on the own state document, and the own activity. Either may be absent.
struct UpdateState {
    std::optional<std::string> patch;
    std::optional<Activity> activity;
};

/// Announces left (or restarting), waits at most 500 ms until peers have it, closes all links.
struct Leave {
    bool restarting = false;
};

/// Sends beacons now, and rejoins after Leave.
struct Discover {};

using Command = std::variant<RaiseAlert, UpdateState, Leave, Discover>;

/// Why a command was refused before any effect.
struct CommandError {
    enum class Code {
        InvalidParams,  ///< `field` says which
        TooLarge,
        HasLeft,
        Overloaded,  ///< try again after `retry_after`
    };
    Code code = Code::InvalidParams;
    std::string field;
    std::string message;
    Duration retry_after{};
};

// ---- outputs: answers and events --------------------------------------------------------------

struct AlertRaised {
    RequestId request;
    std::string id;
    std::vector<NodeId> delivered;  ///< other nodes that hold it in memory
    std::vector<NodeId> pending;    ///< other nodes alive at the asking that have not said so
};
struct StateUpdated {
    RequestId request;
    StateView state;
};
struct HasLeft {
    RequestId request;
};
struct Discovered {
    RequestId request;
};

enum class NodeEventKind {
    Joined,       ///< seen for the first time
    Left,         ///< said goodbye
    Restarting,   ///< said goodbye, will be back
    Offline,      ///< no path, and the nodes around it say it is silent
    Unreachable,  ///< cut off together with `because`
    Returned,     ///< alive again
    Conflict,     ///< another node uses this node's name; `because` is empty
};
/// "node.joined", "node.left", …
std::string_view node_event_name(NodeEventKind kind);

struct NodeEvent {
    NodeEventKind kind = NodeEventKind::Joined;
    NodeId node;
    NodeId because;
};
struct LinkEvent {
    bool up = false;
    NodeId peer;
    Endpoint address;
};
struct StateEvent {
    StateView state;
};
struct AlertEvent {
    AlertView alert;
    /// Came by repair while older than a live alert could be: subscribers that want only live ones
    /// skip it.
    bool replayed = false;
};

using Output = std::variant<AlertRaised, StateUpdated, HasLeft, Discovered, NodeEvent, LinkEvent,
                            StateEvent, AlertEvent>;

// ---- datagrams --------------------------------------------------------------------------------

/// A datagram to send.
struct Transmit {
    /// Where to; for a beacon (`is_beacon`) the driver sends it from the interface
    /// `to.interface` to that interface's broadcast and multicast addresses instead.
    Endpoint to;
    bool is_beacon = false;
    Buffer bytes;
};

// ---- the node ---------------------------------------------------------------------------------

class Node {
  public:
    Node(Config config, NodeOptions options, Now start);
    Node(Node&&) noexcept;
    Node& operator=(Node&&) noexcept;
    ~Node();

    /// The local addresses to speak from, one per usable interface (`interface` set, `port` the one
    /// advertised). Beacons go out on each; call again whenever they change.
    void handle_addresses(Now now, std::vector<Endpoint> addresses);
    /// A datagram from `from` (its `interface` set to the one it came in by). Whatever it holds,
    /// the worst that happens is a counter.
    void handle_datagram(Now now, const Endpoint& from, Bytes datagram);
    void handle_timeout(Now now);
    /// The answer comes as an output with the returned id, possibly much later.
    tl::expected<RequestId, CommandError> handle_command(Now now, Command command);

    std::optional<Transmit> poll_transmit();
    std::optional<Output> poll_output();
    std::optional<TimePoint> next_timeout() const;

    // Views. `now` makes ages and durations; nothing changes by asking.
    StatusView status(Now now) const;
    /// By node id, itself included.
    std::vector<NodeView> nodes(Now now) const;
    std::optional<NodeView> node(Now now, const NodeId& id) const;
    std::vector<PeerView> peers(Now now) const;
    std::vector<Route> routes() const;
    /// Confirmed links of the whole known mesh.
    std::vector<LinkView> links() const;
    std::optional<StateView> state(Now now, const NodeId& id) const;
    /// Newest first.
    std::vector<AlertView> alerts(Now now) const;
    const Counters& counters() const;
    const NodeId& id() const;
    const Config& config() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshd
