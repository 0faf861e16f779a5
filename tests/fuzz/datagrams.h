// SPDX-License-Identifier: Apache-2.0
/// \file
/// Who meets whom in the target of datagrams, and how its input is read. Shared with the program
/// that writes its seeds.
#pragma once

#include "proto/node.h"
#include "tests/proto/links/links_support.h"

namespace meshd::fuzz {

/// First byte: bit 0 = sealed. Then steps: what, and what goes with it.
enum class DatagramStep : std::uint8_t {
    Session,   ///< items: their number - 1 (of 4), each its kind, JSON and body as fields
    Outside,   ///< the same, outside any session
    Unsealed,  ///< the same, though the mesh is sealed
    Content,   ///< one item: its kind, and its whole content as a field
    Raw,       ///< a datagram as a field, from the peer's address
    Pass,      ///< time: a byte, squared, in ms
    Relink,    ///< the peer begins a new session
    Command,   ///< the node raises an alert and shares something, so that it has something to say
    kCount,
};

inline constexpr std::uint8_t kNodeNumber = 1;
inline constexpr std::uint8_t kPeerNumber = 2;

inline NodeOptions options_of(std::uint8_t number) {
    NodeOptions options;
    options.node_id = test::id(number == kNodeNumber ? "a" : "b");
    options.instance = InstanceId{number};
    options.entropy[0] = number;
    options.version = "0.1.0";
    return options;
}
/// As whom the real node of the seeds spoke: its start id follows from its options.
inline const Identity& peer_identity() {
    static const Identity identity = [] {
        const NodeOptions options = options_of(kPeerNumber);
        const Now now{test::at(0), WallTime{}};
        return Identity{options.node_id, options.instance,
                        Node(Config{}, options, now).status(now).start};
    }();
    return identity;
}

}  // namespace meshd::fuzz
