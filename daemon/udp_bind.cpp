// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/udp_filter.h"
#include "daemon/udp_socket.h"

namespace meshd {
namespace {

/// Bursts of a whole mesh's alerts fit; the default holds about 200 small datagrams.
constexpr int kBufferBytes = 4 << 20;
/// Of what is outside sessions: all of a mesh of fifty that start at once fits, and what a flood
/// leaves there is read within 20 ms.
constexpr int kStrangersBufferBytes = 256 << 10;

void set_option(int fd, int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof value);
}

void raise_buffers(int fd) {
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes) != 0) {
        set_option(fd, SOL_SOCKET, SO_RCVBUF, kBufferBytes);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kBufferBytes, sizeof kBufferBytes) != 0) {
        set_option(fd, SOL_SOCKET, SO_SNDBUF, kBufferBytes);
    }
}

}  // namespace

std::size_t receive_buffer_bytes() {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int bytes = 0;
    socklen_t size = sizeof bytes;
    if (fd >= 0) {
        raise_buffers(fd);
        getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &size);
        close(fd);
    }
    return static_cast<std::size_t>(std::max(bytes, 0));
}

namespace {

in_addr network_address(const Ipv4& address) {
    in_addr in{};
    std::memcpy(&in, address.data(), address.size());
    return in;
}

int bind_to(int fd, const Ipv4& address, std::uint16_t port) {
    const sockaddr_in local = ipv4_address(address, port);
    return bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local);
}

tl::expected<int, int> closed_with_errno(int fd) {
    const int error = errno;
    close(fd);
    return tl::unexpected(error);
}

}  // namespace

sockaddr_in ipv4_address(const Ipv4& address, std::uint16_t port) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr = network_address(address);
    return to;
}

namespace {

int open_udp() {
    return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/// A further socket on an address whose first has SO_REUSEPORT. -1 where there is none.
int bind_beside(const Ipv4& address, std::uint16_t port) {
    const int fd = open_udp();
    if (fd < 0) {
        return -1;
    }
    set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (bind_to(fd, address, port) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/// Hears only what comes from its own address and port, which nothing does; false where it would
/// hear more.
bool make_guard(int fd, const Ipv4& address, std::uint16_t port) {
    const sockaddr_in itself = ipv4_address(address, port);
    set_option(fd, SOL_SOCKET, SO_RCVBUF, 0);
    return connect(fd, reinterpret_cast<const sockaddr*>(&itself), sizeof itself) == 0;
}

void add_strangers(UnicastSockets& sockets, const Ipv4& address, std::uint16_t port) {
    // Bound without it, so that the address was nobody else's; from here to the guard's bind a
    // process of the same user could join, and would hear nothing that the split gives to ours.
    set_option(sockets.links, SOL_SOCKET, SO_REUSEPORT, 1);
    sockets.strangers = bind_beside(address, port);
    if (sockets.strangers >= 0 && attach_split(sockets.strangers)) {
        sockets.guard = bind_beside(address, port);
    }
    if (sockets.guard >= 0 && make_guard(sockets.guard, address, port)) {
        set_option(sockets.guard, SOL_SOCKET, SO_REUSEPORT, 0);
        set_option(sockets.strangers, SOL_SOCKET, SO_RCVBUF, kStrangersBufferBytes);
        set_option(sockets.strangers, IPPROTO_IP, IP_PKTINFO, 1);
        return;
    }
    for (int* fd : {&sockets.guard, &sockets.strangers}) {
        if (*fd >= 0) {
            close(std::exchange(*fd, -1));
        }
    }
    set_option(sockets.links, SOL_SOCKET, SO_REUSEPORT, 0);
}

}  // namespace

tl::expected<UnicastSockets, int> bind_unicast(const LocalInterface& interface,
                                               std::uint16_t port) {
    const int fd = open_udp();
    if (fd < 0) {
        return tl::unexpected(errno);
    }
    if (bind_to(fd, interface.address, port) != 0) {
        return tl::unexpected(closed_with_errno(fd).error());
    }
    raise_buffers(fd);
    set_option(fd, SOL_SOCKET, SO_BROADCAST, 1);
    set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1);
    // Another meshd on this host hears our beacons only by the loop.
    set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
    set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
    ip_mreqn out{};
    out.imr_ifindex = static_cast<int>(interface.index);
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out);
    UnicastSockets sockets;
    sockets.links = fd;
    add_strangers(sockets, interface.address, port);
    return sockets;
}

tl::expected<int, int> bind_discovery(const LocalInterface& interface, const Ipv4& address,
                                      std::uint16_t port) {
    const int fd = open_udp();
    if (fd < 0) {
        return tl::unexpected(errno);
    }
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
    set_option(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    // Without it (before Linux 5.7 it takes privilege) a socket hears the group on all interfaces;
    // the interface of each datagram is compared anyway.
    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface.name.c_str(),
               static_cast<socklen_t>(interface.name.size()));
    if (bind_to(fd, address, port) != 0) {
        return closed_with_errno(fd);
    }
    if ((address[0] & 0xf0) == 0xe0) {
        ip_mreqn group{};
        group.imr_multiaddr = network_address(address);
        group.imr_ifindex = static_cast<int>(interface.index);
        if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
            return closed_with_errno(fd);
        }
    }
    return fd;
}

}  // namespace meshd
