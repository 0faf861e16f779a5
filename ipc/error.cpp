// SPDX-License-Identifier: Apache-2.0
#include "ipc/error.h"

namespace meshd::ipc {

namespace {

/// A value shown back to the caller is a hint, not an echo of a megabyte.
constexpr std::size_t kGotBytesMax = 100;

std::string shown(const json::Value& value) {
    if (!value.is_array() && !value.is_object()) {
        std::string text = value.print();
        if (text.size() <= kGotBytesMax) {
            return text;
        }
    }
    std::string text;
    json::Writer(text).string(json::type_name(value.type()));
    return text;
}

}  // namespace

std::string_view error_name(ErrorCode code) {
    switch (code) {
        case ErrorCode::ParseError:
            return "parse_error";
        case ErrorCode::InvalidRequest:
            return "invalid_request";
        case ErrorCode::MethodNotFound:
            return "method_not_found";
        case ErrorCode::InvalidParams:
            return "invalid_params";
        case ErrorCode::InternalError:
            return "internal_error";
        case ErrorCode::UnknownNode:
            return "unknown_node";
        case ErrorCode::HasLeft:
            return "has_left";
        case ErrorCode::NodeAlive:
            return "node_alive";
        case ErrorCode::NodeUnreachable:
            return "node_unreachable";
        case ErrorCode::NoAnswer:
            return "no_answer";
        case ErrorCode::StateTooLarge:
            return "state_too_large";
        case ErrorCode::StateUnknown:
            return "state_unknown";
        case ErrorCode::UnknownEntry:
            return "unknown_entry";
        case ErrorCode::EntryTooLarge:
            return "entry_too_large";
        case ErrorCode::DimensionMismatch:
            return "dimension_mismatch";
        case ErrorCode::AlertTooLarge:
            return "alert_too_large";
        case ErrorCode::UnknownAlert:
            return "unknown_alert";
        case ErrorCode::UnknownSearch:
            return "unknown_search";
        case ErrorCode::QueryTooLarge:
            return "query_too_large";
        case ErrorCode::AnswerTooLarge:
            return "answer_too_large";
        case ErrorCode::NoteTooLarge:
            return "note_too_large";
        case ErrorCode::Undeliverable:
            return "undeliverable";
        case ErrorCode::NotAcknowledged:
            return "not_acknowledged";
        case ErrorCode::BackupFailed:
            return "backup_failed";
        case ErrorCode::ConfigInvalid:
            return "config_invalid";
        case ErrorCode::KeyInvalid:
            return "key_invalid";
        case ErrorCode::KeyRefused:
            return "key_refused";
        case ErrorCode::KeyLacking:
            return "key_lacking";
        case ErrorCode::UnknownKey:
            return "unknown_key";
        case ErrorCode::KeyNotKept:
            return "key_not_kept";
        case ErrorCode::Overloaded:
            return "overloaded";
        case ErrorCode::NotPermitted:
            return "not_permitted";
    }
    return "unknown";
}

Error invalid_param(std::string_view field, const json::Value& got, std::string expected) {
    Error error;
    error.code = ErrorCode::InvalidParams;
    error.message = std::string(field) + " must be " + expected;
    error.field = field;
    error.got = got.exists() ? shown(got) : "null";
    error.expected = std::move(expected);
    return error;
}

void write_error(json::Writer& writer, const Error& error) {
    writer.begin_object().member("code", static_cast<int>(error.code));
    writer.member("message", error.message);
    const bool has_data = !error.field.empty() || !error.got.empty() || !error.expected.empty() ||
                          !error.did_you_mean.empty() || error.retry_after_ms ||
                          !error.status.empty() || !error.problems.empty();
    if (has_data) {
        writer.key("data").begin_object();
        if (!error.field.empty()) {
            writer.member("field", error.field);
        }
        if (!error.got.empty()) {
            writer.member_raw("got", error.got);
        }
        if (!error.expected.empty()) {
            writer.member("expected", error.expected);
        }
        if (!error.did_you_mean.empty()) {
            writer.member("did_you_mean", error.did_you_mean);
        }
        if (error.retry_after_ms) {
            writer.member("retry_after_ms", *error.retry_after_ms);
        }
        if (!error.status.empty()) {
            writer.member("status", error.status).key("because");
            error.because.empty() ? writer.null() : writer.string(error.because);
        }
        if (!error.problems.empty()) {
            writer.key("problems").begin_array();
            for (const std::string& problem : error.problems) {
                writer.string(problem);
            }
            writer.end_array();
        }
        writer.end_object();
    }
    writer.end_object();
}

}  // namespace meshd::ipc
