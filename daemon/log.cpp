// SPDX-License-Identifier: Apache-2.0
#include "daemon/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/journal.h"

namespace meshd {
namespace {

constexpr std::array<std::pair<LogLevel, std::string_view>, 4> kLevels = {{
    {LogLevel::Debug, "debug"},
    {LogLevel::Info, "info"},
    {LogLevel::Warning, "warning"},
    {LogLevel::Error, "error"},
}};

spdlog::level::level_enum spdlog_level(LogLevel level) {
    switch (level) {
        case LogLevel::Debug:
            return spdlog::level::debug;
        case LogLevel::Info:
            return spdlog::level::info;
        case LogLevel::Warning:
            return spdlog::level::warn;
        case LogLevel::Error:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

spdlog::logger& logger() {
    static const std::shared_ptr<spdlog::logger> kInstance = [] {
        auto made = std::make_shared<spdlog::logger>(
            "meshd", std::make_shared<spdlog::sinks::stderr_sink_st>());
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
        // A log nobody reads (a closed terminal) must not take the daemon down.
        made->set_error_handler([](const std::string&) {});
        return made;
    }();
    return *kInstance;
}

int syslog_priority(LogLevel level) {
    switch (level) {
        case LogLevel::Debug:
            return LOG_DEBUG;
        case LogLevel::Info:
            return LOG_INFO;
        case LogLevel::Warning:
            return LOG_WARNING;
        case LogLevel::Error:
            return LOG_ERR;
    }
    return LOG_INFO;
}

std::optional<Journal>& journal() {
    static std::optional<Journal> instance = Journal::behind_stderr();
    return instance;
}

std::string& node() {
    static std::string instance;
    return instance;
}

void write(LogLevel level, std::string_view line, const LogFields& named = {}) {
    if (journal()) {
        if (!logger().should_log(spdlog_level(level))) {
            return;
        }
        std::vector<Journal::Field> fields;
        for (const Journal::Field& field :
             {Journal::Field{"MESHD_NODE", node()}, Journal::Field{"MESHD_PEER", named.peer},
              Journal::Field{"MESHD_EVENT", named.event}}) {
            if (!field.second.empty()) {
                fields.push_back(field);
            }
        }
        journal()->write(syslog_priority(level), line, fields);
        return;
    }
    logger().log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

std::string_view log_level_name(LogLevel level) {
    return kLevels[static_cast<std::size_t>(level)].second;
}

std::optional<LogLevel> parse_log_level(std::string_view name) {
    for (const auto& [level, known] : kLevels) {
        if (known == name) {
            return level;
        }
    }
    return std::nullopt;
}

void set_log_level(LogLevel level) {
    logger().set_level(spdlog_level(level));
}
bool is_logged(LogLevel level) {
    return logger().should_log(spdlog_level(level));
}

void set_log_node(std::string node_id) {
    node() = std::move(node_id);
}

void log_debug(std::string_view line) {
    write(LogLevel::Debug, line);
}
void log_info(std::string_view line, const LogFields& fields) {
    write(LogLevel::Info, line, fields);
}
void log_warning(std::string_view line, const LogFields& fields) {
    write(LogLevel::Warning, line, fields);
}
void log_error(std::string_view line) {
    write(LogLevel::Error, line);
}

}  // namespace meshd
