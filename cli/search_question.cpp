// SPDX-License-Identifier: Apache-2.0
#include "cli/search_question.h"

#include <algorithm>
#include <array>
#include <optional>

#include "cli/embedding_file.h"
#include "cli/format.h"
#include "proto/base/json.h"

namespace meshd::cli {
namespace {

using Error = tl::unexpected<std::string>;

bool is_number(std::string_view text) {
    const auto parsed = json::Document::parse(text, json::Limits{});
    return parsed && parsed->root().type() == json::Type::Number;
}

/// {"min": …, "max": …} of "2..5", "2.." or "..5"; nothing of any other text.
std::optional<std::string> range_of(std::string_view text) {
    const std::size_t dots = text.find("..");
    if (dots == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view min = text.substr(0, dots);
    const std::string_view max = text.substr(dots + 2);
    const auto is_end = [](std::string_view end) { return end.empty() || is_number(end); };
    if (!is_end(min) || !is_end(max) || (min.empty() && max.empty())) {
        return std::nullopt;
    }
    std::string out;
    json::Writer writer(out);
    writer.begin_object();
    if (!min.empty()) {
        writer.member_raw("min", min);
    }
    if (!max.empty()) {
        writer.member_raw("max", max);
    }
    writer.end_object();
    return out;
}

/// Members type and max_age_ms of a query.
void write_filters(json::Writer& writer, const Arguments& arguments) {
    if (arguments.has("type")) {
        writer.member("type", arguments.text("type"));
    }
    if (const auto age = arguments.duration("max-age")) {
        writer.member("max_age_ms", age->count());
    }
}

tl::expected<SearchQuestion, std::string> of_embedding(const Arguments& arguments) {
    if (!arguments.has("space")) {
        return Error("--embedding needs --space, the name of the model that made it");
    }
    const auto embedding =
        embedding_of_file(std::string(arguments.text("embedding")), arguments.has("raw"));
    if (!embedding) {
        return Error("--embedding: " + embedding.error());
    }
    SearchQuestion out{"embedding", {}};
    json::Writer writer(out.query);
    writer.begin_object().member_raw("embedding", *embedding);
    writer.member("space", arguments.text("space"));
    write_filters(writer, arguments);
    writer.end_object();
    return out;
}

tl::expected<SearchQuestion, std::string> of_metadata(const Arguments& arguments) {
    const auto conditions = metadata_conditions(arguments.all("metadata"));
    if (!conditions) {
        return Error("--metadata: " + conditions.error());
    }
    SearchQuestion out{"metadata", {}};
    json::Writer writer(out.query);
    writer.begin_object().member_raw("metadata", *conditions);
    write_filters(writer, arguments);
    writer.end_object();
    return out;
}

tl::expected<SearchQuestion, std::string> of_type(const Arguments& arguments) {
    SearchQuestion out{std::string(arguments.text("SEARCH_TYPE")), "{}"};
    if (arguments.has("query")) {
        const auto parsed = json::Document::parse(arguments.text("query"), json::Limits{});
        if (!parsed) {
            return Error("--query is " + print_error(parsed.error()));
        }
        if (!parsed->root().is_object()) {
            return Error("--query is no JSON object");
        }
        out.query = parsed->root().print();
    }
    return out;
}

}  // namespace

tl::expected<std::string, std::string> metadata_conditions(const std::vector<std::string>& words) {
    std::string out;
    json::Writer writer(out);
    writer.begin_object();
    for (const std::string& word : words) {
        const std::size_t equals = word.find('=');
        if (equals == 0 || equals == std::string::npos) {
            return Error("'" + printable(word) + "' is not KEY=VALUE");
        }
        const std::string value = word.substr(equals + 1);
        writer.key(word.substr(0, equals));
        if (const auto range = range_of(value)) {
            writer.raw(*range);
            continue;
        }
        const auto parsed = json::Document::parse(value, json::Limits{});
        const bool is_scalar = parsed && !parsed->root().is_object() && !parsed->root().is_array();
        is_scalar ? writer.value(parsed->root()) : writer.string(value);
    }
    writer.end_object();
    if (const auto parsed = json::Document::parse(out, json::Limits{}); !parsed) {
        // Each value is sound by itself, but a key may come twice.
        return Error(print_error(parsed.error()));
    }
    return out;
}

tl::expected<SearchQuestion, std::string> search_question(const Arguments& arguments) {
    constexpr std::array kWays = {"SEARCH_TYPE", "hash", "metadata", "embedding"};
    const auto has = [&](const char* name) { return arguments.has(name); };
    if (std::count_if(kWays.begin(), kWays.end(), has) != 1) {
        return Error("search for one of --hash, --metadata, --embedding and a SEARCH_TYPE");
    }
    if (has("query") && !has("SEARCH_TYPE")) {
        return Error("--query goes with a SEARCH_TYPE");
    }
    if (has("space") && !has("embedding")) {
        return Error("--space goes with --embedding");
    }
    if ((has("type") || has("max-age")) && !has("embedding") && !has("metadata")) {
        return Error("--type and --max-age go with --metadata and --embedding");
    }
    if (has("hash")) {
        SearchQuestion out{"hash", {}};
        json::Writer(out.query).begin_object().member("hash", arguments.text("hash")).end_object();
        return out;
    }
    return has("metadata")    ? of_metadata(arguments)
           : has("embedding") ? of_embedding(arguments)
                              : of_type(arguments);
}

}  // namespace meshd::cli
