// SPDX-License-Identifier: Apache-2.0
#include "proto/links/neighbours.h"

#include <algorithm>

namespace meshd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// How long a heard node must be missing from the topology before it is bridged to: its record may
/// be on its way.
constexpr Duration kBridgeHold = milliseconds(400);
constexpr Duration kBridgeWait = milliseconds(150);
/// Ring neighbours, and all of a small mesh, are asked when nobody new was heard for the first, or
/// after the second: before, each new name would move them.
constexpr Duration kQuiet = milliseconds(120);
constexpr Duration kQuietWait = milliseconds(500);
/// Ticks that come of waiting are so far apart at least.
constexpr Duration kTickAgain = milliseconds(20);
constexpr Duration kRefusedMin = seconds(1);
constexpr Duration kRefusedMax = seconds(3);
constexpr Duration kSilentMin = seconds(2);
constexpr Duration kSilentMax = seconds(5);
/// Each failure in a row doubles the time, so often: a node that will not have us costs a handshake
/// a minute.
constexpr unsigned kDoublingsMax = 4;
/// Each asks for half of the links that it lacks, and looks again when others have had time to ask.
constexpr Duration kFillPace = milliseconds(400);
constexpr std::size_t kRing = 2;
/// Links beyond max_peers are looked at again: what was not redundant may be by then.
constexpr Duration kDropAgain = seconds(2);
/// A ring link this young is nobody's victim: its end may not know yet whose neighbour it is.
constexpr Duration kRingYoung = seconds(2);
constexpr Duration kPruneMin = seconds(10);
constexpr Duration kPruneMax = seconds(15);
/// So many that refuse a node make its bridge forced.
constexpr std::size_t kForcedBy = 3;

bool contains(const std::vector<NodeId>& rising, const NodeId& node) {
    return std::binary_search(rising.begin(), rising.end(), node);
}

bool is_same_source(const Endpoint& a, const Endpoint& b) {
    return a.interface == b.interface && a.is_ipv4() == b.is_ipv4();
}

/// It has answered of late, and can be sent a REQ at once.
bool has_fresh_cookie(TimePoint now, const HeardNode& heard) {
    return heard.cookie && now - heard.cookie_at < Neighbours::kCookieLife &&
           is_same_source(heard.cookie_from, heard.endpoint);
}

std::size_t share_of(std::size_t max_peers, std::size_t tenths, std::size_t most) {
    const std::size_t share = (max_peers * tenths + 9) / 10;
    return std::min({most, max_peers, std::max<std::size_t>(2, share)});
}

/// The way that failed is tried last from now on.
void demote(HeardNode& heard, Endpoint endpoint) {
    const auto way = std::find_if(heard.ways.begin(), heard.ways.end(),
                                  [&](const auto& w) { return w.endpoint == endpoint; });
    if (way != heard.ways.end()) {
        std::rotate(way, way + 1, heard.ways.end());
        heard.endpoint = heard.ways.front().endpoint;
    }
}

/// Three times what beacons of all together are apart.
constexpr Duration kHeardForPerNode = milliseconds(750);

}  // namespace

bool Neighbours::Facts::is_linked(const NodeId& node) const {
    const auto it =
        std::lower_bound(links.begin(), links.end(), node,
                         [](const Linked& linked, const NodeId& n) { return linked.node < n; });
    return it != links.end() && it->node == node;
}

bool Neighbours::Facts::is_taken(const NodeId& node) const {
    return is_linked(node) || contains(pending, node);
}

std::size_t Neighbours::Facts::degree_but(const NodeId& except) const {
    return links.size() + pending.size() + former - (is_taken(except) ? 1 : 0);
}

std::size_t Neighbours::target() const {
    return share_of(options_.max_peers, 6, kTarget);
}

std::size_t Neighbours::soft_max() const {
    return share_of(options_.max_peers, 8, kSoftMax);
}

/// Links are few and handshakes bounded, so that this passes over few nodes that stay.
bool Neighbours::make_room() {
    const auto oldest =
        std::find_if(by_silence_.begin(), by_silence_.end(),
                     [&](const NodeId* node) { return !heard_.find(*node)->is_taken; });
    if (oldest == by_silence_.end()) {
        return false;
    }
    const NodeId node = **oldest;
    by_silence_.erase(oldest);
    heard_.erase(node);
    return true;
}

bool Neighbours::on_heard(TimePoint now, const Identity& identity, const Endpoint& endpoint,
                          const std::optional<Cookie>& cookie) {
    Kept* kept = heard_.find(identity.node);
    if (kept == nullptr) {
        if (heard_.size() >= kHeardMax && !make_room()) {
            return false;
        }
        kept = &heard_[identity.node];
        kept->place = by_silence_.insert(by_silence_.end(), &kept->identity.node);
    } else {
        by_silence_.splice(by_silence_.end(), by_silence_, kept->place);
    }
    HeardNode& heard = *kept;
    const bool is_new = heard.identity != identity;
    if (is_new) {
        heard = HeardNode{};
        heard.identity = identity;
        new_heard_at_ = now;
        first_heard_at_ = first_heard_at_.value_or(now);
    }
    std::erase_if(heard.ways, [&](const auto& way) { return way.endpoint == endpoint; });
    if (heard.ways.size() >= HeardNode::kWaysMax) {
        heard.ways.pop_back();
    }
    heard.ways.insert(heard.ways.begin(), {endpoint, now});
    heard.endpoint = endpoint;
    heard.last_heard = now;
    heard.is_present = true;
    if (cookie) {
        heard.cookie = cookie;
        heard.cookie_from = endpoint;
        heard.cookie_at = now;
    }
    if (heard.silent_since) {
        // A beacon alone may come one way only: it ends no more than the doublings.
        const TimePoint until = cookie ? now : *heard.silent_since + kSilentMax;
        heard.avoid_until = std::min(heard.avoid_until, until);
        heard.avoid_bridge_until = std::min(heard.avoid_bridge_until, until);
        if (cookie) {
            heard.silent_since.reset();
        }
        heard.failures = 0;
    }
    if (heard.unreachable_since && !heard.is_taken) {
        on_change(now, false);
    }
    return is_new;
}

void Neighbours::on_seal(TimePoint now, const NodeId& node, KeyId seal, std::uint32_t generation) {
    HeardNode* known = heard_.find(node);
    if (known == nullptr) {
        return;
    }
    HeardNode& heard = *known;
    if (generation >= heard.seal_generation || now - heard.sealed_at > kSealedFor) {
        heard.seal = seal;
        heard.seal_generation = generation;
        heard.sealed_at = now;
    }
}

void Neighbours::on_failed(TimePoint now, const NodeId& peer, bool refused) {
    if (HeardNode* known = heard_.find(peer)) {
        HeardNode& heard = *known;
        Duration avoid = refused ? prng_->between(kRefusedMin, kRefusedMax)
                                 : prng_->between(kSilentMin, kSilentMax);
        // Who is out of reach is worth every try that it answers.
        if (!refused || !heard.unreachable_since) {
            avoid *= 1U << std::min(heard.failures, kDoublingsMax);
        }
        heard.failures += 1;
        heard.cookie.reset();
        if (!refused && heard.failures < heard.ways.size()) {
            avoid = {};  // there is another way to be tried
        }
        heard.avoid_until = now + avoid;
        if (!refused) {
            heard.silent_since = now;
            demote(heard, heard.endpoint);
        }
        if (!refused || heard.asked_as == LinkReason::Bridge) {
            heard.avoid_bridge_until = now + avoid;
        }
    }
    on_change(now, false);
}

void Neighbours::on_dropped(TimePoint now, const NodeId& peer) {
    if (HeardNode* heard = heard_.find(peer)) {
        heard->avoid_until = now + prng_->between(kRefusedMin, kRefusedMax);
    }
}

void Neighbours::on_link_lost(TimePoint now, const NodeId& peer, const Endpoint& endpoint) {
    HeardNode* known = heard_.find(peer);
    if (known == nullptr) {
        return;
    }
    HeardNode& heard = *known;
    demote(heard, endpoint);
    std::erase_if(heard.losses, [now](TimePoint at) { return now - at > kLossWindow; });
    heard.losses.push_back(now);
    if (heard.losses.size() >= kLossesMax) {
        heard.losses.erase(heard.losses.begin());
        heard.avoid_fill_until = now + kLossAvoid;
    }
}

void Neighbours::on_interfaces(const std::set<std::uint32_t>& interfaces) {
    for (auto& [node, heard] : heard_) {
        std::erase_if(heard.ways, [&](const auto& way) {
            return way.endpoint.interface != 0 && interfaces.count(way.endpoint.interface) == 0;
        });
        if (heard.ways.empty()) {
            // The address may still be routed to.
            heard.endpoint.interface = 0;
            heard.ways.push_back({heard.endpoint, heard.last_heard});
        }
        heard.endpoint = heard.ways.front().endpoint;
        // It was baked for an address that this node may have no more.
        heard.cookie.reset();
    }
}

void Neighbours::on_change(TimePoint now, bool urgent) {
    const TimePoint at = urgent ? now : now + prng_->between(milliseconds(20), milliseconds(200));
    if (!tick_at_ || at < *tick_at_) {
        tick_at_ = at;
    }
}

void Neighbours::set_limits(TimePoint now, std::size_t max_peers, Duration heard_for) {
    options_.max_peers = max_peers;
    options_.heard_for = heard_for;
    on_change(now, true);
}

void Neighbours::again_at(TimePoint at) {
    if (!tick_at_ || at < *tick_at_) {
        tick_at_ = at;
    }
}

std::pair<const HeardNode*, const HeardNode*> Neighbours::ring_neighbours() const {
    const HeardNode* first = nullptr;
    const HeardNode* last = nullptr;
    const HeardNode* successor = nullptr;
    const HeardNode* predecessor = nullptr;
    const auto is_below = [](const NodeId& a, const NodeId& b) {
        return a.hash() != b.hash() ? a.hash() < b.hash() : a < b;
    };
    const auto is_lower = [&](const HeardNode* a, const HeardNode* b) {
        return is_below(a->identity.node, b->identity.node);
    };
    for (const auto& entry : heard_) {
        const HeardNode* heard = &entry.second;
        if (!heard->is_present) {
            continue;
        }
        first = first == nullptr || is_lower(heard, first) ? heard : first;
        last = last == nullptr || is_lower(last, heard) ? heard : last;
        if (is_below(options_.self, entry.first)) {
            successor = successor == nullptr || is_lower(heard, successor) ? heard : successor;
        } else {
            predecessor =
                predecessor == nullptr || is_lower(predecessor, heard) ? heard : predecessor;
        }
    }
    return {successor == nullptr ? first : successor, predecessor == nullptr ? last : predecessor};
}

bool Neighbours::is_ring_neighbour(const NodeId& node) const {
    const HeardNode* heard = find(node);
    const auto [successor, predecessor] = ring_neighbours();
    return heard != nullptr && (heard == successor || heard == predecessor);
}

bool Neighbours::is_forced(TimePoint now) const {
    const auto avoided = std::count_if(heard_.begin(), heard_.end(), [now](const auto& entry) {
        const HeardNode& heard = entry.second;
        return now < std::max(heard.avoid_until, heard.avoid_bridge_until);
    });
    return static_cast<std::size_t>(avoided) >= std::min(kForcedBy, heard_.size());
}

void Neighbours::ask(TimePoint now, HeardNode& heard, LinkReason reason, Todo& todo) const {
    const bool is_fresh = has_fresh_cookie(now, heard);
    heard.asked_as = reason;
    heard.is_taken = true;
    todo.asks.push_back({heard.identity, heard.endpoint, reason,
                         is_fresh ? heard.cookie : std::nullopt,
                         reason == LinkReason::Bridge && is_forced(now)});
}

/// What has become of each node heard since the last tick.
void Neighbours::look(TimePoint now, const Facts& facts) {
    // Of many nodes each beacons more rarely (Discovery::kBeaconSpacing).
    const Duration heard_for = std::max<Duration>(
        options_.heard_for, static_cast<Duration::rep>(heard_.size()) * kHeardForPerNode);
    heard_.erase_if([&](const auto& entry) {
        const auto& [node, heard] = entry;
        const bool is_gone = now - heard.last_heard > heard_for && !facts.is_taken(node);
        if (is_gone) {
            by_silence_.erase(heard.place);
        }
        return is_gone;
    });
    for (auto& [node, heard] : heard_) {
        const bool is_linked = facts.is_linked(node);
        heard.is_taken = is_linked || facts.is_taken(node);
        if (is_linked) {
            heard.failures = 0;
        }
        const Standing standing = facts.standing(node);
        if (is_linked || standing.kind == Standing::Kind::Reachable) {
            heard.is_present = true;
            heard.unreachable_since.reset();
            continue;
        }
        // Without links all seem lost, and nobody else's word counts.
        const bool is_lost =
            (standing.kind == Standing::Kind::CutOff || standing.kind == Standing::Kind::Gone) &&
            !facts.links.empty();
        heard.is_present = !is_lost || heard.last_heard > standing.since;
        if (!heard.is_present && standing.kind == Standing::Kind::Gone) {
            heard.unreachable_since.reset();
        } else if (!heard.unreachable_since) {
            heard.unreachable_since = now;
        }
    }
    std::vector<NodeId> linked;
    for (const auto& link : facts.links) {
        linked.push_back(link.node);
    }
    if (linked != linked_before_) {
        linked_before_ = std::move(linked);
        prune_at_ = now + prng_->between(kPruneMin, kPruneMax);
    }
}

/// When those heard are probably those there are.
TimePoint Neighbours::quiet_at() const {
    return std::min(new_heard_at_ + kQuiet, first_heard_at_.value_or(new_heard_at_) + kQuietWait);
}

/// A full node asks where there is a link to be dropped when the new one comes up. Handshakes that
/// may come to nothing are no reason to drop one.
bool Neighbours::has_room_for(TimePoint now, const Facts& facts, const NodeId& peer,
                              const Todo& todo) const {
    const std::size_t degree = facts.degree_but(NodeId()) + todo.asks.size();
    return degree < options_.max_peers ||
           (facts.links_in_all() == options_.max_peers &&
            degree < options_.max_peers + kUnansweredMax && victim(now, facts, peer).has_value());
}

void Neighbours::choose_ring(TimePoint now, const Facts& facts, Todo& todo) {
    if (heard_.empty()) {
        return;
    }
    if (now < quiet_at()) {
        again_at(quiet_at());
        return;
    }
    const auto [successor, predecessor] = ring_neighbours();
    for (const HeardNode* neighbour : {successor, predecessor}) {
        if (neighbour == nullptr || neighbour->is_taken) {
            continue;
        }
        if (now < neighbour->avoid_until) {
            again_at(neighbour->avoid_until);
            continue;
        }
        if (!has_room_for(now, facts, neighbour->identity.node, todo)) {
            again_at(now + kRefusedMin);
            continue;
        }
        ask(now, *heard_.find(neighbour->identity.node), LinkReason::Ring, todo);
    }
}

void Neighbours::choose_bridge(TimePoint now, const Facts& facts, Todo& todo) {
    // Who was heard since it was lost is there; of others only the way may be back.
    std::vector<HeardNode*> present;
    std::vector<HeardNode*> others;
    const Duration hold = facts.links.empty() ? Duration{} : kBridgeHold;
    for (auto& [node, heard] : heard_) {
        if (!heard.unreachable_since || heard.is_taken) {
            continue;
        }
        const TimePoint from = std::max(*heard.unreachable_since + hold, heard.avoid_bridge_until);
        if (now < from) {
            again_at(from);
            continue;
        }
        (heard.is_present ? present : others).push_back(&heard);
    }
    const std::vector<HeardNode*>& apart = present.empty() ? others : present;
    if (apart.empty() || facts.bridge_pending ||
        facts.degree_but(NodeId()) >= options_.bridges_max) {
        bridge_at_.reset();
        return;
    }
    // Everybody on this side sees the same gap; who is first closes it for all.
    if (!bridge_at_) {
        const Duration spread =
            std::min<Duration>(seconds(1), milliseconds(50) + heard_.size() * milliseconds(2));
        bridge_at_ = now + kBridgeWait + prng_->between(Duration{}, spread);
    }
    if (now < *bridge_at_) {
        again_at(*bridge_at_);
        return;
    }
    bridge_at_.reset();
    HeardNode& chosen = *apart[prng_->below(apart.size())];
    // With room or without: nothing else leads there.
    ask(now, chosen, LinkReason::Bridge, todo);
}

void Neighbours::choose_fill(TimePoint now, const Facts& facts, Todo& todo) {
    // At a start those heard first are not yet all, and links with all of them are too many. What
    // the ring will ask for is kept free.
    const bool is_quiet = now >= quiet_at();
    const bool is_full = is_full_mesh() && is_quiet;
    const std::size_t places = is_quiet ? target() : std::max<std::size_t>(1, target() - kRing);
    const std::size_t wanted = is_full ? heard_.size() : std::min(heard_.size(), places);
    const std::size_t links = facts.links.size() + facts.former;
    // The step of two keeps a node whose last link just went from calling at once.
    const bool is_step = !is_full_mesh() && wanted > 2;
    if (links >= wanted) {
        is_filling_ = false;
    } else if (links + (is_step ? 1 : 0) < wanted) {
        is_filling_ = true;
    }
    std::size_t degree = facts.degree_but(NodeId()) + todo.asks.size();
    if (!is_filling_ || degree >= wanted) {
        return;
    }
    if (!is_full && now < fill_at_) {
        again_at(fill_at_);
        return;
    }
    // Each link serves two: were all to ask for all they lack, there would be twice as many.
    const std::size_t asked = is_full ? wanted : degree + (wanted - degree + 1) / 2;
    std::vector<HeardNode*> candidates;
    for (auto& [node, heard] : heard_) {
        if (!heard.is_present || heard.is_taken) {
            continue;
        }
        const TimePoint from = std::max(heard.avoid_until, heard.avoid_fill_until);
        if (now < from) {
            again_at(from);
        } else {
            candidates.push_back(&heard);
        }
    }
    if (!candidates.empty()) {
        fill_at_ = now + kFillPace;
        again_at(fill_at_);
    }
    for (; degree < asked && !candidates.empty(); ++degree) {
        // The lower degree of two random candidates evens degrees out (Mitzenmacher, "The Power of
        // Two Choices", 2001).
        std::size_t chosen = prng_->below(candidates.size());
        const std::size_t second = prng_->below(candidates.size());
        if (facts.degree(candidates[second]->identity.node) <
            facts.degree(candidates[chosen]->identity.node)) {
            chosen = second;
        }
        ask(now, *candidates[chosen], LinkReason::Fill, todo);
        candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(chosen));
    }
}

/// One at a time, and only after a while without change: in a mesh in motion what is too much now
/// may be needed next.
void Neighbours::choose_prune(TimePoint now, const Facts& facts, Todo& todo) {
    if (is_full_mesh() || facts.links.size() <= soft_max()) {
        return;
    }
    if (now < prune_at_) {
        again_at(prune_at_);
        return;
    }
    prune_at_ = now + prng_->between(kPruneMin, kPruneMax);
    again_at(prune_at_);
    std::vector<NodeId> candidates;
    for (const auto& link : facts.links) {
        if (facts.degree(link.node) > target() && !is_ring_neighbour(link.node) &&
            facts.is_redundant(link.node)) {
            candidates.push_back(link.node);
        }
    }
    if (!candidates.empty()) {
        todo.prune = candidates[prng_->below(candidates.size())];
    }
}

Neighbours::Todo Neighbours::on_timeout(TimePoint now, const Facts& facts) {
    Todo todo;
    if (!tick_at_ || now < *tick_at_) {
        return todo;
    }
    tick_at_.reset();
    look(now, facts);
    choose_ring(now, facts, todo);
    choose_bridge(now, facts, todo);
    choose_fill(now, facts, todo);
    if (facts.links.size() > options_.max_peers) {
        todo.drop = victim(now, facts, NodeId());
        again_at(now + kDropAgain);
    }
    if (!todo.drop) {
        choose_prune(now, facts, todo);
    }
    if (tick_at_) {
        tick_at_ = std::max(*tick_at_, now + kTickAgain);
    }
    return todo;
}

std::optional<NodeId> Neighbours::victim(TimePoint now, const Facts& facts,
                                         const NodeId& asker) const {
    std::optional<NodeId> victim;
    std::size_t most = 0;
    for (const auto& link : facts.links) {
        const HeardNode* heard = find(link.node);
        const bool is_young = heard != nullptr && heard->asked_as == LinkReason::Ring &&
                              now - link.up_since < kRingYoung;
        if (link.node == asker || is_young) {
            continue;
        }
        const std::size_t degree = facts.degree(link.node);
        if ((!victim || degree > most) && !is_ring_neighbour(link.node) &&
            facts.is_redundant(link.node)) {
            victim = link.node;
            most = degree;
        }
    }
    return victim;
}

bool Neighbours::on_req(TimePoint now, const NodeId& asker, LinkReason reason, bool is_forced,
                        const Facts& facts) {
    const bool is_accepted = judge(now, asker, reason, is_forced, facts);
    HeardNode* heard = heard_.find(asker);
    if (is_accepted && heard != nullptr) {
        heard->asked_as = reason;
    }
    return is_accepted;
}

bool Neighbours::judge(TimePoint now, const NodeId& asker, LinkReason reason, bool is_forced,
                       const Facts& facts) const {
    const std::size_t degree = facts.degree_but(asker);
    if (reason == LinkReason::Fill) {
        return degree < (is_full_mesh() ? options_.max_peers : soft_max());
    }
    const bool is_joined = facts.standing(asker).kind == Standing::Kind::Reachable;
    if (reason == LinkReason::Bridge && is_joined && degree >= target()) {
        return false;
    }
    if (degree < options_.max_peers) {
        return true;
    }
    if (reason == LinkReason::Ring) {
        return facts.links_in_all() <= options_.max_peers &&
               degree < options_.max_peers + kUnansweredMax && is_ring_neighbour(asker) &&
               victim(now, facts, asker).has_value();
    }
    return degree < options_.bridges_max &&
           ((is_forced && !is_joined) || victim(now, facts, asker).has_value());
}

bool Neighbours::agrees_to_prune(const NodeId& peer, const Facts& facts) const {
    return !is_full_mesh() && facts.links.size() > target() && !is_ring_neighbour(peer) &&
           facts.is_redundant(peer);
}

const HeardNode* Neighbours::find(const NodeId& node) const {
    return heard_.find(node);
}

}  // namespace meshd
