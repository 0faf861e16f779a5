// SPDX-License-Identifier: Apache-2.0
/// \file
/// The name of a node that was given none. Boxes are made from one image and share a host name (and
/// a machine-id), so the hardware tells them apart.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace meshd {

/// What identifies this hardware, as text: $MESHD_HARDWARE_ID, else the serial number in the device
/// tree, else the permanent MAC address of the first physical interface by name, else any MAC
/// address but loopback's. `root` stands before /proc and /sys. Fails with what to do where there
/// is none of these.
tl::expected<std::string, std::string> find_hardware_id(const std::filesystem::path& root = "/");

/// `<host_name>-<4 hex digits of the hardware id's hash>`, with other characters than a node id may
/// have replaced by '-', and cut to length. An empty host name becomes "node".
std::string default_node_id(std::string_view host_name, std::string_view hardware_id);

/// This machine's host name without its domain.
std::string host_name();

}  // namespace meshd
