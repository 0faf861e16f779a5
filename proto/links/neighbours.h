// SPDX-License-Identifier: Apache-2.0
/// \file
/// With whom to hold links. Up to max_peers + 1 nodes in hearing: with all. Above: random fill to a
/// target of about 6, of two candidates the one with fewer links, and the *bridge rule*, which
/// keeps the mesh connected where random choice would not: a node that is heard but not reachable
/// in the known topology is linked to, beyond max_peers if need be.
///
/// Counts of links that come in here include handshakes under way.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "proto/base/prng.h"
#include "proto/base/time.h"
#include "proto/wire/limits.h"
#include "proto/wire/message.h"

namespace meshd {

/// A node heard directly: by beacon, offer or as a link's other end.
struct HeardNode {
    Identity identity;
    Endpoint endpoint;
    TimePoint last_heard;
    TimePoint avoid_until;         ///< after a refusal or silence
    bool was_silent = false;       ///< it is avoided for silence, which an OFFER ends
    std::optional<Cookie> cookie;  ///< from its last offer
    TimePoint cookie_at;
    std::optional<TimePoint> unreachable_since;  ///< in the topology, as of the last tick
    bool is_linked_or_pending = false;           ///< as of the last tick
};

class Neighbours {
  public:
    struct Options {
        std::size_t max_peers;
        std::size_t bridges_max;
        Duration heard_for;  ///< without being heard again a node is forgotten here
    };
    /// What choosing needs to know of the rest of the node.
    struct Facts {
        std::size_t links = 0;
        std::size_t pending = 0;
        bool bridge_pending = false;
        std::function<bool(const NodeId&)> is_linked_or_pending;
        std::function<bool(const NodeId&)> is_reachable;
        std::function<std::size_t(const NodeId&)> degree;
    };
    struct Want {
        Identity peer;
        Endpoint endpoint;
        LinkReason reason;
        std::optional<Cookie> cookie;
    };

    static constexpr std::size_t kTarget = 6;
    static constexpr std::size_t kSoftMax = 8;
    static constexpr std::size_t kHeardMax = limits::kNodesMax;
    /// A cookie is used while the epoch it was baked in is surely still accepted.
    static constexpr Duration kCookieLife = std::chrono::seconds(8);

    Neighbours(Options options, Prng& prng) : options_(options), prng_(&prng) {}

    /// True where the node was not known here (new name, or a new start of it). In a full table the
    /// one silent longest, of those without link or handshake, makes room.
    bool on_heard(TimePoint now, const Identity& identity, const Endpoint& endpoint,
                  const std::optional<Cookie>& cookie);
    void on_failed(TimePoint now, const NodeId& peer, bool refused);
    /// Something changed: choose again soon (coalesced, jittered 20–200 ms; at once without links).
    void on_change(TimePoint now, bool urgent);
    std::vector<Want> on_timeout(TimePoint now, const Facts& facts);
    std::optional<TimePoint> next_deadline() const { return tick_at_; }

    /// Whether to accept a REQ, given the links and handshakes with nodes other than the requester.
    bool accepts(LinkReason reason, std::size_t links, bool requester_reachable) const;

    std::size_t heard() const { return heard_.size(); }
    const HeardNode* find(const NodeId& node) const;

  private:
    bool make_room();
    bool is_full_mesh() const { return heard_.size() <= options_.max_peers; }
    std::optional<Want> choose_fill(TimePoint now, const Facts& facts,
                                    const std::vector<Want>& chosen);
    std::optional<Want> choose_bridge(TimePoint now, const Facts& facts);
    Want want(TimePoint now, const HeardNode& heard, LinkReason reason) const;

    Options options_;
    Prng* prng_;
    std::map<NodeId, HeardNode> heard_;
    std::set<std::pair<TimePoint, NodeId>> by_last_heard_;  ///< all of heard_
    std::optional<TimePoint> tick_at_;
    std::optional<TimePoint> bridge_at_;
};

}  // namespace meshd
