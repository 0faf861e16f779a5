// SPDX-License-Identifier: Apache-2.0
// The raw limit of what goes to one or to all boxes and back: a server that returns each datagram,
// and a client that sends one datagram to each of several servers and waits for all of them. Prints
// the times of its rounds, in µs, as JSON.
#include <arpa/inet.h>
#include <poll.h>
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
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kDatagramBytesMax = 9000;
/// A datagram that is not back by then is lost.
constexpr int kLostMilliseconds = 200;
/// Rounds as far apart as the alerts they are compared with would be on a busy mesh.
constexpr auto kPause = std::chrono::milliseconds(5);

int fail(const char* what) {
    std::fprintf(stderr, "udp_echo: %s: %s\n", what, std::strerror(errno));
    return 1;
}

int serve(int fd, std::uint16_t port) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_port = htons(port);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) {
        return fail("bind");
    }
    std::puts("ready");
    std::fflush(stdout);
    std::array<char, kDatagramBytesMax> room{};
    while (true) {
        sockaddr_in from{};
        socklen_t length = sizeof from;
        const ssize_t got =
            recvfrom(fd, room.data(), room.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
        if (got < 0) {
            return fail("recvfrom");
        }
        sendto(fd, room.data(), static_cast<std::size_t>(got), 0,
               reinterpret_cast<const sockaddr*>(&from), length);
    }
}

double percentile(const std::vector<double>& sorted, double share) {
    const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
    return sorted[std::min(sorted.size() - 1, at)];
}

int ask(int fd, std::size_t rounds, std::size_t bytes, const std::vector<sockaddr_in>& servers) {
    std::array<char, kDatagramBytesMax> room{};
    std::vector<double> us;
    std::size_t lost = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        std::this_thread::sleep_for(kPause);
        std::memcpy(room.data(), &round, sizeof round);
        const auto start = Clock::now();
        for (const sockaddr_in& server : servers) {
            sendto(fd, room.data(), bytes, 0, reinterpret_cast<const sockaddr*>(&server),
                   sizeof server);
        }
        std::size_t back = 0;
        pollfd ready{fd, POLLIN, 0};
        while (back < servers.size() && poll(&ready, 1, kLostMilliseconds) > 0) {
            std::array<char, kDatagramBytesMax> answer{};
            const ssize_t got = recv(fd, answer.data(), answer.size(), 0);
            std::size_t of_round = 0;
            std::memcpy(&of_round, answer.data(), sizeof of_round);
            // What comes too late belongs to a round that has ended.
            back += got > 0 && of_round == round ? 1 : 0;
        }
        if (back < servers.size()) {
            ++lost;
            continue;
        }
        us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    }
    if (us.empty()) {
        return fail("nothing came back");
    }
    std::sort(us.begin(), us.end());
    std::printf("{\"servers\":%zu,\"rounds\":%zu,\"lost\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
                servers.size(), us.size(), lost, percentile(us, 0.5), percentile(us, 0.99));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view verb = argc > 1 ? argv[1] : "";
    if (!(verb == "serve" && argc == 3) && !(verb == "ask" && argc > 5)) {
        std::fputs("usage: udp_echo serve PORT\n       udp_echo ask PORT ROUNDS BYTES ADDRESS…\n",
                   stderr);
        return 2;
    }
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) {
        return fail("socket");
    }
    const auto port = static_cast<std::uint16_t>(std::atoi(argv[2]));
    if (verb == "serve") {
        return serve(fd, port);
    }
    std::vector<sockaddr_in> servers;
    for (int i = 5; i < argc; ++i) {
        sockaddr_in server{};
        server.sin_family = AF_INET;
        server.sin_port = htons(port);
        if (inet_pton(AF_INET, argv[i], &server.sin_addr) != 1) {
            std::fprintf(stderr, "udp_echo: %s is no IPv4 address\n", argv[i]);
            return 2;
        }
        servers.push_back(server);
    }
    const std::size_t bytes = std::clamp(static_cast<std::size_t>(std::atol(argv[4])),
                                         sizeof(std::size_t), kDatagramBytesMax);
    return ask(fd, static_cast<std::size_t>(std::atol(argv[3])), bytes, servers);
}
