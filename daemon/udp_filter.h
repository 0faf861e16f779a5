// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the kernel keeps away from the daemon's sockets, by classic BPF, which needs no privilege:
/// it looks at lengths and the 16-byte header only (PROTOCOL.md, "Datagram"). The core checks all
/// of it again; where the kernel takes no filter the core's check is the only one.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "proto/base/ids.h"

namespace meshd {

/// Which datagrams a socket is to get.
struct DatagramFilter {
    enum class Use : std::uint8_t {
        Beacons,   ///< outside a session, as long as a HELLO
        Outside,   ///< outside a session
        Sessions,  ///< of sessions
        All,       ///< of sessions and outside, where one socket hears both
    };
    /// More would not fit the jumps of one program: 64 links and 64 half-open ones, as many as the
    /// core has at most.
    static constexpr std::size_t kSessionsMax = 128;
    /// Keys of a mesh: the one in use, the one before, and room.
    static constexpr std::size_t kKeyHintsMax = 64;

    Use use = Use::All;
    /// Outside a session only with one of these in the header's flags; empty or more than
    /// kKeyHintsMax: with any.
    std::vector<std::uint16_t> key_hints;
    /// Sessions in being; not set, or more than kSessionsMax: any.
    std::optional<std::vector<SessionId>> sessions;
};

/// The program for SO_ATTACH_FILTER on a UDP socket (it begins at the UDP header).
std::vector<sock_filter> filter_program(const DatagramFilter& filter);

/// False where the kernel refuses it; what was attached before stays.
bool attach_filter(int fd, const DatagramFilter& filter);

/// Of the two sockets that share an address and port by SO_REUSEPORT, datagrams of sessions go to
/// the one bound first, all others to the second. `fd`: either. False where the kernel refuses.
bool attach_split(int fd);

/// Datagrams that the kernel has dropped at this socket: refused by its filter, or more than its
/// buffer holds. 0 where the kernel does not tell.
std::uint32_t kernel_drops(int fd);

}  // namespace meshd
