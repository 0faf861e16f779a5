// SPDX-License-Identifier: Apache-2.0
/// \file
/// Registry and shared records with short names, and the exchange of two stores as reconcile.h
/// orders it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/proto/store/store_support.h"

namespace meshd::test {

/// A sighting by its owner, without embedding.
inline RegistryData entry_of(std::string hash, std::string_view owner, std::uint64_t ttl_ms = 0) {
    RegistryData data;
    data.hash = std::move(hash);
    data.owner = id(owner);
    data.type = "face";
    data.timestamp_ms = kWallStart;
    data.ttl_ms = ttl_ms;
    return data;
}
inline RegistryData deleted_of(std::string hash, std::string_view owner) {
    RegistryData data;
    data.hash = std::move(hash);
    data.owner = id(owner);
    data.is_deleted = true;
    return data;
}
/// The first of so many values is 1, the others are 0; fp16.
inline Buffer embedding_of(std::uint32_t dimension) {
    Buffer values(std::size_t{2} * dimension);
    values[1] = 0x3c;
    return values;
}
inline RegistryData embedded_of(std::string hash, std::string_view owner, std::uint32_t dimension,
                                std::uint64_t ttl_ms = 0) {
    RegistryData data = entry_of(std::move(hash), owner, ttl_ms);
    data.space = "model";
    data.dimension = dimension;
    return data;
}

/// `data` by its owner.
inline Buffer entry_bytes(const RegistryData& data, std::uint64_t stream, std::uint64_t counter,
                          std::uint64_t clock) {
    return encode_registry_record(
        header_of(RecordKind::Registry, data.owner.text(), stream, counter, clock), data,
        data.dimension == 0 ? Buffer() : embedding_of(data.dimension));
}
inline Buffer deletion_bytes(std::string_view author, std::uint64_t stream, std::uint64_t counter,
                             std::uint64_t clock, const RegistryData& data) {
    return encode_registry_record(header_of(RecordKind::Registry, author, stream, counter, clock),
                                  data, {});
}
/// Without a value: a deletion.
inline Buffer shared_bytes(std::string_view author, std::uint64_t stream, std::uint64_t counter,
                           std::uint64_t clock, std::string key, std::string value) {
    const bool is_deleted = value.empty();
    return encode_shared_record(header_of(RecordKind::Shared, author, stream, counter, clock),
                                {std::move(key), std::move(value), is_deleted});
}

/// Hashes of the live entries in order, with their owners: "hash/owner".
inline std::vector<std::string> listed(const Store& store) {
    std::vector<std::string> all;
    for (const HeldRecord* held = store.entry_from("", NodeId()); held != nullptr;
         held = store.entry_after(held->record.registry->hash(), entry_owner(held->record))) {
        all.push_back(std::string(held->record.registry->hash()) + "/" +
                      entry_owner(held->record).text());
    }
    return all;
}

/// The floor that a store's digest tells of a stream; nothing where it is not keyed.
inline std::optional<std::uint64_t> floor_of(const Store& store, std::uint64_t stream) {
    for (const StreamIntervals& held : store.digest()) {
        if (held.stream == StreamId{stream}) {
            return held.floor;
        }
    }
    return std::nullopt;
}

/// A whole census of `from`, as `to` takes it when it is behind. Returns hashes of dead entries.
inline std::vector<std::string> take_census(Store& to, const Store& from) {
    std::vector<Record> dead;
    const std::vector<CensusStream> census = from.census();
    to.apply_census(census, true, dead);
    std::vector<StreamIntervals> floors;
    for (const CensusStream& stream : census) {
        floors.push_back(stream.covered);
    }
    to.adopt_floors(floors);
    std::vector<std::string> hashes;
    for (const Record& record : dead) {
        hashes.emplace_back(record.registry ? std::string(record.registry->hash())
                                            : record.shared->key);
    }
    return hashes;
}

/// Repairs `to` from `from` as Reconciler does: a census where it is behind, then what it lacks,
/// but keyed streams not from whom is behind itself.
inline std::vector<std::string> repair(Store& to, const Store& from, std::int64_t ms) {
    std::vector<std::string> dead;
    if (to.is_behind(from.digest())) {
        dead = take_census(to, from);
    }
    if (!to.is_ahead_of(from.digest(), 0xffffffff)) {
        pull_all(to, from, ms);
    }
    return dead;
}

}  // namespace meshd::test
