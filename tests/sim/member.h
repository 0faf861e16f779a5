// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a member that is broken or hostile says beside what it has to say: well-formed messages in
/// sessions that are in order, and hardly a word of them true. Open mode does not hide the items to
/// which they are added.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/prng.h"
#include "proto/wire/codec.h"

namespace meshd::sim {

enum class Malice : std::uint8_t {
    NestedJson,  ///< 64 KiB that nest without end, in fragments
    Leaps,       ///< counters far ahead, clocks of another age, versions of the software in turn
    Topologies,  ///< thousands of nodes that do not exist, linked with each other and with all
    Lies,        ///< hashes, digests and announcements of what is nowhere, censuses of nothing
    Hoard,       ///< alerts, entries and shared values without end, states of 64 KiB
    All,
};

class Member {
  public:
    /// `mesh`: the names of those who are there, itself among them.
    Member(Malice malice, NodeId self, std::vector<NodeId> mesh, Prng& prng)
        : malice_(malice), self_(std::move(self)), mesh_(std::move(mesh)), prng_(&prng) {}

    /// What it adds to one datagram: a few items.
    std::vector<EncodedMessage> items();

  private:
    std::vector<EncodedMessage> nested();
    std::vector<EncodedMessage> leaps();
    std::vector<EncodedMessage> topology();
    std::vector<EncodedMessage> lies();
    std::vector<EncodedMessage> hoard();
    NodeId somebody();

    Malice malice_;
    NodeId self_;
    std::vector<NodeId> mesh_;
    Prng* prng_;
    std::uint64_t number_ = 0;
};

}  // namespace meshd::sim
