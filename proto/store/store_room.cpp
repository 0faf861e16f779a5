// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "proto/store/store_impl.h"

namespace meshd {

/// Takes a durable stream out of data and digest. Nothing of it is taken in again while its author
/// stays expendable: served in part, it would pretend to be whole.
void Store::Impl::unhold(const NodeId& author, StreamId stream) {
    while (!streams.find(stream)->live.empty()) {
        const HeldRecord& held = streams.find(stream)->live.begin()->second;
        ++counts.dropped_for_room;
        if (held.record.alert) {
            shelf.remove(held);
        } else if (is_keyed(held.record)) {
            index.remove(held);
        } else {
            --opaque_records;
            opaque_bytes -= held.record.bytes.size();
        }
        streams.drop(stream, held.record.header.counter);
    }
    streams.forget(stream);
    authors.find(author)->durable_streams.erase(stream);
    if (unheld.size() < limits::kStreamsMax) {
        unheld.emplace(stream, author);
    }
    drop_if_empty(author);
}

bool Store::Impl::make_room(TimePoint now, std::size_t wanted_memory, StreamId wanted) {
    if (unheld.contains(wanted)) {
        return false;
    }
    if (wanted_memory == 0) {
        return true;
    }
    if (memory() + wanted_memory > options.memory_max && !room_at) {
        room_at = now + kRoomInterval;
    }
    for (const NodeId& node : expendable) {
        if (memory() + wanted_memory <= options.memory_max) {
            break;
        }
        const Author* author = find(node);
        const auto candidates = author == nullptr ? std::set<StreamId>() : author->durable_streams;
        for (const StreamId stream : candidates) {
            unhold(node, stream);
        }
    }
    // Its own author may have been the one to go.
    return memory() + wanted_memory <= options.memory_max && !unheld.contains(wanted);
}

void Store::Impl::look_for_room(TimePoint now) {
    if (!room_at || *room_at > now) {
        return;
    }
    if (memory() <= options.memory_max / 2) {
        unheld.clear();
    }
    if (memory() <= options.memory_max - options.memory_max / 8) {
        refused.clear();
        refused_records = 0;
    }
    const bool is_waiting = !unheld.empty() || !refused.empty();
    room_at = is_waiting ? std::optional(now + kRoomInterval) : std::nullopt;
}

void Store::set_expendable(std::vector<NodeId> nodes) {
    std::erase(nodes, impl_->options.self);
    // Of whom no node record is held, nobody here has heard since this start.
    for (const auto& [node, author] : impl_->authors) {
        if (author.node == nullptr && node != impl_->options.self) {
            nodes.push_back(node);
        }
    }
    impl_->expendable = std::move(nodes);
    std::erase_if(impl_->unheld, [&](const auto& entry) {
        const Impl::Author* author = impl_->find(entry.second);
        const auto& still = impl_->expendable;
        return author != nullptr && author->node != nullptr &&
               std::find(still.begin(), still.end(), entry.second) == still.end();
    });
}

std::size_t Store::streams_unheld() const {
    return impl_->unheld.size();
}

bool Store::has_room(TimePoint now, std::size_t memory) {
    return impl_->make_room(now, memory, impl_->options.durable_stream);
}

}  // namespace meshd
