// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "daemon/log.h"

namespace meshd {

/// Who has set a key.
enum class ConfigOrigin : std::uint8_t {
    Default,
    File,
    Flag,  ///< --node-id, --open, …
    Set,   ///< --set
    Call,  ///< the local API
};

/// One key as it is in force.
struct ConfigKeyView {
    std::string key;
    std::string value;          ///< JSON
    std::string default_value;  ///< JSON
    ConfigOrigin origin = ConfigOrigin::Default;
    std::string place;     ///< file:line:column, or the flag; empty of Default and Call
    bool is_live = false;  ///< a reload applies it
    std::string pending;   ///< JSON of what waits for a restart; else empty
};

/// What reading the files again came to.
struct ConfigReload {
    std::vector<std::string> applied;  ///< keys, in the order of the table
    std::vector<std::string> restart;  ///< keys whose new value needs one
    std::size_t unchanged = 0;
};

/// The one way by which the local API reaches the configuration: implemented by LiveConfig,
/// replaced by a stand-in in tests. All texts are UTF-8, whatever the files and their names are.
class ConfigAccess {
  public:
    virtual ~ConfigAccess() = default;
    /// All keys, in the order of the table.
    virtual std::vector<ConfigKeyView> keys() const = 0;
    /// The files that were read, in that order.
    virtual std::vector<std::string> files() const = 0;
    /// Reads the files again. Fails with every mistake found, and nothing has changed then.
    virtual tl::expected<ConfigReload, std::vector<std::string>> reload() = 0;
    /// What the last reload found wrong on disk, though the daemon runs on: belongs into
    /// mesh.status. Empty after one that found nothing.
    virtual std::vector<std::string> warnings() const { return {}; }
    virtual LogLevel log_level() const = 0;
    virtual void set_log_level(LogLevel level) = 0;
};

}  // namespace meshd
