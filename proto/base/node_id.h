// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace meshd {

/// The name of a node: 1 to 63 of `A-Z a-z 0-9 . _ -`. The default value is "no node".
/// Ordered by name. Its hash decides ties and stands for it where a name would be too long.
class NodeId {
  public:
    static constexpr std::size_t kLengthMax = 63;

    NodeId() = default;
    /// Fails on an empty or too long text and on any other character.
    static std::optional<NodeId> parse(std::string_view text);

    const std::string& text() const { return text_; }
    bool empty() const { return text_.empty(); }
    /// First 8 bytes of BLAKE2b of the name.
    std::uint64_t hash() const { return hash_; }
    /// The low 32 bits of hash(): stands for the node in a message's path.
    std::uint32_t short_id() const { return static_cast<std::uint32_t>(hash_); }

    friend bool operator==(const NodeId& a, const NodeId& b) { return a.text_ == b.text_; }
    friend auto operator<=>(const NodeId& a, const NodeId& b) { return a.text_ <=> b.text_; }

  private:
    std::string text_;
    std::uint64_t hash_ = 0;
};

}  // namespace meshd
