// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "ipc/cursor.h"
#include "ipc/error.h"
#include "ipc/event_kind.h"
#include "ipc/method_table.h"
#include "proto/base/json.h"
#include "proto/base/node_id.h"

namespace meshd::ipc {

/// The params of one call, checked against the method's row as a whole before anything happens,
/// with the row's defaults. Getters are for params of their type and abort on a name that is not in
/// the row: that is our bug, not the caller's. Valid as long as the request's document.
///
/// Of an embedding only the outer shape is checked: what its numbers are worth is the handler's to
/// say, who reads them once.
class Params {
  public:
    /// `params`: absent, an object, or an array in the order of the row; a null counts as not
    /// given.
    static tl::expected<Params, Error> check(const Method& method, const json::Value& params);
    /// An element of a param of type Entries, which passed check() as part of it.
    static Params element(const Param& param, const json::Value& element);

    /// Given by the caller.
    bool has(std::string_view name) const;
    /// As given; absent where not.
    json::Value value(std::string_view name) const;

    bool boolean(std::string_view name) const;
    /// For a param with a default or after has().
    std::int64_t integer(std::string_view name) const;
    std::optional<std::string_view> string(std::string_view name) const;
    std::optional<NodeId> node_id(std::string_view name) const;
    /// Empty where not given.
    std::vector<NodeId> node_ids(std::string_view name) const;
    /// Index into the row's choices, the default's where not given.
    std::optional<std::size_t> choice(std::string_view name) const;
    /// All where not given.
    EventKinds event_kinds(std::string_view name) const;
    std::optional<Cursor> cursor(std::string_view name) const;

  private:
    explicit Params(std::span<const Param> row) : row_(row) {}
    static tl::expected<Params, Error> check_object(std::span<const Param> row,
                                                    const json::Value& object,
                                                    std::string_view owner);
    std::optional<Error> check_values() const;
    std::size_t index(std::string_view name) const;
    std::span<const Param> row_;
    std::array<json::Value, kParamsMax> values_{};
};

/// Names one sighting in the registry: "<node id>/<hash>".
struct EntryKey {
    NodeId node;
    std::string_view hash;
};
std::optional<EntryKey> parse_entry_key(std::string_view text);

}  // namespace meshd::ipc
