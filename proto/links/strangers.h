// SPDX-License-Identifier: Apache-2.0
/// \file
/// Who is heard, and is no member of this mesh: other meshes on the same network, other versions of
/// the protocol (those under other keys: Sealing). It decides nothing; `meshctl doctor` explains by
/// it why a box that is there does not appear.
///
/// Invariant: bounded, whatever is heard: in a full list the one silent longest makes room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/endpoint.h"
#include "proto/base/time.h"

namespace meshd {

struct Stranger {
    enum class Kind : std::uint8_t {
        OtherMesh,     ///< `name` is that of its mesh
        OtherVersion,  ///< speaks no version of the protocol that this node speaks
    };
    Kind kind = Kind::OtherMesh;
    std::string name;  ///< empty where it is not known
    Endpoint address;
    TimePoint last_heard;
    std::uint64_t count = 0;  ///< datagrams
};

class Strangers {
  public:
    /// What fits on a screen. Each holds one mesh name, at most 64 bytes.
    static constexpr std::size_t kMax = 16;
    /// Older ones are not told: six of the rarest beacons.
    static constexpr Duration kToldFor = std::chrono::minutes(6);

    void on_heard(TimePoint now, Stranger::Kind kind, std::string_view name,
                  const Endpoint& address);
    /// Those heard lately, the last one first.
    std::vector<Stranger> heard(TimePoint now) const;

  private:
    std::vector<Stranger> list_;
};

}  // namespace meshd
