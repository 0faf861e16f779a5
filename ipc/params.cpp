// SPDX-License-Identifier: Apache-2.0
#include "ipc/params.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
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

/// What the core takes as a name: JSON strings are well-formed UTF-8 already.
bool is_name(std::string_view text, std::int64_t bytes_max) {
    if (text.empty() || text.size() > static_cast<std::size_t>(bytes_max)) {
        return false;
    }
    // C0, DEL, and C1, which is C2 80 to C2 9F.
    unsigned char previous = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F || (previous == 0xC2 && byte < 0xA0)) {
            return false;
        }
        previous = byte;
    }
    return true;
}

bool is_embedding(const json::Value& value) {
    return value.is_array() ||
           (value.size() == 1 && (value["f16"].is_string() || value["f32"].is_string()));
}

/// An array of so many elements as the row says.
bool is_array_of(const Param& param, const json::Value& value) {
    return value.is_array() && value.size() >= static_cast<std::size_t>(param.min) &&
           value.size() <= static_cast<std::size_t>(param.max);
}

template <class Test>
bool is_array_of(const Param& param, const json::Value& value, const Test& is_element) {
    if (!is_array_of(param, value)) {
        return false;
    }
    for (const json::Value element : value) {
        if (!is_element(element)) {
            return false;
        }
    }
    return true;
}

std::string element_path(const Param& param, std::size_t index) {
    return std::string(param.name) + "[" + std::to_string(index) + "]";
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
        case ParamType::Name:
            return text && is_name(*text, param.max);
        case ParamType::Path:
            return text && text->starts_with('/') && text->find('\0') == std::string_view::npos;
        case ParamType::Embedding:
            return is_embedding(value);
        case ParamType::Entries:
            return is_array_of(param, value);
        case ParamType::EntryKey:
            return text && parse_entry_key(*text);
        case ParamType::Embeddings:
            return is_array_of(param, value, is_embedding);
        case ParamType::NodeNames:
            return is_array_of(param, value, [](const json::Value& name) {
                return NodeId::parse(name.as_string().value_or("")).has_value();
            });
        case ParamType::Names:
            return is_array_of(param, value, [&](const json::Value& name) {
                return is_name(name.as_string().value_or(""), param.item_bytes_max);
            });
        case ParamType::Array:
            return value.is_array();
        case ParamType::Token:
            return text.has_value();
    }
    return false;
}

/// Where a secret may stand in the wrong place, nothing that was given is repeated.
Error without_secrets(Error error, std::span<const Param> row) {
    if (std::any_of(row.begin(), row.end(),
                    [](const Param& param) { return param.type == ParamType::Token; })) {
        error.got.clear();
    }
    return error;
}

Error unknown_param(std::span<const Param> row, std::string_view name, const json::Value& got,
                    std::string_view owner) {
    std::vector<std::string_view> names;
    std::string expected;
    for (const Param& param : row) {
        names.push_back(param.name);
        expected += expected.empty() ? "" : ", ";
        expected += param.name;
    }
    Error error =
        invalid_param(name.substr(0, 64), got, names.empty() ? "no params" : std::move(expected));
    if (error.field.size() < name.size() && !json::is_utf8(error.field)) {
        error.field.clear();  // cut inside a character
    }
    error.message = std::string(owner) + " has no such param";
    if (owner.starts_with("keys.")) {
        // A token may be its value, or even its name.
        error.field.clear();
        error.got.clear();
    }
    error.did_you_mean = did_you_mean(name, names);
    return error;
}

}  // namespace

tl::expected<Params, Error> Params::check(const Method& method, const json::Value& params) {
    if (!params.is_array()) {
        return check_object(method.params, params, method.name);
    }
    if (params.size() > method.params.size()) {
        return tl::unexpected(without_secrets(
            invalid_param(
                "params", params,
                "an array of at most " + std::to_string(method.params.size()) + " values"),
            method.params));
    }
    Params checked(method.params);
    std::size_t position = 0;
    for (const json::Value value : params) {
        checked.values_[position++] = value.is_null() ? json::Value() : value;
    }
    if (auto error = checked.check_values()) {
        return tl::unexpected(std::move(*error));
    }
    return checked;
}

tl::expected<Params, Error> Params::check_object(std::span<const Param> row,
                                                 const json::Value& object,
                                                 std::string_view owner) {
    Params checked(row);
    for (auto it = object.begin(); it != object.end(); ++it) {
        const auto found = std::find_if(row.begin(), row.end(),
                                        [&](const Param& param) { return param.name == it.key(); });
        if (found == row.end()) {
            return tl::unexpected(unknown_param(row, it.key(), *it, owner));
        }
        if (!(*it).is_null()) {
            checked.values_[static_cast<std::size_t>(found - row.begin())] = *it;
        }
    }
    if (auto error = checked.check_values()) {
        return tl::unexpected(std::move(*error));
    }
    return checked;
}

std::optional<Error> Params::check_values() const {
    for (std::size_t i = 0; i < row_.size(); ++i) {
        const Param& param = row_[i];
        const json::Value value = values_[i];
        if (value.exists() ? !is_valid(param, value) : param.is_required) {
            Error error = invalid_param(param.name, value, describe_type(param));
            if (!value.exists()) {
                error.message = std::string(param.name) + " is required";
            }
            return without_secrets(std::move(error), row_);
        }
        if (param.type != ParamType::Entries || !value.exists()) {
            continue;
        }
        std::size_t at = 0;
        for (const json::Value element : value) {
            if (!element.is_object()) {
                return invalid_param(element_path(param, at), element, "object");
            }
            if (auto checked = check_object(param.members, element, param.name); !checked) {
                Error error = std::move(checked.error());
                error.message = element_path(param, at) + ": " + error.message;
                error.field = element_path(param, at) + "." + error.field;
                return error;
            }
            ++at;
        }
    }
    return std::nullopt;
}

Params Params::element(const Param& param, const json::Value& element) {
    auto checked = check_object(param.members, element, param.name);
    MESHD_ASSERT(checked);
    return std::move(*checked);
}

std::size_t Params::index(std::string_view name) const {
    const auto found = std::find_if(row_.begin(), row_.end(),
                                    [&](const Param& param) { return param.name == name; });
    MESHD_ASSERT(found != row_.end());
    return static_cast<std::size_t>(found - row_.begin());
}

bool Params::has(std::string_view name) const {
    return value(name).exists();
}

json::Value Params::value(std::string_view name) const {
    return values_[index(name)];
}

bool Params::boolean(std::string_view name) const {
    const auto given = value(name).as_bool();
    return given ? *given : row_[index(name)].default_json == "true";
}

std::int64_t Params::integer(std::string_view name) const {
    if (const auto given = value(name).as_int()) {
        return *given;
    }
    const std::string_view text = row_[index(name)].default_json;
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

std::vector<NodeId> Params::node_ids(std::string_view name) const {
    std::vector<NodeId> nodes;
    for (const json::Value node : value(name)) {
        nodes.push_back(*NodeId::parse(node.as_string().value_or("")));
    }
    return nodes;
}

std::optional<std::size_t> Params::choice(std::string_view name) const {
    const Param& param = row_[index(name)];
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

std::optional<Cursor> Params::cursor(std::string_view name) const {
    const auto text = value(name).as_string();
    return text ? parse_cursor(*text) : std::nullopt;
}

std::optional<EntryKey> parse_entry_key(std::string_view text) {
    // A node id holds no slash, a hash may.
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos || slash + 1 == text.size()) {
        return std::nullopt;
    }
    const auto node = NodeId::parse(text.substr(0, slash));
    return node ? std::optional(EntryKey{*node, text.substr(slash + 1)}) : std::nullopt;
}

}  // namespace meshd::ipc
