// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <string_view>

#include "proto/base/json.h"

namespace meshd::cli {

/// JSON in a test, which must be right.
inline json::Document parsed(std::string_view text) {
    auto document = json::Document::parse(text, json::Limits{});
    REQUIRE_MESSAGE(document.has_value(), text);
    return std::move(*document);
}

}  // namespace meshd::cli
