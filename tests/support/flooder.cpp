// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sends datagrams faster than Python can, from sources of its choice. Only for namespaces made for
/// it: it needs raw sockets and asks nobody.
///
///   flooder FILE TARGET PORT RATE SECONDS [spoof] [vary]
///
/// FILE holds datagrams, each as {4 bytes source address, u16 source port, u16 length} in network
/// order, and its bytes. They are sent in a circle. Source 0.0.0.0 is this host's own, or with
/// `spoof` another address of the target's /24 each time. `vary` puts random numbers into the 24
/// bytes behind the header each time. Prints "SENT SECONDS".
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kHeadersBytes = sizeof(iphdr) + sizeof(udphdr);
constexpr std::size_t kRandomAt = kHeadersBytes + 16;
constexpr std::size_t kRandomBytes = 24;

struct Packet {
    std::vector<std::uint8_t> bytes;  ///< from the IP header on
    bool has_source = false;
};

std::uint64_t next_random() {
    static std::uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

std::vector<Packet> read_packets(const std::string& path, in_addr target, std::uint16_t port) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> all{std::istreambuf_iterator<char>(file), {}};
    std::vector<Packet> packets;
    for (std::size_t at = 0; at + 8 <= all.size();) {
        std::uint32_t source = 0;
        std::uint16_t source_port = 0;
        std::uint16_t length = 0;
        std::memcpy(&source, &all[at], 4);
        std::memcpy(&source_port, &all[at + 4], 2);
        std::memcpy(&length, &all[at + 6], 2);
        length = ntohs(length);
        at += 8;
        if (at + length > all.size()) {
            break;
        }
        Packet packet;
        packet.has_source = source != 0;
        packet.bytes.resize(kHeadersBytes + length);
        iphdr ip{};
        ip.version = 4;
        ip.ihl = 5;
        ip.ttl = 64;
        ip.protocol = IPPROTO_UDP;
        ip.saddr = source;
        ip.daddr = target.s_addr;
        udphdr udp{};
        udp.source = source_port != 0 ? source_port : htons(40'000);
        udp.dest = htons(port);
        udp.len = htons(static_cast<std::uint16_t>(sizeof udp + length));
        std::memcpy(packet.bytes.data(), &ip, sizeof ip);
        std::memcpy(packet.bytes.data() + sizeof ip, &udp, sizeof udp);
        std::memcpy(packet.bytes.data() + kHeadersBytes, all.data() + at, length);
        packets.push_back(std::move(packet));
        at += length;
    }
    return packets;
}

void change(Packet& packet, in_addr target, bool is_spoofing, bool is_varying) {
    auto& bytes = packet.bytes;
    if (is_spoofing && !packet.has_source) {
        // 2 to 253 of the target's network, but not itself.
        std::uint32_t source = 0;
        do {
            source = (ntohl(target.s_addr) & 0xffff'ff00) |
                     static_cast<std::uint32_t>(2 + next_random() % 252);
        } while (source == ntohl(target.s_addr));
        source = htonl(source);
        std::memcpy(bytes.data() + offsetof(iphdr, saddr), &source, sizeof source);
        const auto port = htons(static_cast<std::uint16_t>(1024 + next_random() % 60'000));
        std::memcpy(bytes.data() + sizeof(iphdr), &port, sizeof port);
    }
    if (is_varying && bytes.size() >= kRandomAt + kRandomBytes) {
        for (std::size_t i = 0; i < kRandomBytes; i += 8) {
            const std::uint64_t random = next_random();
            std::memcpy(bytes.data() + kRandomAt + i, &random, sizeof random);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    in_addr target{};
    if (arguments.size() < 5 || inet_aton(arguments[1].c_str(), &target) == 0) {
        std::fprintf(stderr, "usage: flooder FILE TARGET PORT RATE SECONDS [spoof] [vary]\n");
        return 2;
    }
    const auto has = [&](const char* word) {
        return std::find(arguments.begin() + 5, arguments.end(), word) != arguments.end();
    };
    const auto port = static_cast<std::uint16_t>(std::stoi(arguments[2]));
    const double rate = std::stod(arguments[3]);
    const double seconds = std::stod(arguments[4]);
    std::vector<Packet> packets = read_packets(arguments[0], target, port);
    const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    const int one = 1;
    if (packets.empty() || fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one) != 0) {
        std::perror("flooder");
        return 1;
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr = target;
    const auto started = std::chrono::steady_clock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    };
    std::uint64_t sent = 0;
    std::size_t next = 0;
    while (elapsed() < seconds) {
        const double due = elapsed() * rate;
        if (static_cast<double>(sent) >= due) {
            std::this_thread::sleep_for(std::chrono::microseconds(200));
            continue;
        }
        std::array<mmsghdr, kBatch> messages{};
        std::array<iovec, kBatch> vectors{};
        const std::size_t count = std::min(kBatch, packets.size());
        for (std::size_t i = 0; i < count; ++i) {
            Packet& packet = packets[next];
            next = (next + 1) % packets.size();
            change(packet, target, has("spoof"), has("vary"));
            vectors[i] = {packet.bytes.data(), packet.bytes.size()};
            messages[i].msg_hdr.msg_name = &to;
            messages[i].msg_hdr.msg_namelen = sizeof to;
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        const int done = sendmmsg(fd, messages.data(), static_cast<unsigned>(count), 0);
        sent += done > 0 ? static_cast<std::uint64_t>(done) : 0;
    }
    std::printf("%llu %.3f\n", static_cast<unsigned long long>(sent), elapsed());
    close(fd);
    return 0;
}
