// SPDX-License-Identifier: Apache-2.0
// The raw limit that store_bench.py compares with: datagrams of one size from one network namespace
// to another, without any protocol, by the same system calls and socket buffers as meshd's.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 64;
constexpr std::size_t kDatagramBytesMax = 9000;
/// As daemon/udp_bind.cpp sets it.
constexpr int kBufferBytes = 4 << 20;
/// Silence after the first datagram that ends the receiver.
constexpr timeval kIdle{0, 500'000};

struct Batch {
    explicit Batch(std::size_t bytes) {
        for (std::size_t i = 0; i < kBatch; ++i) {
            vectors[i] = {room[i].data(), bytes};
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
    }
    std::array<std::array<char, kDatagramBytesMax>, kBatch> room{};
    std::array<iovec, kBatch> vectors{};
    std::array<mmsghdr, kBatch> messages{};
};

int fail(const char* what) {
    std::fprintf(stderr, "raw_udp: %s: %s\n", what, std::strerror(errno));
    return 1;
}

double seconds_of(Clock::duration span) {
    return std::chrono::duration<double>(span).count();
}

int receive(int fd, const sockaddr_in& address) {
    int buffer = kBufferBytes;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    socklen_t size = sizeof buffer;
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, &size);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail("bind");
    }
    std::printf("ready\n");
    std::fflush(stdout);
    static Batch batch(kDatagramBytesMax);
    unsigned long long datagrams = 0;
    unsigned long long bytes = 0;
    Clock::time_point first;
    Clock::time_point last;
    while (true) {
        const int got = recvmmsg(fd, batch.messages.data(), kBatch, MSG_WAITFORONE, nullptr);
        if (got < 0) {
            if (errno == EAGAIN) {
                break;
            }
            return fail("recvmmsg");
        }
        last = Clock::now();
        if (datagrams == 0) {
            first = last;
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kIdle, sizeof kIdle);
        }
        datagrams += static_cast<unsigned>(got);
        for (int i = 0; i < got; ++i) {
            bytes += batch.messages[static_cast<std::size_t>(i)].msg_len;
        }
    }
    std::printf("{\"datagrams\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"buffer\":%d}\n", datagrams,
                bytes, seconds_of(last - first), buffer);
    return 0;
}

/// `rate`: datagrams per second; 0: as fast as it goes.
int send(int fd, const sockaddr_in& address, unsigned long count, std::size_t bytes, double rate) {
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kBufferBytes, sizeof kBufferBytes);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail("connect");
    }
    static Batch batch(bytes);
    const Clock::time_point started = Clock::now();
    unsigned long sent = 0;
    while (sent < count) {
        unsigned long due = count;
        if (rate > 0) {
            due = std::min(
                count, static_cast<unsigned long>(rate * seconds_of(Clock::now() - started)) + 1);
            if (due <= sent) {
                std::this_thread::sleep_for(std::chrono::microseconds(200));
                continue;
            }
        }
        const auto wanted = static_cast<unsigned>(std::min<unsigned long>(kBatch, due - sent));
        const int done = sendmmsg(fd, batch.messages.data(), wanted, 0);
        if (done < 0) {
            return fail("sendmmsg");
        }
        sent += static_cast<unsigned>(done);
    }
    std::printf("{\"datagrams\":%lu,\"seconds\":%.6f}\n", sent, seconds_of(Clock::now() - started));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view verb = argc > 1 ? argv[1] : "";
    if (!(verb == "receive" && argc == 3) && !(verb == "send" && argc == 7)) {
        std::fprintf(stderr,
                     "usage: raw_udp receive PORT | raw_udp send ADDRESS PORT COUNT BYTES RATE\n");
        return 2;
    }
    const bool is_sender = verb == "send";
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[is_sender ? 3 : 2])));
    if (is_sender && inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) {
        std::fprintf(stderr, "raw_udp: %s is no IPv4 address\n", argv[2]);
        return 2;
    }
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) {
        return fail("socket");
    }
    if (!is_sender) {
        return receive(fd, address);
    }
    const auto bytes = static_cast<std::size_t>(std::atol(argv[5]));
    return send(fd, address, static_cast<unsigned long>(std::atol(argv[4])),
                std::min(bytes, kDatagramBytesMax), std::atof(argv[6]));
}
