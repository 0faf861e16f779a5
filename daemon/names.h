// SPDX-License-Identifier: Apache-2.0
/// \file
/// The name of a node that was given none. Boxes are made from one image and share a host name (and
/// a machine-id), so the hardware tells them apart.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace meshd {

/// What tells this hardware from other hardware, as text.
struct HardwareMarks {
    /// What stays with it, best first: $MESHD_HARDWARE_ID alone where it is set; else the serial
    /// number in the device tree, and the burnt-in MAC address of each physical interface by name,
    /// those of USB after the others. May be empty, and grow when a driver comes late.
    std::vector<std::string> lasting;
    /// Any MAC address but loopback's; may be another one at the next start. May be empty.
    std::string passing;
};

/// The MAC address that an interface was made with, whatever it uses now; empty where it has none.
using PermanentAddress = std::function<std::string(const std::string& interface)>;
/// As the kernel says it (ETHTOOL_GPERMADDR).
std::string permanent_address(const std::string& interface);

/// `root` stands before /proc and /sys.
HardwareMarks find_hardware(const std::filesystem::path& root = "/",
                            const PermanentAddress& permanent = permanent_address);

/// `<host_name>-<4 hex digits of the hardware id's hash>`, with other characters than a node id may
/// have replaced by '-', and cut to length. An empty host name becomes "node".
std::string default_node_id(std::string_view host_name, std::string_view hardware_id);

/// This machine's host name without its domain.
std::string host_name();

}  // namespace meshd
