// SPDX-License-Identifier: Apache-2.0
#include "proto/search/vector_index.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "proto/base/assert.h"

namespace meshd {
namespace {

/// A tail is an eighth of its partition, so that many small partitions waste little.
constexpr std::size_t kTailShare = 8;
constexpr std::size_t kTailRowsMin = 16;

}  // namespace

std::uint32_t VectorIndex::open_slot(Partitions::iterator partition, std::size_t capacity,
                                     bool is_encoded) {
    if (free_.empty()) {
        MESHD_ASSERT(slots_.size() < RowTable::kNone / VectorChunk::kRowsMax);
        free_.push_back(static_cast<std::uint32_t>(slots_.size()));
        slots_.emplace_back();
    }
    const std::uint32_t at = free_.back();
    free_.pop_back();
    const std::uint32_t dimension = std::get<2>(partition->first);
    slots_[at] = {std::make_shared<VectorChunk>(dimension, capacity, is_encoded), nullptr, 0, 0,
                  partition};
    return at;
}

void VectorIndex::close_slot(std::uint32_t slot) {
    const auto partition = slots_[slot].partition;
    Partition& owner = partition->second;
    if (is_tail(slot)) {
        owner.has_tail = false;
    }
    std::erase(owner.slots, slot);
    dead_ -= slots_[slot].dead_count;
    slots_[slot] = {};
    free_.push_back(slot);
    if (owner.slots.empty()) {
        partitions_.erase(partition);
    }
}

bool VectorIndex::is_tail(std::uint32_t slot) const {
    const Partition& owner = slots_[slot].partition->second;
    return owner.has_tail && owner.slots.back() == slot;
}

void VectorIndex::insert(const VectorSpaceKey& key, VectorRow row) {
    const ByKey::View view(key.space, key.type, key.dimension);
    auto partition = partitions_.find(view);
    if (partition == partitions_.end()) {
        partition = partitions_.try_emplace(OwnedKey(view)).first;
    }
    Partition& owner = partition->second;
    if (!owner.has_tail) {
        const std::size_t capacity =
            std::clamp(owner.live / kTailShare, kTailRowsMin, VectorChunk::kRowsMax);
        owner.slots.push_back(open_slot(partition, capacity, owner.is_encoded));
        owner.has_tail = true;
    }
    const std::uint32_t tail = owner.slots.back();
    Slot& slot = slots_[tail];
    if (table_.is_full()) {
        grow_table();
    }
    table_.insert(number_of(tail, slot.count), row.record.data());
    slot.chunk->append(slot.count, std::move(row));
    ++slot.count;
    ++owner.live;
    owner.has_tail = slot.count < slot.chunk->capacity();
}

void VectorIndex::grow_table() {
    table_.reset();
    for (std::size_t at = 0; at < slots_.size(); ++at) {
        const Slot& slot = slots_[at];
        for (std::size_t row = 0; row < slot.count; ++row) {
            if (slot.is_live(row)) {
                table_.insert(number_of(static_cast<std::uint32_t>(at), row),
                              slot.chunk->row(row).record.data());
            }
        }
    }
}

void VectorIndex::erase(const SharedBytes& record) {
    const std::uint32_t number = table_.find(record.data(), address_of());
    MESHD_ASSERT(number != RowTable::kNone);
    table_.erase(record.data(), address_of());
    const auto at = static_cast<std::uint32_t>(number / VectorChunk::kRowsMax);
    Slot& slot = slots_[at];
    // A snapshot may have the former one.
    auto dead = slot.dead ? std::make_shared<DeadRows>(*slot.dead) : std::make_shared<DeadRows>();
    dead->insert(number % VectorChunk::kRowsMax);
    slot.dead = std::move(dead);
    ++slot.dead_count;
    ++dead_;
    --slot.partition->second.live;
    if (slot.live() == 0) {
        close_slot(at);
    } else if (slot.dead_count >= kDeadRowsMin && slot.dead_count * 4 > slot.count &&
               !is_tail(at)) {
        compact(at);
    }
}

/// Copies what lives of one chunk behind what is in another.
void VectorIndex::move_live_rows(std::uint32_t from, std::uint32_t to) {
    const Slot& source = slots_[from];
    Slot& target = slots_[to];
    for (std::size_t row = 0; row < source.count; ++row) {
        if (source.is_live(row)) {
            target.chunk->append_from(target.count, *source.chunk, row);
            table_.replace(number_of(from, row), number_of(to, target.count), address_of());
            ++target.count;
        }
    }
}

void VectorIndex::compact(std::uint32_t slot) {
    const auto partition = slots_[slot].partition;
    std::vector<std::uint32_t>& all = partition->second.slots;
    const auto at = std::find(all.begin(), all.end(), slot);
    std::vector<std::uint32_t> sources{slot};
    std::size_t live = slots_[slot].live();
    if (const auto next = std::next(at); next != all.end() && !is_tail(*next) &&
                                         live + slots_[*next].live() <= VectorChunk::kRowsMax) {
        sources.push_back(*next);
        live += slots_[*next].live();
    }
    const bool is_encoded = std::all_of(sources.begin(), sources.end(), [&](std::uint32_t source) {
        return slots_[source].chunk->codes() != nullptr;
    });
    const std::uint32_t made = open_slot(partition, live, is_encoded);
    // In its place: the tail stays last.
    all.insert(at, made);
    for (const std::uint32_t source : sources) {
        move_live_rows(source, made);
        close_slot(source);
    }
}

IndexSnapshot VectorIndex::snapshot(const VectorSpaceKey& key) {
    IndexSnapshot snapshot;
    snapshot.dimension = key.dimension;
    for (auto partition = partitions_.lower_bound(ByKey::View(key.space, key.type, 0));
         partition != partitions_.end(); ++partition) {
        const auto& [space, type, dimension] = partition->first;
        if (space != key.space || (!key.type.empty() && type != key.type)) {
            break;
        }
        if (dimension != key.dimension) {
            continue;
        }
        Partition& owner = partition->second;
        if (!owner.is_encoded) {
            // Rows that follow are encoded as they come, by this thread, into a chunk of their own.
            owner.has_tail = false;
            owner.is_encoded = true;
        }
        snapshot.live += owner.live;
        for (const std::uint32_t at : owner.slots) {
            const Slot& slot = slots_[at];
            snapshot.parts.push_back({slot.chunk, slot.dead, slot.count});
        }
    }
    return snapshot;
}

std::vector<std::uint32_t> VectorIndex::dimensions(std::string_view space,
                                                   std::string_view type) const {
    std::vector<std::uint32_t> found;
    for (auto partition = partitions_.lower_bound(ByKey::View(space, type, 0));
         partition != partitions_.end() && std::get<0>(partition->first) == space &&
         (type.empty() || std::get<1>(partition->first) == type);
         ++partition) {
        found.push_back(std::get<2>(partition->first));
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

}  // namespace meshd
