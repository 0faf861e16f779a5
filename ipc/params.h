// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tl/expected.hpp>

#include "ipc/error.h"
#include "ipc/event_kind.h"
#include "ipc/method_table.h"
#include "proto/base/json.h"
#include "proto/base/node_id.h"

namespace meshd::ipc {

/// The params of one call, checked against the method's row as a whole before anything happens,
/// with the row's defaults. Getters are for params of their type and abort on a name that is not in
/// the row: that is our bug, not the caller's. Valid as long as the request's document.
class Params {
  public:
    /// `params`: absent, an object, or an array in the order of the row; a null counts as not
    /// given.
    static tl::expected<Params, Error> check(const Method& method, const json::Value& params);

    /// Given by the caller.
    bool has(std::string_view name) const;
    /// As given; absent where not.
    json::Value value(std::string_view name) const;

    bool boolean(std::string_view name) const;
    /// For a param with a default or after has().
    std::int64_t integer(std::string_view name) const;
    std::optional<std::string_view> string(std::string_view name) const;
    std::optional<NodeId> node_id(std::string_view name) const;
    /// Index into the row's choices, the default's where not given.
    std::optional<std::size_t> choice(std::string_view name) const;
    /// All where not given.
    EventKinds event_kinds(std::string_view name) const;
    std::optional<std::uint64_t> cursor(std::string_view name) const;

  private:
    explicit Params(const Method& method) : method_(&method) {}
    std::size_t index(std::string_view name) const;
    const Method* method_;
    std::array<json::Value, kParamsMax> values_{};
};

/// A cursor's text as a number; nothing on anything but 1 to 20 decimal digits below 2^64.
std::optional<std::uint64_t> parse_cursor(std::string_view text);

}  // namespace meshd::ipc
