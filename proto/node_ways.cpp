// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/node_impl.h"

namespace meshd {

/// Where else the peer may be: as it was heard, then as its record says.
std::vector<Endpoint> Node::Impl::ways_to(const NodeId& peer) const {
    std::vector<Endpoint> ways;
    if (const HeardNode* heard = neighbours_.find(peer)) {
        for (const HeardNode::Way& way : heard->ways) {
            ways.push_back(way.endpoint);
        }
    }
    const HeldRecord* held = store_.node_record(peer);
    if (held != nullptr) {
        for (Endpoint address : held->record.node->addresses) {
            address.interface = 0;
            const bool is_known = std::any_of(ways.begin(), ways.end(), [&](const Endpoint& way) {
                return way.same_address(address);
            });
            if (!is_known) {
                ways.push_back(address);
            }
        }
    }
    return ways;
}

/// Asks over all `ways` at once; the first that answers becomes the link's.
void Node::Impl::ask_ways(TimePoint now, const Link& link, std::vector<Endpoint> ways) {
    if (ways.empty() || handshake_.is_pending(link.peer()) || name_conflict_.is_holding(now)) {
        return;
    }
    const Endpoint first = ways.front();
    ways.erase(ways.begin());
    handshake_.initiate(now, link.peer(), first, LinkReason::Fill, std::nullopt,
                        {false, std::move(ways), link.seal()});
}

/// The peer is silent on the way in use.
void Node::Impl::failover(TimePoint now, const NodeId& peer) {
    const Link* link = find_link(peer);
    if (link == nullptr) {
        return;
    }
    std::vector<Endpoint> ways = ways_to(peer);
    std::erase(ways, link->endpoint());
    ask_ways(now, *link, std::move(ways));
}

/// Whether another way may take the place of the one in use: a link that works stays where it is.
bool Node::Impl::may_move(const Link& link) const {
    return link.is_uprooted || link.liveness.is_suspect() ||
           (link.is_rekeying && handshake_.is_pending(link.peer()));
}

/// The local address of some links is gone: they are not lost, but have to go another way.
void Node::Impl::move_links(TimePoint now, const std::vector<Endpoint>& before) {
    std::set<std::uint32_t> interfaces;
    for (const Endpoint& address : addresses_) {
        interfaces.insert(address.interface);
    }
    neighbours_.on_interfaces(interfaces);
    const auto is_gone = [&](const Endpoint& address) {
        return std::find(addresses_.begin(), addresses_.end(), address) == addresses_.end();
    };
    for (auto& [peer, link] : links_) {
        const std::uint32_t interface = link.endpoint().interface;
        // A new lease often comes a moment after the old one went: without an address there is no
        // way to ask, but it is known which links will need one.
        const bool is_affected =
            before.empty()
                ? link.is_uprooted
                : std::any_of(before.begin(), before.end(), [&](const Endpoint& one) {
                      return is_gone(one) && (interface == 0 || one.interface == interface);
                  });
        if (!is_affected) {
            continue;
        }
        link.is_uprooted = true;
        if (addresses_.empty()) {
            continue;
        }
        check_link(now, link);  // what its address is gone with may have been the only way
        Endpoint same = link.endpoint();
        if (interfaces.count(same.interface) == 0) {
            same.interface = 0;
        }
        std::vector<Endpoint> ways = ways_to(peer);
        std::erase_if(ways, [&](const Endpoint& way) { return way.same_address(same); });
        ways.insert(ways.begin(), same);
        handshake_.abandon(peer);
        ask_ways(now, link, std::move(ways));
    }
}

}  // namespace meshd
