// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/config_access.h"
#include "daemon/config_file.h"

namespace meshd {

/// The configuration of a running daemon: what is in force, and what the files say by now.
///
/// Invariant: a reload changes either nothing (a file is wrong) or all live keys at once; a key
/// that needs a restart stays as it was at the start, whatever the files say.
class LiveConfig final : public ConfigAccess {
  public:
    struct Callbacks {
        /// Puts into force what may change; `changed` are the live keys that did.
        std::function<void(const Settings& in_force, const std::vector<std::string>& changed)>
            apply;
        /// A reload begins, and has ended: for the service manager.
        std::function<void(bool is_reloading)> notify;
    };

    /// `sources` are read again by each reload; `at_start` is what they were.
    LiveConfig(ConfigSources sources, Settings at_start, Callbacks callbacks);

    std::vector<ConfigKeyView> keys() const override;
    std::vector<std::string> files() const override;
    /// Says on the log what came of it, too.
    tl::expected<ConfigReload, std::vector<std::string>> reload() override;
    std::vector<std::string> warnings() const override;
    LogLevel log_level() const override { return in_force_.log_level; }
    void set_log_level(LogLevel level) override;

    const Settings& in_force() const { return in_force_; }

  private:
    tl::expected<ConfigReload, std::vector<std::string>> read_again();

    ConfigSources sources_;
    Callbacks callbacks_;
    Settings in_force_;
    /// What the next start would begin with.
    Settings loaded_;
    std::string trouble_;  ///< what the last reload found wrong; else empty
};

}  // namespace meshd
