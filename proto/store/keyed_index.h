// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "proto/store/store.h"

namespace meshd {

/// Finds the one live record of each key: registry records by (hash, owner), shared ones by key;
/// and tells which of them is next to expire or to be purged. It holds no records: its owner adds
/// and removes them as it holds and drops them.
class KeyedIndex {
  public:
    KeyedIndex(NodeId self, Duration tombstone_time)
        : self_(std::move(self)), tombstone_time_(tombstone_time) {}

    /// Told of each live registry record with an embedding, as it is added and before it is
    /// removed.
    using Watcher = std::function<void(const HeldRecord&, bool is_added)>;
    void watch_embeddings(Watcher watcher) { watcher_ = std::move(watcher); }

    void add(const HeldRecord& held);
    void remove(const HeldRecord& held);
    /// The live record of the key of `record`; null where there is none.
    const HeldRecord* find(const Record& record) const;
    const HeldRecord* find_entry(std::string_view hash, const NodeId& owner) const;
    const HeldRecord* find_shared(std::string_view key) const;
    /// The first registry record at or after (hash, owner); null at the end. Tombstones and stubs
    /// are among them.
    const HeldRecord* entry_from(std::string_view hash, const NodeId& owner) const;
    /// The one behind it.
    const HeldRecord* entry_after(std::string_view hash, const NodeId& owner) const;
    /// By key, tombstones among them.
    std::vector<const HeldRecord*> all_shared() const;

    /// Dimension of the embeddings of one type and space; nothing where there is none.
    std::optional<std::uint32_t> dimension(const std::string& type, const std::string& space) const;
    /// A record whose time has come: an entry past its ttl whose body is to go, or a tombstone or
    /// stub to purge.
    std::optional<RecordPlace> due(TimePoint now) const;
    std::optional<TimePoint> next_due() const;

    std::size_t entries() const { return entries_; }
    /// Of these, of this node.
    std::size_t own_entries() const { return own_entries_; }
    std::size_t shared() const { return shared_count_; }
    std::size_t tombstones() const { return records() - entries_ - shared_count_; }
    std::size_t records() const { return registry_.size() + shared_.size(); }

  private:
    /// A registry record, with the beginning of its hash beside it: the tree is searched for each
    /// record that comes, and most comparisons need not go to the record for it.
    struct Entry {
        std::uint64_t prefix = 0;
        const HeldRecord* held = nullptr;
    };
    struct EntryKey {
        std::uint64_t prefix;
        std::string_view hash;
        const NodeId& owner;
    };
    /// The first 8 bytes, big-endian, padded by zeros: ordered as the texts are.
    static std::uint64_t prefix_of(std::string_view hash);
    static EntryKey key_of(std::string_view hash, const NodeId& owner) {
        return {prefix_of(hash), hash, owner};
    }
    struct ByEntry {
        using is_transparent = void;
        static EntryKey key(const Entry& entry) {
            return {entry.prefix, entry.held->record.registry->hash(),
                    entry_owner(entry.held->record)};
        }
        static const EntryKey& key(const EntryKey& key) { return key; }
        template <class A, class B>
        bool operator()(const A& a, const B& b) const {
            if (a.prefix != b.prefix) {
                return a.prefix < b.prefix;
            }
            const EntryKey left = key(a);
            const EntryKey right = key(b);
            return std::tie(left.hash, left.owner) < std::tie(right.hash, right.owner);
        }
    };
    struct ByShared {
        using is_transparent = void;
        static std::string_view key(const HeldRecord* held) { return held->record.shared->key; }
        static std::string_view key(std::string_view key) { return key; }
        template <class A, class B>
        bool operator()(const A& a, const B& b) const {
            return key(a) < key(b);
        }
    };
    /// Tombstones and stubs are held at least so long after they came, however old: what is missing
    /// below in their stream comes meanwhile from whoever has it.
    Duration hold_time() const {
        return std::min<Duration>(std::chrono::minutes(10), tombstone_time_ / 4);
    }
    std::optional<TimePoint> due_time(const HeldRecord& held) const;
    void count(const HeldRecord& held, bool is_added);

    Watcher watcher_;
    NodeId self_;
    Duration tombstone_time_;
    std::set<Entry, ByEntry> registry_;
    std::set<const HeldRecord*, ByShared> shared_;
    std::set<std::pair<TimePoint, RecordPlace>> due_;
    /// Entries by type and space, then by dimension.
    std::map<std::pair<std::string, std::string>, std::map<std::uint32_t, std::size_t>> dimensions_;
    std::size_t entries_ = 0;
    std::size_t own_entries_ = 0;
    std::size_t shared_count_ = 0;
};

/// True for registry and shared records.
bool is_keyed(const Record& record);
/// True for a tombstone, and for a stub.
bool is_dead(const HeldRecord& held);
RecordPlace place_of(const HeldRecord& held);

}  // namespace meshd
