// SPDX-License-Identifier: Apache-2.0
#include "daemon/udp_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proto/base/assert.h"

namespace meshd {
namespace {

constexpr std::size_t kSendBatch = 64;

struct alignas(cmsghdr) ControlRoom {
    std::array<std::uint8_t, CMSG_SPACE(sizeof(in_pktinfo))> bytes;
};

std::uint32_t interface_of(msghdr& header) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr;
         part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
            in_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(part), sizeof info);
            return static_cast<std::uint32_t>(info.ipi_ifindex);
        }
    }
    return 0;
}

void put_interface(msghdr& header, ControlRoom& room, std::uint32_t interface) {
    room = {};
    header.msg_control = room.bytes.data();
    header.msg_controllen = room.bytes.size();
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = IPPROTO_IP;
    part->cmsg_type = IP_PKTINFO;
    part->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(interface);
    std::memcpy(CMSG_DATA(part), &info, sizeof info);
}

}  // namespace

UdpSocket::UdpSocket(uv_loop_t* loop, int fd, Options options, ReceiveRoom& room,
                     UdpCounters& counters, Callbacks callbacks)
    : fd_(fd),
      poll_(new uv_poll_t{}),
      rest_timer_(new uv_timer_t{}),
      options_(options),
      room_(room),
      counters_(counters),
      callbacks_(std::move(callbacks)) {
    MESHD_ASSERT(uv_poll_init(loop, poll_, fd_) == 0);
    poll_->data = this;
    uv_timer_init(loop, rest_timer_);
    rest_timer_->data = this;
    start_polling();
}

void UdpSocket::start_polling() {
    const int result = uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* handle, int status, int) {
        auto* self = static_cast<UdpSocket*>(handle->data);
        if (status >= 0) {
            self->callbacks_.on_turn_begin();
            self->read_turn();
            return;
        }
        // libuv stops polling at any pending socket error; asking for the error clears it.
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(self->fd_, SOL_SOCKET, SO_ERROR, &error, &size);
        ++self->counters_.receive_errors;
        self->start_polling();
    });
    MESHD_ASSERT(result == 0);
}

UdpSocket::~UdpSocket() {
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    uv_close(reinterpret_cast<uv_handle_t*>(rest_timer_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
    counters_.*options_.dropped += dropped();
    close(fd_);
}

bool UdpSocket::filter(const DatagramFilter& filter) {
    const bool is_taken = attach_filter(fd_, filter);
    counters_.filters_refused += is_taken ? 0 : 1;
    return is_taken;
}

bool UdpSocket::rejoin(const Ipv4& group, std::uint32_t interface) {
    ip_mreqn membership{};
    std::memcpy(&membership.imr_multiaddr, group.data(), group.size());
    membership.imr_ifindex = static_cast<int>(interface);
    setsockopt(fd_, IPPROTO_IP, IP_DROP_MEMBERSHIP, &membership, sizeof membership);
    return setsockopt(fd_, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership) == 0;
}

void UdpSocket::read_turn() {
    std::size_t read = 0;
    while (read < options_.reads_max) {
        const std::size_t limit = std::min(ReceiveRoom::kBatch, options_.reads_max - read);
        const std::size_t got = read_batch(limit);
        read += got;
        if (got < limit) {
            break;
        }
    }
    if (read != 0) {
        callbacks_.on_turn_end();
    }
    if (options_.rests && read >= options_.reads_max) {
        rest();
    }
}

void UdpSocket::rest() {
    ++counters_.rests;
    uv_poll_stop(poll_);
    uv_timer_start(
        rest_timer_,
        [](uv_timer_t* timer) { static_cast<UdpSocket*>(timer->data)->start_polling(); }, kRestMs,
        0);
}

std::size_t UdpSocket::read_batch(std::size_t limit) {
    std::array<mmsghdr, ReceiveRoom::kBatch> messages{};
    std::array<iovec, ReceiveRoom::kBatch> vectors{};
    std::array<sockaddr_in, ReceiveRoom::kBatch> sources{};
    std::array<ControlRoom, ReceiveRoom::kBatch> controls{};
    for (std::size_t i = 0; i < limit; ++i) {
        vectors[i] = {room_.bytes[i].data(), room_.bytes[i].size()};
        msghdr& header = messages[i].msg_hdr;
        header.msg_name = &sources[i];
        header.msg_namelen = sizeof sources[i];
        header.msg_iov = &vectors[i];
        header.msg_iovlen = 1;
        header.msg_control = controls[i].bytes.data();
        header.msg_controllen = controls[i].bytes.size();
    }
    const int got = recvmmsg(fd_, messages.data(), static_cast<unsigned>(limit), 0, nullptr);
    if (got < 0) {
        // An ICMP error of an earlier send surfaces here (ECONNREFUSED); reading clears it.
        counters_.receive_errors += errno == EAGAIN || errno == EINTR ? 0 : 1;
        return 0;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
        msghdr& header = messages[i].msg_hdr;
        const std::size_t size = messages[i].msg_len;
        if ((header.msg_flags & MSG_TRUNC) != 0 || size > limits::kDatagramBytesMax) {
            ++counters_.received_too_long;
        } else if (sources[i].sin_family != AF_INET || sources[i].sin_port == 0) {
            ++counters_.received_elsewhere;
        } else {
            callbacks_.on_datagram(sources[i], interface_of(header),
                                   Bytes(room_.bytes[i].data(), size));
        }
    }
    return static_cast<std::size_t>(got);
}

void UdpSocket::send(const std::vector<OutgoingDatagram>& datagrams) {
    std::array<mmsghdr, kSendBatch> messages{};
    std::array<iovec, kSendBatch> vectors{};
    std::array<ControlRoom, kSendBatch> controls{};
    bool was_retried = false;
    for (std::size_t first = 0; first < datagrams.size();) {
        const std::size_t count = std::min(kSendBatch, datagrams.size() - first);
        for (std::size_t i = 0; i < count; ++i) {
            const OutgoingDatagram& datagram = datagrams[first + i];
            vectors[i] = {const_cast<std::uint8_t*>(datagram.bytes->data()),
                          datagram.bytes->size()};
            messages[i] = {};
            msghdr& header = messages[i].msg_hdr;
            header.msg_name = const_cast<sockaddr_in*>(&datagram.to);
            header.msg_namelen = sizeof datagram.to;
            header.msg_iov = &vectors[i];
            header.msg_iovlen = 1;
            if (datagram.via != 0) {
                put_interface(header, controls[i], datagram.via);
            }
        }
        const int sent = sendmmsg(fd_, messages.data(), static_cast<unsigned>(count), 0);
        if (sent > 0) {
            first += static_cast<std::size_t>(sent);
            was_retried = false;
            continue;
        }
        if (errno == EAGAIN || errno == ENOBUFS) {
            // Waiting would make old news of them; the core repeats what matters.
            counters_.send_queue_full += datagrams.size() - first;
            return;
        }
        if (errno == EINTR || (errno == ECONNREFUSED && !was_retried)) {
            // The error of an earlier datagram: this one was not tried.
            was_retried = true;
            continue;
        }
        ++counters_.send_errors;
        ++first;
        was_retried = false;
    }
}

}  // namespace meshd
