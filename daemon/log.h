// SPDX-License-Identifier: Apache-2.0
/// \file
/// The daemon's log: lines on stderr with time and level, or entries with fields where stderr is
/// systemd's journal. spdlog stays behind this header, so that only log.cpp pays for compiling it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace meshd {

enum class LogLevel : std::uint8_t { Debug, Info, Warning, Error };

/// "debug", "info", "warning" or "error".
std::string_view log_level_name(LogLevel level);
std::optional<LogLevel> parse_log_level(std::string_view name);

/// Lines below `level` are not written. Info until called.
void set_log_level(LogLevel level);
bool is_logged(LogLevel level);

/// What the journal can be asked for beside words; empty ones are left out.
struct LogFields {
    std::string_view event;  ///< MESHD_EVENT: kind of the event, as in the local API
    std::string_view peer;   ///< MESHD_PEER: the other node it is about
};

/// MESHD_NODE of all entries from now on.
void set_log_node(std::string node_id);

void log_debug(std::string_view line);
void log_info(std::string_view line, const LogFields& fields = {});
void log_warning(std::string_view line, const LogFields& fields = {});
void log_error(std::string_view line);

}  // namespace meshd
