// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "daemon/bootstrap_host.h"
#include "daemon/config_access.h"
#include "daemon/log.h"
#include "proto/config.h"

namespace meshd {

/// Where a key was set, and how far on in the reading: of two keys the one with the higher `order`
/// came later.
struct ConfigPlace {
    std::size_t order = 0;
    std::string text;  ///< "file:line:column", or the flag
    ConfigOrigin origin = ConfigOrigin::File;
};

/// Everything the configuration decides, after files, `--set` and flags.
struct Settings {
    /// Empty: host name and four hex digits of a hardware id.
    std::string node_id;
    std::uint16_t udp_port = 9999;
    /// Interfaces to use, by name or pattern; empty: all that reach other boxes.
    std::vector<std::string> interfaces;
    /// As written; derive_settings() puts the addresses into `core.bootstrap` and the host names
    /// into `bootstrap_hosts`.
    std::vector<std::string> bootstrap;
    std::vector<BootstrapHost> bootstrap_hosts;
    /// As written; `core` has it bounded by `heartbeat_timeout`, as derive_settings() does.
    Duration link_patience = Config{}.link_patience;
    /// Upper bound of the patience with any link.
    Duration heartbeat_timeout = std::chrono::seconds(30);
    /// Sealed, unlike the core by itself: whoever wants less says so.
    Config core = [] {
        Config config;
        config.security = SecurityMode::Sealed;
        return config;
    }();
    /// Empty: the place that suits the user (ipc_server.h).
    std::string socket_path;
    /// Empty: the place that suits the user (state_dir.h).
    std::string state_dir;
    LogLevel log_level = LogLevel::Info;
    /// The last place of every key that was set, by name; others are at their default.
    std::map<std::string, ConfigPlace, std::less<>> places;
    /// Values set so far: the `order` of the latest place.
    std::size_t values_set = 0;
    /// The files that were read, in that order.
    std::vector<std::string> files;
};

}  // namespace meshd
