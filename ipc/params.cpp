// SPDX-License-Identifier: Apache-2.0
#include "ipc/params.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "ipc/suggest.h"
#include "proto/base/assert.h"

namespace meshd::ipc {

namespace {

std::optional<std::size_t> find_choice(const Param& param, std::string_view text) {
    const auto found = std::find(param.choices.begin(), param.choices.end(), text);
    return found == param.choices.end()
               ? std::nullopt
               : std::optional(static_cast<std::size_t>(found - param.choices.begin()));
}

bool are_event_kinds(const json::Value& value) {
    EventKinds kinds;
    if (!value.is_array() || value.size() == 0) {
        return false;
    }
    for (const json::Value kind : value) {
        const auto name = kind.as_string();
        if (!name || !kinds.add(*name)) {
            return false;
        }
    }
    return true;
}

bool is_valid(const Param& param, const json::Value& value) {
    const auto text = value.as_string();
    switch (param.type) {
        case ParamType::Boolean:
            return value.as_bool().has_value();
        case ParamType::Integer: {
            const auto number = value.as_int();
            return number && *number >= param.min && *number <= param.max;
        }
        case ParamType::String:
            return text.has_value();
        case ParamType::Object:
            return value.is_object();
        case ParamType::NodeName:
            return text && NodeId::parse(*text);
        case ParamType::Choice:
            return text && find_choice(param, *text);
        case ParamType::EventKinds:
            return are_event_kinds(value);
        case ParamType::Cursor:
            return text && parse_cursor(*text);
    }
    return false;
}

Error unknown_param(const Method& method, std::string_view name) {
    std::vector<std::string_view> names;
    std::string expected;
    for (const Param& param : method.params) {
        names.push_back(param.name);
        expected += expected.empty() ? "" : ", ";
        expected += param.name;
    }
    Error error;
    error.code = ErrorCode::InvalidParams;
    error.field = name.substr(0, 64);
    if (error.field.size() < name.size() && !json::is_utf8(error.field)) {
        error.field.clear();  // cut inside a character
    }
    error.message = std::string(method.name) + " has no such param";
    error.expected = names.empty() ? "no params" : expected;
    error.did_you_mean = did_you_mean(name, names);
    return error;
}

}  // namespace

tl::expected<Params, Error> Params::check(const Method& method, const json::Value& params) {
    Params checked(method);
    if (params.is_array() && params.size() > method.params.size()) {
        return tl::unexpected(invalid_param(
            "params", params,
            "an array of at most " + std::to_string(method.params.size()) + " values"));
    }
    std::size_t position = 0;
    for (auto it = params.begin(); it != params.end(); ++it, ++position) {
        std::size_t index = position;
        if (params.is_object()) {
            const auto found =
                std::find_if(method.params.begin(), method.params.end(),
                             [&](const Param& param) { return param.name == it.key(); });
            if (found == method.params.end()) {
                return tl::unexpected(unknown_param(method, it.key()));
            }
            index = static_cast<std::size_t>(found - method.params.begin());
        }
        if (!(*it).is_null()) {
            checked.values_[index] = *it;
        }
    }
    for (std::size_t i = 0; i < method.params.size(); ++i) {
        const Param& param = method.params[i];
        const json::Value value = checked.values_[i];
        if (value.exists() ? !is_valid(param, value) : param.is_required) {
            Error error = invalid_param(param.name, value, describe_type(param));
            if (!value.exists()) {
                error.message = std::string(param.name) + " is required";
            }
            return tl::unexpected(std::move(error));
        }
    }
    return checked;
}

std::size_t Params::index(std::string_view name) const {
    const auto found = std::find_if(method_->params.begin(), method_->params.end(),
                                    [&](const Param& param) { return param.name == name; });
    MESHD_ASSERT(found != method_->params.end());
    return static_cast<std::size_t>(found - method_->params.begin());
}

bool Params::has(std::string_view name) const {
    return value(name).exists();
}

json::Value Params::value(std::string_view name) const {
    return values_[index(name)];
}

bool Params::boolean(std::string_view name) const {
    const auto given = value(name).as_bool();
    return given ? *given : method_->params[index(name)].default_json == "true";
}

std::int64_t Params::integer(std::string_view name) const {
    if (const auto given = value(name).as_int()) {
        return *given;
    }
    const std::string_view text = method_->params[index(name)].default_json;
    std::int64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    MESHD_ASSERT(parsed.ec == std::errc() && !text.empty());
    return number;
}

std::optional<std::string_view> Params::string(std::string_view name) const {
    return value(name).as_string();
}

std::optional<NodeId> Params::node_id(std::string_view name) const {
    const auto text = value(name).as_string();
    return text ? NodeId::parse(*text) : std::nullopt;
}

std::optional<std::size_t> Params::choice(std::string_view name) const {
    const Param& param = method_->params[index(name)];
    if (const auto given = value(name).as_string()) {
        return find_choice(param, *given);
    }
    const std::string_view text = param.default_json;
    return text.size() < 2 ? std::nullopt : find_choice(param, text.substr(1, text.size() - 2));
}

EventKinds Params::event_kinds(std::string_view name) const {
    if (!has(name)) {
        return EventKinds::all();
    }
    EventKinds kinds;
    for (const json::Value kind : value(name)) {
        kinds.add(kind.as_string().value_or(""));
    }
    return kinds;
}

std::optional<std::uint64_t> Params::cursor(std::string_view name) const {
    const auto text = value(name).as_string();
    return text ? parse_cursor(*text) : std::nullopt;
}

std::optional<std::uint64_t> parse_cursor(std::string_view text) {
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

}  // namespace meshd::ipc
