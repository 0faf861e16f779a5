// SPDX-License-Identifier: Apache-2.0
#include "daemon/names.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "proto/base/hash.h"
#include "proto/base/ids.h"
#include "proto/base/node_id.h"

namespace meshd {
namespace {

namespace fs = std::filesystem;

/// First line of a small file without trailing NUL (device tree) or space; empty where unreadable.
std::string read_line(const fs::path& path) {
    std::ifstream stream(path);
    std::string line;
    std::getline(stream, line);
    while (!line.empty() && (line.back() == '\0' || line.back() == ' ' || line.back() == '\r')) {
        line.pop_back();
    }
    return line;
}

bool is_mac(const std::string& text) {
    return text.size() == 17 && text != "00:00:00:00:00:00";
}

}  // namespace

std::string permanent_address(const std::string& interface) {
    constexpr std::size_t kMacBytes = 6;
    constexpr std::size_t kAddressBytesMax = 32;  // MAX_ADDR_LEN of the kernel
    ethtool_perm_addr head{};
    head.cmd = ETHTOOL_GPERMADDR;
    head.size = kAddressBytesMax;
    alignas(ethtool_perm_addr) std::array<char, sizeof head + kAddressBytesMax> reply{};
    std::memcpy(reply.data(), &head, sizeof head);
    ifreq request{};
    interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
    request.ifr_data = reply.data();
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool is_told = fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) == 0;
    if (fd >= 0) {
        close(fd);
    }
    std::memcpy(&head, reply.data(), sizeof head);
    if (!is_told || head.size != kMacBytes) {
        return {};
    }
    std::string text;
    for (std::size_t i = 0; i < kMacBytes; ++i) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        const auto byte = static_cast<std::uint8_t>(reply[sizeof head + i]);
        text += i == 0 ? "" : ":";
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return is_mac(text) ? text : "";
}

HardwareMarks find_hardware(const fs::path& root, const PermanentAddress& permanent) {
    HardwareMarks marks;
    if (const char* given = std::getenv("MESHD_HARDWARE_ID"); given != nullptr && *given != '\0') {
        marks.lasting.emplace_back(given);
        return marks;
    }
    const auto add = [](std::vector<std::string>& all, const std::string& text) {
        if (!text.empty() && std::find(all.begin(), all.end(), text) == all.end()) {
            all.push_back(text);
        }
    };
    for (const char* serial :
         {"proc/device-tree/serial-number", "sys/firmware/devicetree/base/serial-number"}) {
        add(marks.lasting, read_line(root / serial));
    }
    std::vector<fs::path> interfaces;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(root / "sys/class/net", error)) {
        interfaces.push_back(entry.path());
    }
    std::sort(interfaces.begin(), interfaces.end());
    std::vector<std::string> of_usb;
    for (const fs::path& interface : interfaces) {
        const std::string mac = read_line(interface / "address");
        if (interface.filename() == "lo" || !is_mac(mac)) {
            continue;
        }
        if (marks.passing.empty()) {
            marks.passing = mac;
        }
        const fs::path device = fs::canonical(interface / "device", error);
        if (error) {
            continue;
        }
        // An adapter comes and goes, and goes from box to box.
        auto& list = device.string().find("/usb") == std::string::npos ? marks.lasting : of_usb;
        add(list, permanent(interface.filename()));
        // addr_assign_type 0: the address is burnt in (Documentation/ABI/testing/sysfs-class-net).
        if (read_line(interface / "addr_assign_type") == "0") {
            add(list, mac);
        }
    }
    for (const std::string& mac : of_usb) {
        add(marks.lasting, mac);
    }
    return marks;
}

std::string default_node_id(std::string_view name, std::string_view hardware_id) {
    constexpr std::size_t kSuffix = 5;
    std::string id(name.empty() ? "node" : name);
    for (char& c : id) {
        const std::string_view one(&c, 1);
        if (!NodeId::parse(one)) {
            c = '-';
        }
    }
    id.resize(std::min(id.size(), NodeId::kLengthMax - kSuffix));
    return id + "-" + print_hex(hash64(as_bytes(hardware_id))).substr(0, 4);
}

std::string host_name() {
    std::array<char, 256> name{};
    if (gethostname(name.data(), name.size() - 1) != 0) {
        return {};
    }
    const std::string_view full(name.data());
    return std::string(full.substr(0, full.find('.')));
}

}  // namespace meshd
