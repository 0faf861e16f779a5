// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netinet/in.h>
#include <uv.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "daemon/interfaces.h"
#include "proto/base/bytes.h"
#include "proto/wire/limits.h"

namespace meshd {

/// What the sockets lost, for mesh.stats.
struct UdpCounters {
    std::uint64_t received_too_long = 0;   ///< longer than any datagram of ours
    std::uint64_t received_elsewhere = 0;  ///< by another interface than the socket's, or no source
    std::uint64_t receive_errors = 0;
    std::uint64_t sent_without_socket = 0;  ///< its interface is gone
    std::uint64_t send_queue_full = 0;      ///< the kernel's queue (EAGAIN, ENOBUFS)
    std::uint64_t send_errors = 0;          ///< no route, filtered, too long for the interface
    /// Datagrams that came to the multicast group, to the broadcast address, and back to where they
    /// were sent from by either way.
    std::uint64_t beacons_multicast = 0;
    std::uint64_t beacons_broadcast = 0;
    std::uint64_t beacons_own = 0;
};

/// A datagram on its way out. `via` forces the interface (beacons); 0 leaves it to the routes.
struct OutgoingDatagram {
    sockaddr_in to{};
    std::uint32_t via = 0;
    std::shared_ptr<const Buffer> bytes;
};

/// Room for one recvmmsg, shared by all sockets of a loop.
struct ReceiveRoom {
    static constexpr std::size_t kBatch = 32;
    /// One more than any datagram accepted, so that a longer one shows.
    static constexpr std::size_t kBytes = limits::kDatagramBytesMax + 1;
    std::array<std::array<std::uint8_t, kBytes>, kBatch> bytes;
};

sockaddr_in ipv4_address(const Ipv4& address, std::uint16_t port);

/// Bytes that the kernel keeps for a socket of ours until it is read: what was asked for, or the
/// less that net.core.rmem_max allows. 0 where there are no sockets.
std::size_t receive_buffer_bytes();

/// Binds exclusively to one local address: with SO_REUSEADDR any local process could bind the same
/// and take the datagrams. Gives the descriptor, or errno.
tl::expected<int, int> bind_unicast(const LocalInterface& interface, std::uint16_t port);
/// Binds a receive-only socket to a broadcast or multicast address of the interface, shared with
/// other processes: each gets a copy. Gives the descriptor, or errno.
tl::expected<int, int> bind_discovery(const LocalInterface& interface, const Ipv4& address,
                                      std::uint16_t port);

/// One UDP descriptor in the loop. libuv's own uv_udp_t hides the interface a datagram came by.
class UdpSocket {
  public:
    using OnDatagram = std::function<void(const sockaddr_in& from, std::uint32_t via, Bytes bytes)>;
    struct Callbacks {
        OnDatagram on_datagram;
        /// After the last datagram of one turn of the loop.
        std::function<void()> on_turn_end;
    };

    /// Takes the descriptor over. At most `reads_max` datagrams are read in one turn, so that a
    /// flood leaves time for everything else.
    UdpSocket(uv_loop_t* loop, int fd, std::size_t reads_max, ReceiveRoom& room,
              UdpCounters& counters, Callbacks callbacks);
    UdpSocket(const UdpSocket&) = delete;
    UdpSocket& operator=(const UdpSocket&) = delete;
    ~UdpSocket();

    /// Leaves a multicast group and joins it again, which tells the network. False where the socket
    /// is out of it now.
    bool rejoin(const Ipv4& group, std::uint32_t interface);

    /// Sends all of them; what the kernel does not take is dropped and counted.
    void send(const std::vector<OutgoingDatagram>& datagrams);

  private:
    void start_polling();
    void read_turn();
    std::size_t read_batch(std::size_t limit);

    int fd_;
    uv_poll_t* poll_;
    std::size_t reads_max_;
    ReceiveRoom& room_;
    UdpCounters& counters_;
    Callbacks callbacks_;
};

}  // namespace meshd
