// SPDX-License-Identifier: Apache-2.0
#include "proto/node_params.h"

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

}  // namespace meshd
