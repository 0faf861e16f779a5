// SPDX-License-Identifier: Apache-2.0
/// \file
/// Errors of the local API: JSON-RPC's own codes, then one band per area (ipc/API.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/json.h"

namespace meshd::ipc {

/// Numbers are part of the API: none is ever given another meaning.
enum class ErrorCode : int {
    ParseError = -32700,
    InvalidRequest = -32600,
    MethodNotFound = -32601,
    InvalidParams = -32602,
    InternalError = -32603,
    UnknownNode = 100,
    HasLeft = 101,
    NodeAlive = 102,
    NodeUnreachable = 103,
    NoAnswer = 104,
    StateTooLarge = 200,
    StateUnknown = 201,
    UnknownEntry = 300,
    EntryTooLarge = 301,
    DimensionMismatch = 302,
    AlertTooLarge = 400,
    UnknownAlert = 401,
    UnknownSearch = 500,
    QueryTooLarge = 501,
    AnswerTooLarge = 502,
    NoteTooLarge = 600,
    Undeliverable = 601,
    NotAcknowledged = 602,
    BackupFailed = 700,
    ConfigInvalid = 701,
    KeyInvalid = 702,
    KeyRefused = 703,
    KeyLacking = 704,
    UnknownKey = 705,
    KeyNotKept = 706,
    Overloaded = 900,
    NotPermitted = 901,
};

inline constexpr std::array kErrorCodes = {
    ErrorCode::ParseError,    ErrorCode::InvalidRequest,  ErrorCode::MethodNotFound,
    ErrorCode::InvalidParams, ErrorCode::InternalError,   ErrorCode::UnknownNode,
    ErrorCode::HasLeft,       ErrorCode::NodeAlive,       ErrorCode::NodeUnreachable,
    ErrorCode::NoAnswer,      ErrorCode::StateTooLarge,   ErrorCode::StateUnknown,
    ErrorCode::UnknownEntry,  ErrorCode::EntryTooLarge,   ErrorCode::DimensionMismatch,
    ErrorCode::AlertTooLarge, ErrorCode::UnknownAlert,    ErrorCode::UnknownSearch,
    ErrorCode::QueryTooLarge, ErrorCode::AnswerTooLarge,  ErrorCode::NoteTooLarge,
    ErrorCode::Undeliverable, ErrorCode::NotAcknowledged, ErrorCode::BackupFailed,
    ErrorCode::ConfigInvalid, ErrorCode::KeyInvalid,      ErrorCode::KeyRefused,
    ErrorCode::KeyLacking,    ErrorCode::UnknownKey,      ErrorCode::KeyNotKept,
    ErrorCode::Overloaded,    ErrorCode::NotPermitted,
};

/// "parse_error", "unknown_node", …
std::string_view error_name(ErrorCode code);

/// Why a call failed: the `error` member of a response. Empty members are left out of `data`, and
/// `data` where all are empty.
struct Error {
    ErrorCode code = ErrorCode::InternalError;
    std::string message;
    std::string field;         ///< the param at fault
    std::string got;           ///< what it was, as JSON text
    std::string expected;      ///< what it may be, in words
    std::string did_you_mean;  ///< the nearest known name
    std::optional<std::int64_t> retry_after_ms;
    std::string status;                 ///< of the node that could not be reached
    std::string because;                ///< the node whose loss cut it off
    std::vector<std::string> problems;  ///< all that is wrong, where that may be several things
};

/// A param that is not as the method table has it. `got` longer than a line shows as its type, and
/// where nothing was given as null, which counts as the same.
Error invalid_param(std::string_view field, const json::Value& got, std::string expected);

/// Writes the error object.
void write_error(json::Writer& writer, const Error& error);

}  // namespace meshd::ipc
