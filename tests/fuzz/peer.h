// SPDX-License-Identifier: Apache-2.0
/// \file
/// A hostile member of the mesh: it shakes hands with a node as any other would, and then says what
/// it likes. What it sends is sealed with the right keys, so that it reaches what lies behind them.
#pragma once

#include <optional>
#include <vector>

#include "proto/links/handshake.h"
#include "proto/node.h"
#include "proto/wire/frame.h"

namespace meshd::fuzz {

class Peer {
  public:
    /// `ring` and `node` outlive this. An empty ring: in the open.
    Peer(Node& node, const Keyring& ring, Identity self, Endpoint address, std::string mesh);

    /// Asks the node, known as `to`, for a link until there is one. False where it is refused.
    bool link(Now now, const Identity& to, const Endpoint& endpoint);
    /// One datagram of the session with these items; `skipped` counters are left out before it.
    void send(Now now, const std::vector<EncodedMessage>& items, std::uint64_t skipped = 0);
    /// One outside any session, sealed with the active key where there is one and `is_sealed`.
    void send_outside(Now now, const std::vector<EncodedMessage>& items, bool is_sealed = true);
    /// Takes what the node wants to send, and reads what is for this peer's handshake.
    void drain(Now now);

  private:
    void on_datagram(Now now, Bytes datagram);
    void send_due(Now now);

    Node* node_;
    const Keyring* ring_;
    Endpoint address_;
    Endpoint asked_;
    Prng random_;
    Handshake handshake_;
    std::optional<Established> session_;
    std::uint64_t counter_ = 0;
};

}  // namespace meshd::fuzz
