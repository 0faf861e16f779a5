// SPDX-License-Identifier: Apache-2.0
#include "cli/message_object.h"

#include "cli/format.h"
#include "cli/input.h"
#include "proto/base/json.h"

namespace meshd::cli {
namespace {

/// Above what the daemon takes in one request, so that the refusal is the daemon's own.
constexpr std::size_t kInputBytesMax = std::size_t{4} << 20;

}  // namespace

tl::expected<std::string, std::string> message_object(std::string_view argument,
                                                      std::string_view what, bool is_text) {
    const std::string name = "the " + std::string(what);
    std::string given(argument);
    if (given == "-") {
        auto input = read_whole("-", kInputBytesMax);
        if (!input) {
            return input;
        }
        given = std::move(*input);
    }
    std::string_view text = given;
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.remove_suffix(1);
    }
    if (!json::is_utf8(text)) {
        return tl::unexpected(name + " is no UTF-8 text");
    }
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) {
        return tl::unexpected(name + " is empty");
    }
    if (text[first] == '{' && !is_text) {
        const auto parsed = json::Document::parse(text, json::Limits{kInputBytesMax, 64, 1U << 18});
        if (!parsed) {
            return tl::unexpected(name + " begins like a JSON object but is " +
                                  print_error(parsed.error()));
        }
        return parsed->root().print();
    }
    std::string object;
    json::Writer(object).begin_object().member("message", text).end_object();
    return object;
}

}  // namespace meshd::cli
