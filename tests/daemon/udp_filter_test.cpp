// SPDX-License-Identifier: Apache-2.0
// The programs run in the kernel, on datagrams over the loopback interface.
#include "daemon/udp_filter.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/bytes.h"
#include "proto/wire/limits.h"

using namespace meshd;

namespace {

using Use = DatagramFilter::Use;

struct Filtered {
    explicit Filtered(const DatagramFilter& filter)
        : fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* local = reinterpret_cast<sockaddr*>(&address);
        socklen_t size = sizeof address;
        REQUIRE(bind(fd, local, size) == 0);
        REQUIRE(getsockname(fd, local, &size) == 0);
        REQUIRE(attach_filter(fd, filter));
    }
    Filtered(const Filtered&) = delete;
    Filtered& operator=(const Filtered&) = delete;
    ~Filtered() { close(fd); }

    /// Whether the kernel lets it through; over loopback it has decided when sendto returns.
    bool passes(const Buffer& datagram) const {
        const int from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const auto sent = sendto(from, datagram.data(), datagram.size(), 0,
                                 reinterpret_cast<const sockaddr*>(&address), sizeof address);
        close(from);
        REQUIRE(sent == static_cast<ssize_t>(datagram.size()));
        Buffer heard(10'000);
        const auto got = recv(fd, heard.data(), heard.size(), 0);
        REQUIRE((got < 0 || got == sent));
        return got >= 0;
    }

    int fd;
    sockaddr_in address{};
};

Buffer datagram(std::uint8_t version, std::uint8_t kind, std::size_t bytes, std::uint16_t flags = 0,
                std::uint32_t session = 0) {
    Buffer all(std::max<std::size_t>(bytes, 8));
    all[0] = version;
    all[1] = kind;
    for (unsigned i = 0; i < 2; ++i) {
        all[2 + i] = static_cast<std::uint8_t>(flags >> (8 * (1 - i)));
    }
    for (unsigned i = 0; i < 4; ++i) {
        all[4 + i] = static_cast<std::uint8_t>(session >> (8 * (3 - i)));
    }
    all.resize(bytes);
    return all;
}

}  // namespace

TEST_CASE("udp filter: each use has its kinds, versions and lengths") {
    struct Bounds {
        Use use;
        std::uint8_t kind;
        std::size_t lowest, highest;
    };
    for (const Bounds& one : {Bounds{Use::Beacons, 1, 384, 1400}, Bounds{Use::Outside, 1, 56, 1400},
                              Bounds{Use::Sessions, 2, 32, 9000}, Bounds{Use::All, 1, 56, 1400},
                              Bounds{Use::All, 2, 32, 9000}}) {
        const Filtered socket({one.use, {}, {}});
        CHECK(socket.passes(datagram(1, one.kind, one.lowest)));
        CHECK(socket.passes(datagram(1, one.kind, one.highest)));
        CHECK_FALSE(socket.passes(datagram(1, one.kind, one.lowest - 1)));
        CHECK_FALSE(socket.passes(datagram(1, one.kind, one.highest + 1)));
        CHECK_FALSE(socket.passes(datagram(0, one.kind, one.lowest)));
        CHECK_FALSE(socket.passes(datagram(2, one.kind, one.lowest)));
        CHECK_FALSE(socket.passes(datagram(1, 0, one.lowest)));
        CHECK_FALSE(socket.passes(datagram(1, 3, one.lowest)));
        const std::uint8_t other = one.kind == 1 ? 2 : 1;
        CHECK(socket.passes(datagram(1, other, 400)) == (one.use == Use::All));
        CHECK_FALSE(socket.passes({}));
        CHECK_FALSE(socket.passes({1}));
        CHECK(kernel_drops(socket.fd) >= 8);
    }
}

TEST_CASE("udp filter: key hints are asked for outside sessions only") {
    const Filtered socket({Use::All, {1, 0xabcd, 0xffff}, {}});
    for (const int hint : {0x0001, 0xabcd, 0xffff}) {
        CHECK(socket.passes(datagram(1, 1, 100, static_cast<std::uint16_t>(hint))));
    }
    for (const int hint : {0x0000, 0x0100, 0xcdab, 0xfffe}) {
        CHECK_FALSE(socket.passes(datagram(1, 1, 100, static_cast<std::uint16_t>(hint))));
    }
    CHECK(socket.passes(datagram(1, 2, 100, 0, 5)));
}

TEST_CASE("udp filter: of many sessions exactly those pass, of none or too many all or none") {
    std::vector<SessionId> sessions;
    for (std::uint32_t i = 0; i < DatagramFilter::kSessionsMax; ++i) {
        sessions.push_back(SessionId{0x8000'0000 + 3 * i});
    }
    {
        const Filtered socket({Use::All, {}, sessions});
        for (std::uint32_t i = 0; i < 3 * DatagramFilter::kSessionsMax; ++i) {
            CHECK(socket.passes(datagram(1, 2, 40, 0, 0x8000'0000 + i)) == (i % 3 == 0));
        }
        CHECK(socket.passes(datagram(1, 1, 100)));
    }
    CHECK_FALSE(Filtered({Use::Sessions, {}, std::vector<SessionId>{}}).passes(datagram(1, 2, 40)));
    sessions.push_back(SessionId{1});
    CHECK(Filtered({Use::Sessions, {}, sessions}).passes(datagram(1, 2, 40, 0, 2)));
}

TEST_CASE("udp filter: a program of any content is one that the kernel takes") {
    for (const Use use : {Use::Beacons, Use::Outside, Use::Sessions, Use::All}) {
        for (const std::size_t hints : {0U, 1U, 64U, 65U}) {
            for (const std::size_t sessions : {0U, 1U, 128U, 129U}) {
                const Filtered socket({use, std::vector<std::uint16_t>(hints, 7),
                                       std::vector<SessionId>(sessions, SessionId{7})});
                CHECK_FALSE(socket.passes(datagram(9, 1, 400)));
            }
        }
    }
}
