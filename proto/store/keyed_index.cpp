// SPDX-License-Identifier: Apache-2.0
#include "proto/store/keyed_index.h"

#include <algorithm>
#include <iterator>

#include "proto/base/assert.h"

namespace meshd {

bool is_keyed(const Record& record) {
    return record.registry != nullptr || record.shared != nullptr;
}

bool is_dead(const HeldRecord& held) {
    return held.is_stub || (held.record.registry && held.record.registry->is_deleted) ||
           (held.record.shared && held.record.shared->is_deleted);
}

RecordPlace place_of(const HeldRecord& held) {
    return {held.record.header.stream, held.record.header.counter};
}

std::optional<TimePoint> KeyedIndex::due_time(const HeldRecord& held) const {
    const TimePoint born = held.arrived - std::chrono::milliseconds(held.provenance.age_ms);
    const std::uint64_t ttl_ms = held.record.registry ? held.record.registry->ttl_ms : 0;
    const TimePoint expiry = born + std::chrono::milliseconds(ttl_ms);
    if (is_dead(held)) {
        // Not as soon as it comes: the floor then rises to it, over whatever is still on its way.
        return std::max(expiry + tombstone_time_, held.arrived + hold_time());
    }
    return ttl_ms == 0 ? std::nullopt : std::optional(expiry);
}

void KeyedIndex::count(const HeldRecord& held, bool is_added) {
    if (is_dead(held)) {
        return;
    }
    const auto step = [is_added](std::size_t& counter) {
        counter += is_added ? 1 : std::size_t(-1);
    };
    if (held.record.shared) {
        step(shared_count_);
        return;
    }
    step(entries_);
    const RegistryKey& entry = *held.record.registry;
    if (held.record.header.author == self_) {
        step(own_entries_);
    }
    if (entry.dimension != 0) {
        if (watcher_) {
            watcher_(held, is_added);
        }
        const auto space =
            dimensions_.try_emplace({std::string(entry.type()), std::string(entry.space())}).first;
        std::size_t& with = space->second[entry.dimension];
        step(with);
        if (with == 0) {
            space->second.erase(entry.dimension);
        }
        if (space->second.empty()) {
            dimensions_.erase(space);
        }
    }
}

std::uint64_t KeyedIndex::prefix_of(std::string_view hash) {
    std::uint64_t prefix = 0;
    for (std::size_t i = 0; i < sizeof prefix; ++i) {
        prefix = prefix << 8 | (i < hash.size() ? static_cast<std::uint8_t>(hash[i]) : 0);
    }
    return prefix;
}

void KeyedIndex::add(const HeldRecord& held) {
    const bool is_new =
        held.record.registry
            ? registry_.insert({prefix_of(held.record.registry->hash()), &held}).second
            : shared_.insert(&held).second;
    MESHD_ASSERT(is_new);
    if (const auto at = due_time(held)) {
        due_.emplace(*at, place_of(held));
    }
    count(held, true);
}

void KeyedIndex::remove(const HeldRecord& held) {
    const auto removed = held.record.registry
                             ? registry_.erase({prefix_of(held.record.registry->hash()), &held})
                             : shared_.erase(&held);
    MESHD_ASSERT(removed == 1);
    if (const auto at = due_time(held)) {
        due_.erase({*at, place_of(held)});
    }
    count(held, false);
}

const HeldRecord* KeyedIndex::find(const Record& record) const {
    return record.registry ? find_entry(record.registry->hash(), entry_owner(record))
                           : find_shared(record.shared->key);
}

const HeldRecord* KeyedIndex::find_entry(std::string_view hash, const NodeId& owner) const {
    const auto found = registry_.find(key_of(hash, owner));
    return found == registry_.end() ? nullptr : found->held;
}

const HeldRecord* KeyedIndex::find_shared(std::string_view key) const {
    const auto found = shared_.find(key);
    return found == shared_.end() ? nullptr : *found;
}

const HeldRecord* KeyedIndex::entry_from(std::string_view hash, const NodeId& owner) const {
    const auto found = registry_.lower_bound(key_of(hash, owner));
    return found == registry_.end() ? nullptr : found->held;
}

const HeldRecord* KeyedIndex::entry_after(std::string_view hash, const NodeId& owner) const {
    const auto found = registry_.upper_bound(key_of(hash, owner));
    return found == registry_.end() ? nullptr : found->held;
}

std::vector<const HeldRecord*> KeyedIndex::all_shared() const {
    return {shared_.begin(), shared_.end()};
}

std::optional<std::uint32_t> KeyedIndex::dimension(const std::string& type,
                                                   const std::string& space) const {
    const auto found = dimensions_.find({type, space});
    return found == dimensions_.end() ? std::nullopt : std::optional(found->second.begin()->first);
}

std::optional<RecordPlace> KeyedIndex::due(TimePoint now) const {
    return due_.empty() || due_.begin()->first > now ? std::nullopt
                                                     : std::optional(due_.begin()->second);
}

std::optional<TimePoint> KeyedIndex::next_due() const {
    return due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
}

}  // namespace meshd
