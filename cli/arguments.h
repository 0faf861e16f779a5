// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/verb.h"

namespace meshd::cli {

/// What the user gave to one verb: values by the name of the option or argument.
class Arguments {
  public:
    void add(std::string_view name, std::string value);

    bool has(std::string_view name) const { return values_.contains(name); }
    /// The last value given; empty where there is none.
    std::string_view text(std::string_view name) const;
    const std::vector<std::string>& all(std::string_view name) const;
    std::optional<std::int64_t> number(std::string_view name) const;
    std::optional<std::chrono::milliseconds> duration(std::string_view name) const;

  private:
    std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

/// `3` and `1.5` (seconds), `500ms`, `3s`, `10m`, `2h`. Not negative, at most 10 years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// What is wrong with these arguments for that verb, as a sentence without full stop.
std::optional<std::string> usage_error(const Verb& verb, const Arguments& arguments);

}  // namespace meshd::cli
