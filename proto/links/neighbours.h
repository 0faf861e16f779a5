// SPDX-License-Identifier: Apache-2.0
/// \file
/// With whom to hold links (PROTOCOL.md, "Whom to ask"). Up to max_peers nodes in hearing: with
/// all. Above: the two neighbours on the *ring* of hashed names, random *fill* to a target of six,
/// of two candidates the one with fewer links, and the *bridge rule*, which keeps the mesh
/// connected where random choice would not: a node that is heard but not reachable in the known
/// topology is linked to. A full node makes room for a ring neighbour or a bridge by dropping a
/// *redundant* link (routing/redundancy.h) as the new one comes up: a beacon, which anybody can
/// send in any name, takes no link's place. What is too much is pruned slowly, where both ends
/// agree.
///
/// Invariants: no more than max_peers links, and three handshakes beyond (links too, for seconds),
/// but for bridges to nodes that cannot be reached otherwise; only redundant links are given up; a
/// ring link can be forced in only by a node that is ring neighbour in both views, so that two that
/// each find only the other's place taken never chase each other in turn.
///
/// Counts of links that come in here include handshakes under way.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "proto/base/prng.h"
#include "proto/base/table.h"
#include "proto/base/time.h"
#include "proto/wire/limits.h"
#include "proto/wire/message.h"

namespace meshd {

/// A node heard directly: by beacon, offer or as a link's other end.
struct HeardNode {
    /// An address and the local interface at which it was heard.
    struct Way {
        Endpoint endpoint;
        TimePoint last_heard;
    };
    /// Two interfaces at each end, or two address families.
    static constexpr std::size_t kWaysMax = 4;

    Identity identity;
    Endpoint endpoint;      ///< the best way: heard last, and not failed since
    std::vector<Way> ways;  ///< best first
    TimePoint last_heard;
    TimePoint avoid_until;         ///< after a refusal, silence or a drop: for ring and fill
    TimePoint avoid_fill_until;    ///< after several losses of the link: for fill
    TimePoint avoid_bridge_until;  ///< after a refused bridge or silence
    std::optional<TimePoint> silent_since;   ///< it is avoided for silence, which an OFFER ends
    unsigned failures = 0;                   ///< refusals or silences in a row
    LinkReason asked_as = LinkReason::Fill;  ///< by either end, last
    std::vector<TimePoint> losses;           ///< of its link by silence, the last few
    KeyId seal;  ///< the mesh key that it was last heard under outside a link; 0 = open
    std::uint32_t seal_generation = 0;  ///< of that key
    TimePoint sealed_at{};              ///< when it was last heard under it
    std::optional<Cookie> cookie;       ///< from its last offer
    Endpoint cookie_from;
    TimePoint cookie_at;
    // As of the last tick:
    std::optional<TimePoint> unreachable_since;  ///< in the topology
    bool is_present = true;  ///< reachable, unknown, or heard since the mesh lost it
    bool is_taken = false;   ///< linked or in a handshake
};

/// How the rest of the mesh sees a node.
struct Standing {
    enum class Kind : std::uint8_t {
        Unknown,    ///< nothing is known, or it was never reachable
        Reachable,  ///< in the known topology
        CutOff,     ///< its way was lost, not itself
        Gone,       ///< offline, or left
    };
    Kind kind = Kind::Unknown;
    TimePoint since;  ///< for CutOff and Gone
};

class Neighbours {
  public:
    struct Options {
        std::size_t max_peers;
        std::size_t bridges_max;
        Duration heard_for;  ///< without being heard again a node is forgotten here
        NodeId self{};
    };
    /// What choosing needs to know of the rest of the node.
    struct Facts {
        struct Linked {
            NodeId node;
            TimePoint up_since;
        };
        std::vector<Linked> links;    ///< with the starts heard; rising by name
        std::vector<NodeId> pending;  ///< handshakes with others than these; rising
        std::size_t former = 0;       ///< links and handshakes with former starts of nodes
        bool bridge_pending = false;
        std::function<Standing(const NodeId&)> standing;
        std::function<std::size_t(const NodeId&)> degree;
        /// Of a link's other end: the mesh stays whole without this link, whatever else is dropped.
        std::function<bool(const NodeId&)> is_redundant;

        bool is_linked(const NodeId& node) const;
        bool is_taken(const NodeId& node) const;
        /// Links and handshakes with others than `except`.
        std::size_t degree_but(const NodeId& except) const;
        std::size_t links_in_all() const { return links.size() + former; }
    };
    struct Want {
        Identity peer;
        Endpoint endpoint;
        LinkReason reason;
        std::optional<Cookie> cookie;
        bool is_forced = false;
    };
    struct Todo {
        std::vector<Want> asks;
        std::optional<NodeId> drop;   ///< redundant, and beyond max_peers
        std::optional<NodeId> prune;  ///< to be asked whether it agrees to part
    };
    /// Links kept where all do not fit, and above which fill is refused and links are pruned: 6 and
    /// 8 with the default of 10 max_peers, 0.6 and 0.8 of less, two for the ring at least.
    static constexpr std::size_t kTarget = 6;
    static constexpr std::size_t kSoftMax = 8;
    static constexpr std::size_t kHeardMax = limits::kNodesMax;
    /// Full nodes ask so many more who have not answered yet: both ring neighbours and a bridge.
    static constexpr std::size_t kUnansweredMax = 3;
    /// A cookie is used while the epoch it was baked in is surely still accepted.
    static constexpr Duration kCookieLife = std::chrono::seconds(8);
    /// A peer whose link went silent so often within the time is not worth a link of choice.
    static constexpr std::size_t kLossesMax = 3;
    static constexpr Duration kLossWindow = std::chrono::minutes(5);
    static constexpr Duration kLossAvoid = std::chrono::seconds(30);
    /// Who was heard sealed is not asked in the open, nor under an older key, for so long: two
    /// slow beacons.
    static constexpr Duration kSealedFor = std::chrono::minutes(2);

    Neighbours(Options options, Prng& prng) : options_(std::move(options)), prng_(&prng) {}

    /// True where the node was not known here (new name, or a new start of it). In a full table the
    /// one silent longest, of those without link or handshake, makes room.
    bool on_heard(TimePoint now, const Identity& identity, const Endpoint& endpoint,
                  const std::optional<Cookie>& cookie);
    /// What a node was heard under, and the key's generation (0 in the open). Who speaks under
    /// several is asked under the newest, sealed rather than in the open: what was recorded before
    /// the keys changed would else lead back to a key that somebody may have.
    void on_seal(TimePoint now, const NodeId& node, KeyId seal, std::uint32_t generation);
    /// A handshake came to nothing.
    void on_failed(TimePoint now, const NodeId& peer, bool refused);
    /// A link was given up by either end, since it was one too many.
    void on_dropped(TimePoint now, const NodeId& peer);
    /// A link went down by silence. `endpoint` is where its peer was.
    void on_link_lost(TimePoint now, const NodeId& peer, const Endpoint& endpoint);
    /// The interfaces that are left: ways over others are forgotten.
    void on_interfaces(const std::set<std::uint32_t>& interfaces);
    /// Something changed: choose again soon (coalesced, jittered 20–200 ms; at once without links).
    void on_change(TimePoint now, bool urgent);
    /// Other limits of links and of what is remembered; looks at once.
    void set_limits(TimePoint now, std::size_t max_peers, Duration heard_for);
    Todo on_timeout(TimePoint now, const Facts& facts);
    std::optional<TimePoint> next_deadline() const { return tick_at_; }

    /// Whether to accept a REQ of a node that has neither link nor handshake here.
    bool on_req(TimePoint now, const NodeId& asker, LinkReason reason, bool is_forced,
                const Facts& facts);
    /// A link with `peer` comes up, and there are as many as may be: which to drop for it.
    std::optional<NodeId> victim_for(TimePoint now, const NodeId& peer, const Facts& facts) const {
        return victim(now, facts, peer);
    }
    /// Whether to part from a peer that asks for it.
    bool agrees_to_prune(const NodeId& peer, const Facts& facts) const;

    std::size_t heard() const { return heard_.size(); }
    const auto& all() const { return heard_; }
    const HeardNode* find(const NodeId& node) const;
    /// Successor or predecessor on the ring of the hashes of the nodes heard and self.
    bool is_ring_neighbour(const NodeId& node) const;

    std::size_t target() const;
    std::size_t soft_max() const;

  private:
    bool make_room();
    bool is_full_mesh() const { return heard_.size() <= options_.max_peers; }
    void look(TimePoint now, const Facts& facts);
    TimePoint quiet_at() const;
    bool has_room_for(TimePoint now, const Facts& facts, const NodeId& peer,
                      const Todo& todo) const;
    void choose_ring(TimePoint now, const Facts& facts, Todo& todo);
    void choose_bridge(TimePoint now, const Facts& facts, Todo& todo);
    void choose_fill(TimePoint now, const Facts& facts, Todo& todo);
    void choose_prune(TimePoint now, const Facts& facts, Todo& todo);
    bool judge(TimePoint now, const NodeId& asker, LinkReason reason, bool is_forced,
               const Facts& facts) const;
    void ask(TimePoint now, HeardNode& heard, LinkReason reason, Todo& todo) const;
    bool is_forced(TimePoint now) const;
    std::optional<NodeId> victim(TimePoint now, const Facts& facts, const NodeId& asker) const;
    std::pair<const HeardNode*, const HeardNode*> ring_neighbours() const;
    void again_at(TimePoint at);

    Options options_;
    Prng* prng_;
    using BySilence = std::list<const NodeId*>;
    struct Kept : HeardNode {
        BySilence::iterator place;  ///< in by_silence_
    };
    Table<NodeId, Kept> heard_;
    BySilence by_silence_;  ///< all of heard_, silent longest first
    std::optional<TimePoint> tick_at_;
    std::optional<TimePoint> bridge_at_;
    std::optional<TimePoint> first_heard_at_;
    TimePoint new_heard_at_;
    bool is_filling_ = false;
    TimePoint fill_at_;
    std::vector<NodeId> linked_before_;  ///< as of the last tick
    TimePoint prune_at_;
};

}  // namespace meshd
