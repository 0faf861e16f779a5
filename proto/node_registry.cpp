// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/base/json.h"
#include "proto/node_impl.h"
#include "proto/node_params.h"

namespace meshd {
namespace {

/// Messages waiting on every link beyond which entries are refused rather than queued.
constexpr std::size_t kEntryBacklogMax = 1500;

/// Memory of an entry or a member of the shared state besides its metadata, embedding or value;
/// the rest of its record is about 230 bytes long.
constexpr std::size_t kEntryMemoryMin = 256 + Store::kRecordOverhead;
/// Members of the shared state that one node may bring it to; each is up to 64 KiB.
constexpr std::size_t kSharedMembersMax = 4096;

CommandError error_of(CommandError::Code code, std::string field, std::string message) {
    return {code, std::move(field), std::move(message), {}, {}};
}

std::optional<CommandError> check_embedding(const EntryPut& entry) {
    if (entry.space.empty() != entry.embedding.empty()) {
        return entry.space.empty()
                   ? error_of(CommandError::Code::InvalidParams, "space",
                              "is required with an embedding: the name of its model")
                   : error_of(CommandError::Code::InvalidParams, "embedding",
                              "is required with a space");
    }
    if (entry.embedding.size() % 2 != 0 || entry.embedding.size() / 2 > limits::kDimensionMax) {
        return error_of(CommandError::Code::InvalidParams, "embedding",
                        "must have 1 to " + std::to_string(limits::kDimensionMax) + " values");
    }
    return entry.space.empty() ? std::nullopt
                               : check_name(entry.space, "space", limits::kSpaceBytesMax);
}

/// Checks an entry and fills what is to be written of it.
std::optional<CommandError> check_entry(const EntryPut& entry, RegistryData& data) {
    if (auto error = check_name(entry.hash, "hash", limits::kHashBytesMax)) {
        return error;
    }
    if (auto error = check_name(entry.type, "type", limits::kTypeBytesMax)) {
        return error;
    }
    if (auto error = check_embedding(entry)) {
        return error;
    }
    if (entry.ttl_ms > limits::kTtlMsMax) {
        return error_of(CommandError::Code::InvalidParams, "ttl_ms",
                        "must be at most " + std::to_string(limits::kTtlMsMax));
    }
    const auto metadata = parse_object(entry.metadata, "metadata", limits::kMetadataBytesMax);
    if (!metadata) {
        return metadata.error();
    }
    data.hash = entry.hash;
    data.type = entry.type;
    data.ttl_ms = entry.ttl_ms;
    data.metadata = metadata->root().print();
    data.space = entry.space;
    data.dimension = static_cast<std::uint32_t>(entry.embedding.size() / 2);
    return std::nullopt;
}

}  // namespace

/// Sends a record just written on its way.
void Node::Impl::publish(Now now, const HeldRecord& held) {
    counters_.add(Counter::records_written);
    push(now.monotonic, held, topology_.graph().hash(), NodeId());
}

tl::expected<RequestId, CommandError> Node::Impl::put_entries(Now now, const PutEntries& command) {
    if (command.entries.empty() || command.entries.size() > limits::kEntriesPerPutMax) {
        return tl::unexpected(
            error_of(CommandError::Code::InvalidParams, "entries",
                     "must be 1 to " + std::to_string(limits::kEntriesPerPutMax) + " entries"));
    }
    std::vector<RegistryData> all;
    std::map<std::pair<std::string_view, std::string_view>, std::uint32_t> dimensions;
    for (std::size_t i = 0; i < command.entries.size(); ++i) {
        const EntryPut& entry = command.entries[i];
        RegistryData& data = all.emplace_back();
        auto error = check_entry(entry, data);
        if (!error && data.dimension != 0) {
            const auto held = store_.dimension(data.type, data.space);
            const std::uint32_t expected =
                held ? *held
                     : dimensions.try_emplace({entry.type, entry.space}, data.dimension)
                           .first->second;
            if (expected != data.dimension) {
                error = error_of(CommandError::Code::Dimension, "embedding",
                                 "has " + std::to_string(data.dimension) +
                                     " values; those of type " + data.type + " and space " +
                                     data.space + " have " + std::to_string(expected));
            }
        }
        if (error) {
            error->index = i;
            return tl::unexpected(*std::move(error));
        }
        data.owner = self_.node;
        data.timestamp_ms = entry.timestamp_ms.value_or(now.wall.ms);
    }
    std::size_t memory = 0;
    for (const EntryPut& entry : command.entries) {
        memory += entry.embedding.size() + entry.metadata.size() + kEntryMemoryMin;
    }
    if (auto error = refuse_keyed(now.monotonic, memory)) {
        return tl::unexpected(*std::move(error));
    }
    const RequestId request = next_request();
    std::vector<RecordPlace> places;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const HeldRecord& held =
            store_.write_entry(stamp(now), all[i], command.entries[i].embedding);
        places.push_back({held.record.header.stream, held.record.header.counter});
        publish(now, held);
        tell_keyed(now.monotonic, held);
    }
    while (const HeldRecord* deleted =
               store_.delete_own_surplus(stamp(now), config_.own_entries_max)) {
        counters_.add(Counter::entries_over_quota);
        publish(now, *deleted);
        tell_keyed(now.monotonic, *deleted);
    }
    persist_soon(now.monotonic + config_.persist_interval);
    const EntriesPut answer{request, all.size(), false};
    if (command.is_durable) {
        await_disk(now.monotonic, request, std::move(places), answer);
    } else {
        outputs_.push_back(answer);
    }
    return request;
}

/// Why records of so much memory are not to be written now, if so.
std::optional<CommandError> Node::Impl::refuse_keyed(TimePoint now, std::size_t memory) {
    if (!store_.has_room(now, memory)) {
        return CommandError{CommandError::Code::Overloaded,
                            {},
                            "there is no room for more records (store.memory_max)",
                            std::chrono::minutes(1),
                            {}};
    }
    if (is_congested(kEntryBacklogMax)) {
        return CommandError{CommandError::Code::Overloaded,
                            {},
                            "too many entries are on their way",
                            std::chrono::milliseconds(10),
                            {}};
    }
    return std::nullopt;
}

tl::expected<RequestId, CommandError> Node::Impl::delete_entries(Now now,
                                                                 const DeleteEntries& command) {
    if (auto error = check_name(command.hash, "hash", limits::kHashBytesMax)) {
        return tl::unexpected(*std::move(error));
    }
    std::vector<NodeId> owners;
    for (const HeldRecord* held = store_.entry_from(command.hash, command.node);
         held != nullptr && held->record.registry->hash() == command.hash &&
         (command.node.empty() || entry_owner(held->record) == command.node);
         held = store_.entry_after(command.hash, entry_owner(held->record))) {
        owners.push_back(entry_owner(held->record));
    }
    for (const NodeId& owner : owners) {
        RegistryData data;
        data.hash = command.hash;
        data.owner = owner;
        data.is_deleted = true;
        const HeldRecord& held = store_.write_entry(stamp(now), data, {});
        publish(now, held);
        tell_keyed(now.monotonic, held);
    }
    persist_soon(now.monotonic + config_.persist_interval);
    const RequestId request = next_request();
    outputs_.push_back(EntriesDeleted{request, owners.size()});
    return request;
}

tl::expected<RequestId, CommandError> Node::Impl::update_shared(Now now,
                                                                const UpdateShared& command) {
    const auto patch = parse_object(command.patch, "patch", limits::kMessageJson.bytes_max);
    if (!patch) {
        return tl::unexpected(patch.error());
    }
    std::vector<SharedData> all;
    const json::Value members = patch->root();
    for (auto it = members.begin(); it != members.end(); ++it) {
        const json::Value value = *it;
        SharedData data;
        data.key = it.key();
        if (auto error = check_name(data.key, "patch", limits::kSharedKeyBytesMax)) {
            error->message = "has a member whose name " + error->message;
            return tl::unexpected(*std::move(error));
        }
        const HeldRecord* held = store_.shared(data.key);
        data.is_deleted = value.is_null();
        if (!data.is_deleted) {
            const auto current = json::Document::parse(
                held == nullptr ? "null" : held->record.shared->value, limits::kMessageJson);
            data.value = json::merge_patch(current->root(), value);
        }
        if (data.value.size() > limits::kPayloadBytesMax) {
            return tl::unexpected(
                error_of(CommandError::Code::TooLarge, "patch",
                         "would make " + data.key + " " + std::to_string(data.value.size()) +
                             " bytes; at most " + std::to_string(limits::kPayloadBytesMax) +
                             " are allowed"));
        }
        const bool is_change = held == nullptr
                                   ? !data.is_deleted
                                   : data.is_deleted || held->record.shared->value != data.value;
        if (is_change) {
            all.push_back(std::move(data));
        }
    }
    const auto added = std::count_if(all.begin(), all.end(), [&](const SharedData& data) {
        return !data.is_deleted && store_.shared(data.key) == nullptr;
    });
    if (added != 0 && store_.shared_count() + static_cast<std::size_t>(added) > kSharedMembersMax) {
        return tl::unexpected(error_of(CommandError::Code::TooLarge, "patch",
                                       "would bring the shared state beyond " +
                                           std::to_string(kSharedMembersMax) + " members"));
    }
    // What only deletes always finds room.
    std::size_t memory = 0;
    for (const SharedData& data : all) {
        memory += data.is_deleted ? 0 : data.value.size() + kEntryMemoryMin;
    }
    if (memory != 0) {
        if (auto error = refuse_keyed(now.monotonic, memory)) {
            return tl::unexpected(*std::move(error));
        }
    }
    for (const SharedData& data : all) {
        const HeldRecord& held = store_.write_shared(stamp(now), data);
        publish(now, held);
        tell_keyed(now.monotonic, held);
    }
    persist_soon(now.monotonic + config_.persist_interval);
    const RequestId request = next_request();
    outputs_.push_back(SharedUpdated{request, all.size()});
    return request;
}

/// Tells local subscribers of a registry or shared record that is new here.
void Node::Impl::tell_keyed(TimePoint now, const HeldRecord& held) {
    const Record& record = held.record;
    if (const RegistryKey* entry = record.registry.get()) {
        outputs_.push_back(RegistryEvent{std::string(entry->hash()), entry_owner(record),
                                         std::string(entry->type()), held.age_ms(now),
                                         entry->is_deleted || held.is_stub, record.header.author});
    } else if (const SharedData* member = record.shared.get()) {
        outputs_.push_back(
            SharedEvent{{member->key, member->value, record.header.author, held.age_ms(now)}});
    }
}

/// The same of one that was found dead: deleted while this node was away.
void Node::Impl::tell_dead(const Record& record, const NodeId& by) {
    if (const RegistryKey* entry = record.registry.get()) {
        outputs_.push_back(RegistryEvent{std::string(entry->hash()), entry_owner(record),
                                         std::string(entry->type()), 0, true, by});
    } else if (record.shared) {
        outputs_.push_back(SharedEvent{{record.shared->key, {}, by, 0}});
    }
}

EntryView entry_view(const Record& record, std::uint64_t age_ms, bool with_embedding) {
    const RegistryData data = decode_registry(record);
    EntryView view;
    view.hash = data.hash;
    view.node = data.owner;
    view.type = data.type;
    view.timestamp_ms = data.timestamp_ms;
    view.age_ms = age_ms;
    view.ttl_ms = data.ttl_ms;
    view.space = data.space;
    view.dimension = data.dimension;
    view.metadata = data.metadata;
    if (with_embedding) {
        const Bytes body = record_body(record.bytes);
        view.embedding.assign(body.begin(), body.end());
    }
    return view;
}

std::vector<EntryView> Node::Impl::entries(Now now, std::string_view hash) const {
    std::vector<const HeldRecord*> found;
    for (const HeldRecord* held = store_.entry_from(hash, NodeId());
         held != nullptr && held->record.registry->hash() == hash;
         held = store_.entry_after(hash, entry_owner(held->record))) {
        found.push_back(held);
    }
    std::sort(found.begin(), found.end(), [](const HeldRecord* a, const HeldRecord* b) {
        return is_newer(a->record.header, b->record.header);
    });
    std::vector<EntryView> views;
    for (const HeldRecord* held : found) {
        views.push_back(entry_view(held->record, held->age_ms(now.monotonic), true));
    }
    return views;
}

EntryPage Node::Impl::list_entries(Now now, const EntryFilter& filter) const {
    EntryPage page;
    const HeldRecord* held = filter.after_hash.empty() || filter.after_hash < filter.hash_prefix
                                 ? store_.entry_from(filter.hash_prefix, NodeId())
                                 : store_.entry_after(filter.after_hash, filter.after_node);
    for (; held != nullptr && held->record.registry->hash().starts_with(filter.hash_prefix);
         held = store_.entry_after(held->record.registry->hash(), entry_owner(held->record))) {
        const RegistryKey& entry = *held->record.registry;
        const bool is_wanted =
            (filter.type.empty() || entry.type() == filter.type) &&
            (filter.node.empty() || entry_owner(held->record) == filter.node) &&
            (!filter.age_ms_max || held->age_ms(now.monotonic) <= *filter.age_ms_max);
        if (!is_wanted) {
            continue;
        }
        if (page.entries.size() == filter.limit) {
            page.is_last = false;
            break;
        }
        page.entries.push_back(
            entry_view(held->record, held->age_ms(now.monotonic), filter.with_embedding));
    }
    return page;
}

std::optional<SharedView> Node::Impl::shared(Now now, std::string_view key) const {
    const HeldRecord* held = store_.shared(key);
    return held == nullptr
               ? std::nullopt
               : std::optional(SharedView{held->record.shared->key, held->record.shared->value,
                                          held->record.header.author, held->age_ms(now.monotonic)});
}

std::vector<SharedView> Node::Impl::shared(Now now) const {
    std::vector<SharedView> views;
    for (const HeldRecord* held : store_.shared()) {
        views.push_back({held->record.shared->key, held->record.shared->value,
                         held->record.header.author, held->age_ms(now.monotonic)});
    }
    return views;
}

}  // namespace meshd
