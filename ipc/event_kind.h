// SPDX-License-Identifier: Apache-2.0
/// \file
/// Kinds of events and the groups that clients subscribe to.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace meshd::ipc {

enum class EventKind : std::uint8_t {
    NodeJoined,
    NodeLeft,
    NodeOffline,
    NodeUnreachable,
    NodeReturned,
    NodeRestarting,
    NodeConflict,
    NodeIsolated,
    NodeRejoined,
    NodeForgotten,
    StateChanged,
    Alert,
    LinkUp,
    LinkDown,
    RegistryPut,
    RegistryDeleted,
    SharedChanged,
    Note,
    /// Only to a connection that serves the type of the search (search.serve).
    SearchRequest,
    /// Only to the connection that asked, as the answers come in (search.query with stream).
    SearchAnswer,
    Overload,
    /// Events were lost. Goes to every subscription, whatever it asked for.
    Lagged,
};

inline constexpr std::array<std::string_view, 22> kEventKindNames = {
    "node.joined",      "node.left",      "node.offline",  "node.unreachable", "node.returned",
    "node.restarting",  "node.conflict",  "node.isolated", "node.rejoined",    "node.forgotten",
    "state.changed",    "alert",          "link.up",       "link.down",        "registry.put",
    "registry.deleted", "shared.changed", "note",          "search.request",   "search.answer",
    "overload",         "lagged",
};
inline constexpr std::array<std::string_view, 6> kEventGroupNames = {
    "node", "state", "link", "registry", "shared", "search"};

inline std::string_view event_kind_name(EventKind kind) {
    return kEventKindNames[static_cast<std::size_t>(kind)];
}

/// A set of kinds.
class EventKinds {
  public:
    static EventKinds all() { return EventKinds((1U << kEventKindNames.size()) - 1); }
    EventKinds() = default;

    /// Adds the kind of that name, or all kinds of the group of that name. False on any other text.
    bool add(std::string_view name);
    bool has(EventKind kind) const { return (bits_ >> static_cast<unsigned>(kind) & 1U) != 0; }

  private:
    explicit EventKinds(std::uint32_t bits) : bits_(bits) {}
    std::uint32_t bits_ = 0;
};

}  // namespace meshd::ipc
