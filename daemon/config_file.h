// SPDX-License-Identifier: Apache-2.0
/// \file
/// Configuration files and overrides, read strictly: an unknown, repeated or mistyped key is an
/// error that names file, line and column, because a daemon that runs with half of what was asked
/// is found out at the worst moment. The only user of yaml-cpp.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "daemon/settings.h"

namespace meshd {

inline constexpr std::string_view kDefaultConfigFile = "/etc/meshd/meshd.yaml";

/// One key set on the command line.
struct ConfigOverride {
    /// Named in errors: "--set mesh.max_peers=x", "--node-id".
    std::string origin;
    std::string key;
    /// The value as YAML (of `--set`), else the plain texts of a flag.
    std::optional<std::string> yaml;
    std::vector<std::string> texts;
};

struct ConfigSources {
    /// Of `--config`: must exist. Otherwise `default_file`, which may be absent.
    std::optional<std::filesystem::path> file;
    std::filesystem::path default_file = kDefaultConfigFile;
    /// The last one of a key wins.
    std::vector<ConfigOverride> overrides;
};

/// Defaults, then the file, then `<file>.d/*.yaml` in order of name, then the overrides; then the
/// rules between keys. Fails with every mistake found, one line each: where, what was expected,
/// what was found.
tl::expected<Settings, std::vector<std::string>> load_settings(const ConfigSources& sources);

/// What one key says about another: the patience with links, bounded, and the bootstrap addresses
/// and names from their texts. load_settings() has done it.
void derive_settings(Settings& settings);

/// Applies one YAML text; `name` stands for the file in errors.
void apply_config_text(std::string_view name, const std::string& text, Settings& settings,
                       std::vector<std::string>& errors);

}  // namespace meshd
