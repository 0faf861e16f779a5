// SPDX-License-Identifier: Apache-2.0
#include "proto/node_params.h"

#include "proto/store/record.h"
#include "proto/wire/limits.h"

namespace meshd {

tl::expected<json::Document, CommandError> parse_object(const std::string& text, const char* field,
                                                        std::size_t bytes_max) {
    if (text.size() > bytes_max) {
        return tl::unexpected(CommandError{CommandError::Code::TooLarge,
                                           field,
                                           "has " + std::to_string(text.size()) +
                                               " bytes as compact JSON; at most " +
                                               std::to_string(bytes_max) + " are allowed",
                                           {}});
    }
    auto document = json::Document::parse(
        text, {bytes_max, limits::kPayloadDepthMax, limits::kMessageJson.values_max});
    if (!document) {
        const bool is_large = document.error().exceeds_limits;
        return tl::unexpected(CommandError{
            is_large ? CommandError::Code::TooLarge : CommandError::Code::InvalidParams,
            field,
            (is_large ? "is beyond the limits: " : "is not valid JSON: ") +
                document.error().message,
            {}});
    }
    if (!document->root().is_object()) {
        return tl::unexpected(
            CommandError{CommandError::Code::InvalidParams, field, "must be a JSON object", {}});
    }
    return std::move(*document);
}

std::optional<CommandError> check_wait(Duration wait) {
    if (wait >= Duration{} && to_ms(wait) <= std::int64_t{limits::kWaitMsMax}) {
        return std::nullopt;
    }
    return CommandError{CommandError::Code::InvalidParams,
                        "timeout_ms",
                        "must be between 0 and " + std::to_string(limits::kWaitMsMax),
                        {},
                        {}};
}

std::optional<CommandError> check_name(const std::string& text, const char* field,
                                       std::size_t bytes_max) {
    if (text.size() > bytes_max) {
        return CommandError{CommandError::Code::TooLarge,
                            field,
                            "has " + std::to_string(text.size()) + " bytes; at most " +
                                std::to_string(bytes_max) + " are allowed",
                            {},
                            {}};
    }
    if (!is_name(text, bytes_max)) {
        return CommandError{CommandError::Code::InvalidParams,
                            field,
                            "must be 1 to " + std::to_string(bytes_max) +
                                " bytes of UTF-8 without control characters",
                            {},
                            {}};
    }
    return std::nullopt;
}

CommandError invalid_param(const char* field, std::string message) {
    return {CommandError::Code::InvalidParams, field, std::move(message), {}, {}};
}

CommandError overloaded(const char* what) {
    return {CommandError::Code::Overloaded, {}, what, std::chrono::milliseconds(100), {}};
}

CommandError unknown_node(const NodeId& node, const char* field) {
    return {CommandError::Code::UnknownNode,
            field,
            "no node of the name " + node.text() + " is known",
            {},
            {}};
}

CommandError left_error() {
    return {CommandError::Code::HasLeft,
            {},
            "this node has left the mesh; mesh.discover rejoins",
            {},
            {}};
}

}  // namespace meshd
