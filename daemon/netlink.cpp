// SPDX-License-Identifier: Apache-2.0
#include "daemon/netlink.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "daemon/log.h"
#include "proto/base/assert.h"

namespace meshd {
namespace {

/// Reads in one turn of the loop: a container host that makes interfaces must not hold up the mesh.
constexpr int kReadsMax = 64;
/// One message of the kernel is a page at most, unless it has many attributes.
constexpr std::size_t kReadBytes = 16'384;

/// Reads a T at an offset; false where it is cut off.
template <class T>
bool load(Bytes bytes, std::size_t at, T& value) {
    if (bytes.size() < at || bytes.size() - at < sizeof value) {
        return false;
    }
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return true;
}

/// RTM_NEWLINK with IFLA_WIRELESS is how drivers tell of scans.
bool is_wireless_report(Bytes payload) {
    std::size_t at = NLMSG_ALIGN(sizeof(ifinfomsg));
    rtattr attribute{};
    while (load(payload, at, attribute) && attribute.rta_len >= sizeof attribute) {
        if (attribute.rta_type == IFLA_WIRELESS) {
            return true;
        }
        at += RTA_ALIGN(attribute.rta_len);
    }
    return false;
}

TimePoint loop_now(const uv_loop_t* loop) {
    return TimePoint(std::chrono::milliseconds(uv_now(loop)));
}

}  // namespace

bool has_interface_news(Bytes messages) {
    std::size_t at = 0;
    while (at < messages.size()) {
        nlmsghdr header{};
        if (!load(messages, at, header) || header.nlmsg_len < sizeof header ||
            header.nlmsg_len > messages.size() - at) {
            return true;
        }
        switch (header.nlmsg_type) {
            case RTM_NEWLINK:
                if (!is_wireless_report(
                        messages.subspan(at + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN))) {
                    return true;
                }
                break;
            case RTM_DELLINK:
            case RTM_NEWADDR:
            case RTM_DELADDR:
            case NLMSG_ERROR:
            case NLMSG_OVERRUN:
                return true;
            default:
                break;
        }
        at += NLMSG_ALIGN(header.nlmsg_len);
    }
    return false;
}

TimePoint NewsGatherer::on_news(TimePoint now) {
    if (!first_) {
        first_ = now;
    }
    return std::min(now + kQuiet, *first_ + kDelayMax);
}

LinkMonitor::LinkMonitor(uv_loop_t* loop, std::function<void()> on_change)
    : loop_(loop), on_change_(std::move(on_change)) {
    fd_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    sockaddr_nl local{};
    local.nl_family = AF_NETLINK;
    local.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR;
    if (fd_ < 0 || bind(fd_, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) {
        log_warning(std::string("no news of network interfaces (") + std::strerror(errno) +
                    "): they are listed every 2 s instead");
        if (fd_ >= 0) {
            close(fd_);
        }
        return;
    }
    poll_ = new uv_poll_t{};
    MESHD_ASSERT(uv_poll_init(loop, poll_, fd_) == 0);
    poll_->data = this;
    timer_ = new uv_timer_t{};
    uv_timer_init(loop, timer_);
    timer_->data = this;
    start_polling();
}

LinkMonitor::~LinkMonitor() {
    if (poll_ == nullptr) {
        return;
    }
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    uv_close(reinterpret_cast<uv_handle_t*>(timer_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
    close(fd_);
}

void LinkMonitor::start_polling() {
    const int result = uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* handle, int status, int) {
        auto* self = static_cast<LinkMonitor*>(handle->data);
        if (status < 0) {
            // libuv stops polling at a pending error, of which an overrun is the usual one.
            self->start_polling();
        }
        self->read_all();
    });
    MESHD_ASSERT(result == 0);
}

void LinkMonitor::read_all() {
    std::array<std::uint8_t, kReadBytes> room;
    bool has_news = false;
    bool has_lost = false;
    for (int i = 0; i < kReadsMax; ++i) {
        sockaddr_nl from{};
        iovec vector{room.data(), room.size()};
        msghdr header{};
        header.msg_name = &from;
        header.msg_namelen = sizeof from;
        header.msg_iov = &vector;
        header.msg_iovlen = 1;
        const ssize_t got = recvmsg(fd_, &header, 0);
        if (got < 0 && errno == ENOBUFS) {
            has_lost = true;
            continue;
        }
        if (got < 0) {
            break;
        }
        // Only the kernel has the port 0; any process may write to another's socket.
        const bool is_kernel = from.nl_family == AF_NETLINK && from.nl_pid == 0;
        has_news =
            has_news ||
            (is_kernel && ((header.msg_flags & MSG_TRUNC) != 0 ||
                           has_interface_news(Bytes(room.data(), static_cast<std::size_t>(got)))));
    }
    if (has_lost) {
        look();
    } else if (has_news) {
        const TimePoint now = loop_now(loop_);
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(
            std::max(gatherer_.on_news(now) - now, Duration::zero()));
        uv_timer_start(
            timer_, [](uv_timer_t* timer) { static_cast<LinkMonitor*>(timer->data)->look(); },
            static_cast<std::uint64_t>(wait.count()), 0);
    }
}

void LinkMonitor::look() {
    uv_timer_stop(timer_);
    gatherer_.clear();
    on_change_();
}

}  // namespace meshd
