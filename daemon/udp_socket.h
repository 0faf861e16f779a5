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
#include "daemon/udp_filter.h"
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
    /// By the kernel, refused by a filter or beyond a socket's buffer, at sockets closed since.
    std::uint64_t links_dropped = 0;
    std::uint64_t strangers_dropped = 0;
    std::uint64_t beacons_dropped = 0;
    std::uint64_t filters_refused = 0;  ///< by the kernel: the core's checks are the only ones
    std::uint64_t rests = 0;            ///< reading stopped for kRestMs after a full turn
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

/// The descriptors of one unicast address. -1: there is none.
struct UnicastSockets {
    int links = -1;      ///< hears sessions and sends; hears everything where it is alone
    int strangers = -1;  ///< hears what is outside any session
    int guard = -1;      ///< hears nothing, and keeps others from the port
};

/// Binds exclusively to one local address: with SO_REUSEADDR or SO_REUSEPORT other local processes
/// could bind the same and take the datagrams. Then adds a second socket for strangers, so that
/// what they send fills a buffer of its own; the guard, which joined last and then gave up
/// SO_REUSEPORT, is what the kernel compares further binds with first. Gives errno where the
/// address cannot be had; a refused second socket only leaves it out.
tl::expected<UnicastSockets, int> bind_unicast(const LocalInterface& interface, std::uint16_t port);
/// Binds a receive-only socket to a broadcast or multicast address of the interface, shared with
/// other processes: each gets a copy. Gives the descriptor, or errno.
tl::expected<int, int> bind_discovery(const LocalInterface& interface, const Ipv4& address,
                                      std::uint16_t port);

/// One UDP descriptor in the loop. libuv's own uv_udp_t hides the interface a datagram came by.
class UdpSocket {
  public:
    using OnDatagram = std::function<void(const sockaddr_in& from, std::uint32_t via, Bytes bytes)>;
    struct Callbacks {
        /// Before the first datagram of one turn of the loop.
        std::function<void()> on_turn_begin;
        OnDatagram on_datagram;
        /// After the last datagram of one turn of the loop.
        std::function<void()> on_turn_end;
    };

    struct Options {
        /// At most so many datagrams are read in one turn, so that a flood leaves time for
        /// everything else.
        std::size_t reads_max = 0;
        /// Strangers fill it: after a turn of reads_max it is left alone for kRestMs. So a flood
        /// costs a bounded share of a core; what the kernel cannot keep meanwhile is lost.
        bool rests = false;
        /// Which counter the kernel's drops go to once the socket is closed.
        std::uint64_t UdpCounters::*dropped = nullptr;
    };
    /// 32 000 datagrams a second at 64 each: more than a mesh of any size sends outside sessions.
    static constexpr std::uint64_t kRestMs = 2;

    /// Takes the descriptor over.
    UdpSocket(uv_loop_t* loop, int fd, Options options, ReceiveRoom& room, UdpCounters& counters,
              Callbacks callbacks);
    UdpSocket(const UdpSocket&) = delete;
    UdpSocket& operator=(const UdpSocket&) = delete;
    ~UdpSocket();

    /// Leaves a multicast group and joins it again, which tells the network. False where the socket
    /// is out of it now.
    bool rejoin(const Ipv4& group, std::uint32_t interface);

    /// Reads what waits, as a turn of the loop does.
    void read_turn();
    /// False where the kernel refuses.
    bool filter(const DatagramFilter& filter);
    /// Lost in the kernel so far; see kernel_drops().
    std::uint64_t dropped() const { return kernel_drops(fd_); }

    /// Sends all of them; what the kernel does not take is dropped and counted.
    void send(const std::vector<OutgoingDatagram>& datagrams);

  private:
    void start_polling();
    void rest();
    std::size_t read_batch(std::size_t limit);

    int fd_;
    uv_poll_t* poll_;
    uv_timer_t* rest_timer_;
    Options options_;
    ReceiveRoom& room_;
    UdpCounters& counters_;
    Callbacks callbacks_;
};

}  // namespace meshd
