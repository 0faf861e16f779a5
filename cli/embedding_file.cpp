// SPDX-License-Identifier: Apache-2.0
#include "cli/embedding_file.h"

#include <string_view>

#include "cli/format.h"
#include "cli/input.h"
#include "cli/npy_file.h"
#include "proto/base/base64.h"
#include "proto/base/json.h"

namespace meshd::cli {
namespace {

/// A request is no longer, so that the refusal of more is the daemon's own.
constexpr std::size_t kFileBytesMax = std::size_t{1} << 20;

std::string packed(std::string_view form, std::string_view bytes) {
    std::string out;
    json::Writer(out)
        .begin_object()
        .member(form,
                print_base64({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}))
        .end_object();
    return out;
}

tl::expected<std::string, std::string> raw_values(const std::string& name, const std::string& bytes,
                                                  std::string_view form, std::size_t width) {
    if (bytes.empty()) {
        return tl::unexpected(name + " is empty");
    }
    if (bytes.size() % width != 0) {
        return tl::unexpected(name + ": " + std::to_string(bytes.size()) +
                              " bytes are no whole number of " + std::string(form) + " values of " +
                              std::to_string(width) + " bytes");
    }
    return packed(form, bytes);
}

}  // namespace

tl::expected<std::string, std::string> embedding_of_file(const std::string& path, bool is_raw) {
    const auto content = read_whole(path, kFileBytesMax);
    if (!content) {
        return tl::unexpected(content.error());
    }
    const std::string name = path == "-" ? "standard input" : printable(path);
    if (path.ends_with(".f16")) {
        return raw_values(name, *content, "f16", 2);
    }
    if (is_raw || path.ends_with(".f32")) {
        return raw_values(name, *content, "f32", 4);
    }
    if (is_npy(*content)) {
        const auto vector = parse_npy(*content);
        return vector ? tl::expected<std::string, std::string>(packed(vector->form, vector->bytes))
                      : tl::unexpected(name + " " + printable(vector.error()));
    }
    const auto parsed = json::Document::parse(*content, json::Limits{kFileBytesMax, 8, 1U << 18});
    if (!parsed) {
        return tl::unexpected(name + " is " + print_error(parsed.error()) +
                              " (raw values are told by the ending .f32 or .f16, or by --raw)");
    }
    const json::Value root = parsed->root();
    if (root.is_object() && root.size() == 1 && (root["f16"].exists() || root["f32"].exists())) {
        return root.print();
    }
    if (!root.is_array()) {
        return tl::unexpected(name + R"( is neither an array of numbers nor {"f16": base64})");
    }
    std::size_t index = 0;
    for (const json::Value& value : root) {
        if (value.type() != json::Type::Number) {
            return tl::unexpected(name + ": value " + std::to_string(index) + " is no number but " +
                                  cut(print_value(value), 40));
        }
        ++index;
    }
    return root.print();
}

}  // namespace meshd::cli
