// SPDX-License-Identifier: Apache-2.0
#include "daemon/host_facts.h"

#include <dirent.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <sstream>

namespace meshd {
namespace {

/// More descriptors than that are clients; the sockets of the mesh were opened before them.
constexpr std::size_t kDescriptorsMax = 256;

std::uint32_t mtu_of(const std::string& interface) {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) {
        return 0;
    }
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    const bool is_known = ioctl(socket, SIOCGIFMTU, &request) == 0;
    close(socket);
    return is_known ? static_cast<std::uint32_t>(request.ifr_mtu) : 0;
}

/// Of the sockets that this process has open.
std::vector<std::string> own_socket_inodes() {
    constexpr std::string_view kPrefix = "socket:[";
    std::vector<std::string> inodes;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
    if (!directory) {
        return inodes;
    }
    for (std::size_t seen = 0; seen < kDescriptorsMax; ++seen) {
        const dirent* entry = readdir(directory.get());
        if (entry == nullptr) {
            break;
        }
        std::array<char, 64> target{};
        const ssize_t length =
            readlinkat(dirfd(directory.get()), entry->d_name, target.data(), target.size());
        const std::string_view text(target.data(),
                                    length < 0 ? 0 : static_cast<std::size_t>(length));
        if (text.starts_with(kPrefix) && text.ends_with(']')) {
            inodes.emplace_back(text.substr(kPrefix.size(), text.size() - kPrefix.size() - 1));
        }
    }
    return inodes;
}

}  // namespace

std::optional<std::uint64_t> sum_udp_drops(std::string_view table,
                                           const std::vector<std::string>& inodes) {
    // sl local rem st tx:rx tr:when retrnsmt uid timeout inode ref pointer drops
    constexpr std::size_t kInode = 9;
    constexpr std::size_t kDrops = 12;
    std::optional<std::uint64_t> sum;
    std::istringstream lines{std::string(table)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string word;
        bool is_ours = false;
        for (std::size_t column = 0; words >> word && column <= kDrops; ++column) {
            if (column == kInode) {
                is_ours = std::find(inodes.begin(), inodes.end(), word) != inodes.end();
            } else if (column == kDrops && is_ours) {
                sum = sum.value_or(0) + std::strtoull(word.c_str(), nullptr, 10);
            }
        }
    }
    return sum;
}

HostFacts host_facts(const std::vector<Endpoint>& addresses, const std::string& state_dir) {
    HostFacts facts;
    for (const Endpoint& address : addresses) {
        std::array<char, IF_NAMESIZE> name{};
        if (if_indextoname(address.interface, name.data()) != nullptr) {
            facts.interfaces.push_back({name.data(), address, mtu_of(name.data())});
        }
    }
    std::stringstream table;
    table << std::ifstream("/proc/self/net/udp").rdbuf();
    facts.receive_drops = sum_udp_drops(table.str(), own_socket_inodes());
    facts.state_dir = state_dir;
    struct statvfs disk {};
    if (!state_dir.empty() && statvfs(state_dir.c_str(), &disk) == 0) {
        facts.disk_free_bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    }
    return facts;
}

}  // namespace meshd
