// SPDX-License-Identifier: Apache-2.0
/// \file
/// What `meshctl doctor` looks at: a table of checks, each a pure function of what the daemon said.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/client/reply.h"
#include "proto/base/json.h"

namespace meshd::cli {

/// Rising: the worst one decides the exit code.
enum class Severity : std::uint8_t {
    Ok,
    Note,     ///< worth knowing; nothing is wrong
    Warning,  ///< works, but less well than it could
    Problem,  ///< something does not work
};
std::string_view severity_name(Severity severity);

struct Finding {
    Severity severity = Severity::Ok;
    std::string what;    ///< a sentence without full stop
    std::string remedy;  ///< what to do: a command, or words; empty: as the check's row says
};
using Findings = std::vector<Finding>;

/// Results of the daemon's methods; one that it does not have is absent.
struct DoctorFacts {
    json::Value status;     ///< mesh.status
    json::Value stats;      ///< mesh.stats
    json::Value nodes;      ///< mesh.nodes
    json::Value peers;      ///< mesh.peers
    json::Value topology;   ///< mesh.topology
    json::Value diagnosis;  ///< mesh.diagnosis
};

struct Check {
    std::string_view name;
    Findings (*run)(const DoctorFacts& facts);
    /// For findings that do not bring their own.
    std::string_view remedy;
    /// What is said where nothing was found.
    std::string_view all_well;
};
std::span<const Check> doctor_checks();

/// By which words the checks know the daemon's warnings: for a test that the daemon says them
/// still.
std::vector<std::string_view> known_warning_words();

/// Why no daemon answers: for each socket that was tried what is there and who holds it, whether a
/// meshd runs, who has its UDP port, and how to start one.
Findings examine_silence(const std::vector<ipc::SocketAttempt>& tried);
/// Who may use the socket that answered.
Findings examine_socket(const std::string& path);

}  // namespace meshd::cli
