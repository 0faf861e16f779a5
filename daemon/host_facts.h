// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the host has to say about this process, for mesh.diagnosis.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/endpoint.h"

namespace meshd {

struct InterfaceFacts {
    std::string name;
    Endpoint address;
    std::uint32_t mtu = 0;  ///< bytes; 0 = not known
};

struct HostFacts {
    std::vector<InterfaceFacts> interfaces;  ///< those it speaks from
    /// Datagrams that the kernel dropped since their sockets were opened, since the receive buffer
    /// was full.
    std::optional<std::uint64_t> receive_drops;
    std::string state_dir;                         ///< empty where nothing is kept
    std::optional<std::uint64_t> disk_free_bytes;  ///< for this user, below state_dir
};

/// Asks the kernel; a few files of /proc, which never wait for a disk. What cannot be found out is
/// left out.
HostFacts host_facts(const std::vector<Endpoint>& addresses, const std::string& state_dir);

/// The column of drops of /proc/net/udp, summed over the sockets with one of these inodes; nothing
/// where none is there.
std::optional<std::uint64_t> sum_udp_drops(std::string_view table,
                                           const std::vector<std::string>& inodes);

}  // namespace meshd
