// SPDX-License-Identifier: Apache-2.0
#include "daemon/udp_filter.h"

#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>

#include "proto/wire/limits.h"

namespace meshd {
namespace {

constexpr std::uint32_t kUdpHeaderBytes = sizeof(udphdr);
/// Where the fields of the datagram's header stand.
constexpr std::uint32_t kVersionAt = 0;
constexpr std::uint32_t kKindAt = 1;
constexpr std::uint32_t kFlagsAt = 2;
constexpr std::uint32_t kSessionAt = 4;
/// Kinds of datagrams.
constexpr std::uint32_t kOutside = 1;
constexpr std::uint32_t kSession = 2;

constexpr auto kSessionBytesMin =
    static_cast<std::uint32_t>(limits::kHeaderBytes + limits::kTagBytes);
constexpr auto kOutsideBytesMin =
    static_cast<std::uint32_t>(kSessionBytesMin + limits::kNonceBytes);

constexpr std::uint32_t kAccept = 0xffff'ffff;
constexpr std::uint32_t kDrop = 0;

sock_filter load(std::uint16_t size, std::uint32_t at) {
    return {static_cast<std::uint16_t>(BPF_LD | BPF_ABS | size), 0, 0, kUdpHeaderBytes + at};
}

sock_filter give(std::uint32_t value) {
    return {BPF_RET | BPF_K, 0, 0, value};
}

sock_filter jump(std::uint16_t condition, std::uint32_t value, std::size_t if_true,
                 std::size_t if_false) {
    return {static_cast<std::uint16_t>(BPF_JMP | BPF_K | condition),
            static_cast<std::uint8_t>(if_true), static_cast<std::uint8_t>(if_false), value};
}

using Program = std::vector<sock_filter>;

/// Goes on where the accumulator is within the bounds.
void add_range(Program& program, std::uint32_t lowest, std::uint32_t highest) {
    program.push_back(jump(BPF_JGE, lowest, 1, 0));
    program.push_back(give(kDrop));
    program.push_back(jump(BPF_JGT, highest, 0, 1));
    program.push_back(give(kDrop));
}

void add_length(Program& program, std::uint32_t lowest, std::size_t highest) {
    program.push_back({BPF_LD | BPF_W | BPF_LEN, 0, 0, 0});
    add_range(program, kUdpHeaderBytes + lowest,
              kUdpHeaderBytes + static_cast<std::uint32_t>(highest));
}

/// Ends the program: accepts what is in the set.
template <class Values, class Number>
void add_set(Program& program, const Values& values, Number number) {
    std::size_t left = values.size();
    for (const auto& value : values) {
        // Over the rest of the set and the drop behind it.
        program.push_back(jump(BPF_JEQ, number(value), left, 0));
        --left;
    }
    program.push_back(give(kDrop));
    program.push_back(give(kAccept));
}

Program outside_part(const DatagramFilter& filter) {
    Program program;
    const bool is_beacon = filter.use == DatagramFilter::Use::Beacons;
    add_length(program,
               is_beacon ? static_cast<std::uint32_t>(limits::kHelloBytes) : kOutsideBytesMin,
               limits::kDatagramBytesDefault);
    if (filter.key_hints.empty() || filter.key_hints.size() > DatagramFilter::kKeyHintsMax) {
        program.push_back(give(kAccept));
        return program;
    }
    program.push_back(load(BPF_H, kFlagsAt));
    add_set(program, filter.key_hints, [](std::uint16_t hint) { return std::uint32_t{hint}; });
    return program;
}

Program session_part(const DatagramFilter& filter) {
    Program program;
    add_length(program, kSessionBytesMin, limits::kDatagramBytesMax);
    if (!filter.sessions || filter.sessions->size() > DatagramFilter::kSessionsMax) {
        program.push_back(give(kAccept));
        return program;
    }
    program.push_back(load(BPF_W, kSessionAt));
    add_set(program, *filter.sessions, [](SessionId session) { return session.value; });
    return program;
}

void append(Program& program, const Program& part) {
    program.insert(program.end(), part.begin(), part.end());
}

bool attach(int fd, int option, Program& program) {
    const sock_fprog code{static_cast<unsigned short>(program.size()), program.data()};
    return setsockopt(fd, SOL_SOCKET, option, &code, sizeof code) == 0;
}

}  // namespace

std::vector<sock_filter> filter_program(const DatagramFilter& filter) {
    // A load beyond the end of a datagram drops it, so that the header needs no check of its own.
    Program program{load(BPF_B, kVersionAt)};
    add_range(program, limits::kVersionMin, limits::kVersionMax);
    program.push_back(load(BPF_B, kKindAt));
    if (filter.use != DatagramFilter::Use::Sessions) {
        const Program part = outside_part(filter);
        program.push_back(jump(BPF_JEQ, kOutside, 0, part.size()));
        append(program, part);
    }
    if (filter.use == DatagramFilter::Use::Sessions || filter.use == DatagramFilter::Use::All) {
        const Program part = session_part(filter);
        program.push_back(jump(BPF_JEQ, kSession, 0, part.size()));
        append(program, part);
    }
    program.push_back(give(kDrop));
    return program;
}

bool attach_filter(int fd, const DatagramFilter& filter) {
    Program program = filter_program(filter);
    return attach(fd, SO_ATTACH_FILTER, program);
}

bool attach_split(int fd) {
    // Such a program begins at the payload. What it cannot load from goes to the first socket,
    // whose filter drops it.
    Program program{
        {BPF_LD | BPF_ABS | BPF_B, 0, 0, kKindAt}, jump(BPF_JEQ, kSession, 0, 1), give(0), give(1)};
    return attach(fd, SO_ATTACH_REUSEPORT_CBPF, program);
}

std::uint32_t kernel_drops(int fd) {
    std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
    socklen_t size = sizeof info;
    return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info.data(), &size) == 0 ? info[SK_MEMINFO_DROPS]
                                                                           : 0;
}

}  // namespace meshd
