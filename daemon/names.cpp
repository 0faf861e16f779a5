// SPDX-License-Identifier: Apache-2.0
#include "daemon/names.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <vector>

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

tl::expected<std::string, std::string> find_hardware_id(const fs::path& root) {
    if (const char* given = std::getenv("MESHD_HARDWARE_ID"); given != nullptr && *given != '\0') {
        return given;
    }
    for (const char* serial :
         {"proc/device-tree/serial-number", "sys/firmware/devicetree/base/serial-number"}) {
        if (std::string text = read_line(root / serial); !text.empty()) {
            return text;
        }
    }
    std::vector<fs::path> interfaces;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(root / "sys/class/net", error)) {
        interfaces.push_back(entry.path());
    }
    std::sort(interfaces.begin(), interfaces.end());
    std::string any_mac;
    for (const fs::path& interface : interfaces) {
        const std::string mac = read_line(interface / "address");
        if (interface.filename() == "lo" || !is_mac(mac)) {
            continue;
        }
        // addr_assign_type 0: the address is burnt in (Documentation/ABI/testing/sysfs-class-net).
        if (fs::exists(interface / "device", error) &&
            read_line(interface / "addr_assign_type") == "0") {
            return mac;
        }
        if (any_mac.empty()) {
            any_mac = mac;
        }
    }
    if (!any_mac.empty()) {
        return any_mac;
    }
    return tl::unexpected(std::string(
        "no hardware id to make a node id from: no serial number in the device tree and no network "
        "interface with a MAC address; name the node with --node-id NAME"));
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
