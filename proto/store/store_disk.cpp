// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "proto/store/store_impl.h"

namespace meshd {
namespace {

/// The next one behind `place`. A damaged disk may hold any numbers, the highest among them.
std::optional<RecordPlace> next_after(const PlaceSet& places, const RecordPlace& place) {
    if (place.counter != UINT64_MAX) {
        return places.first_from({place.stream, place.counter + 1});
    }
    return place.stream.value == UINT64_MAX
               ? std::nullopt
               : places.first_from({StreamId{place.stream.value + 1}, 0});
}

}  // namespace

void Store::restore(TimePoint now, Restored restored) {
    for (StoredStream& stored : restored.streams) {
        const StreamIntervals& stream = stored.covered;
        if (!impl_->open_durable(stream.stream, stream.author)) {
            continue;
        }
        if (stream.floor) {
            impl_->streams.set_keyed(stream.stream);
            impl_->streams.raise_floor(stream.stream, *stream.floor);
        }
    }
    std::set<RecordPlace> gone;
    std::set<RecordPlace> lacking;
    for (StoredRecord& stored : restored.records) {
        const RecordPlace place{stored.stream, stored.counter};
        std::optional<Record> record = decode_record(std::move(stored.bytes));
        if (!record || RecordPlace{record->header.stream, record->header.counter} != place ||
            stream_use(record->header.kind) != StreamUse::Durable) {
            ++impl_->counts.unreadable;
            gone.insert(place);
            lacking.insert(place);
            continue;
        }
        Impl::Arrival arrival{now, std::move(*record), place.counter - 1, {}};
        arrival.provenance.age_ms = static_cast<std::uint64_t>(
            std::max<std::int64_t>(0, restored.clock.life_ms - stored.born_ms));
        arrival.arrival = stored.arrival;
        arrival.is_restored = true;
        const ApplyResult result = impl_->apply(std::move(arrival));
        if (result.held == nullptr) {
            gone.insert(place);
            if (result.outcome == Applied::Refused) {
                lacking.insert(place);
            }
        }
    }
    // Coverage last: what is covered is not taken in. What could not be read, or found no room, is
    // to come back from the peers.
    for (const StoredStream& stored : restored.streams) {
        const HeldStream* held = impl_->streams.find(stored.covered.stream);
        if (held != nullptr && held->author == stored.covered.author) {
            for (const Interval& interval :
                 without(stored.covered.intervals, counters_of(lacking, stored.covered.stream))) {
                impl_->streams.cover(stored.covered.stream, interval);
            }
            impl_->bury_if_done(now, stored.covered.author, stored.covered.stream);
        }
    }
    // What was superseded or dropped on the way in goes from the disk too: left there, it would be
    // taken for live once what superseded it is gone.
    Unwritten& unwritten = impl_->streams.unwritten();
    for (auto place = unwritten.records.first_from({}); place;
         place = next_after(unwritten.records, *place)) {
        if (impl_->streams.find(place->stream, place->counter) != nullptr) {
            unwritten.records.erase(*place);
        }
    }
    std::erase_if(unwritten.streams, [&](StreamId stream) {
        return impl_->streams.find(stream) != nullptr && counters_of(lacking, stream).empty();
    });
    for (const RecordPlace& place : gone) {
        unwritten.records.insert(place);
    }
}

StoredRecord Store::Impl::stored(TimePoint now, std::int64_t life_ms, const HeldRecord& held) {
    const RecordPlace place = place_of(held.record.header);
    streams.set_on_disk(place.stream, place.counter);
    // The life that is given with it has the time without power in it already.
    const bool is_behind =
        power_off && held.is_restored && (!power_off->done || *power_off->done < place);
    const std::uint64_t age = std::min(held.age_ms(now) + (is_behind ? power_off->ms : 0),
                                       std::uint64_t{limits::kCounterMax});
    return {place.stream, place.counter, held.record.bytes,
            life_ms - static_cast<std::int64_t>(age), held.arrival};
}

Store::Changes Store::take_changes(TimePoint now, std::int64_t life_ms, std::size_t records_max,
                                   const std::vector<RecordPlace>& first) {
    Changes changes;
    Unwritten& unwritten = impl_->streams.unwritten();
    for (const RecordPlace& place : first) {
        const HeldRecord* held = impl_->streams.find(place.stream, place.counter);
        if (held != nullptr && unwritten.records.erase(place)) {
            changes.records.push_back(impl_->stored(now, life_ms, *held));
        }
    }
    // Own ones before those of others: these come again should the power fail.
    const StreamId own = impl_->options.durable_stream;
    for (auto next = unwritten.records.first_from({own, 0});
         next && next->stream == own && changes.records.size() < records_max;
         next = next_after(unwritten.records, *next)) {
        if (const HeldRecord* held = impl_->streams.find(own, next->counter)) {
            changes.records.push_back(impl_->stored(now, life_ms, *held));
            unwritten.records.erase(*next);
        }
    }
    std::vector<RecordPlace> deleted;
    auto next = unwritten.records.first_from({});
    for (; next && changes.records.size() < records_max;
         next = next_after(unwritten.records, *next)) {
        if (const HeldRecord* held = impl_->streams.find(next->stream, next->counter)) {
            changes.records.push_back(impl_->stored(now, life_ms, *held));
            unwritten.records.erase(*next);
        } else {
            deleted.push_back(*next);
        }
    }
    if (next) {
        return changes;  // what supersedes a deleted record may be among the rest
    }
    for (const RecordPlace& place : deleted) {
        changes.records.push_back({place.stream, place.counter, {}, 0, 0});
    }
    unwritten.records.clear();
    for (const StreamId stream : unwritten.streams) {
        const HeldStream* held = impl_->streams.find(stream);
        changes.streams.push_back(held == nullptr ? StoredStream{{stream, {}, {}, {}}}
                                                  : StoredStream{held->intervals(stream)});
    }
    unwritten.streams.clear();
    return changes;
}

std::size_t Store::changes() const {
    const Unwritten& unwritten = impl_->streams.unwritten();
    return unwritten.records.size() + unwritten.streams.size();
}

void Store::put_back(const Changes& changes) {
    Unwritten& unwritten = impl_->streams.unwritten();
    for (const StoredRecord& record : changes.records) {
        unwritten.records.insert({record.stream, record.counter});
    }
    for (const StoredStream& stream : changes.streams) {
        unwritten.streams.insert(stream.covered.stream);
    }
}

void Store::all_changed() {
    Unwritten& unwritten = impl_->streams.unwritten();
    for (const auto& [stream, held] : impl_->streams.all()) {
        if (held.use == StreamUse::Durable) {
            unwritten.streams.insert(stream);
            for (const auto& [counter, record] : held.live) {
                unwritten.records.insert({stream, counter});
            }
        }
    }
}

void Store::forget_changes() {
    impl_->streams.unwritten() = {};
}

bool Store::is_written(RecordPlace place) const {
    const HeldRecord* held = impl_->streams.find(place.stream, place.counter);
    return held != nullptr && held->is_on_disk &&
           !impl_->streams.unwritten().records.contains(place);
}

void Store::add_power_off(TimePoint now, std::uint64_t ms) {
    impl_->power_off = Impl::PowerOff{now, ms};
    on_timeout(now);  // what is past its ttl by that is shown to nobody
}

/// In turns, like what is due: whoever holds up the heartbeats is taken for dead.
void Store::Impl::add_power_off(TimePoint now) {
    std::vector<RecordPlace> turn;
    const auto& all = streams.all();
    const std::optional<RecordPlace> done = power_off->done;
    const auto is_below = [](const auto& entry, StreamId wanted) { return entry.first < wanted; };
    for (auto stream = done ? std::lower_bound(all.begin(), all.end(), done->stream, is_below)
                            : all.begin();
         stream != all.end() && turn.size() < kDuePerTurn; ++stream) {
        const auto& live = stream->second.live;
        const bool is_begun = done && stream->first == done->stream;
        for (auto record = is_begun ? live.upper_bound(done->counter) : live.begin();
             record != live.end() && turn.size() < kDuePerTurn; ++record) {
            turn.push_back({stream->first, record->first});
        }
    }
    for (const RecordPlace& place : turn) {
        const HeldRecord& held = *streams.find(place.stream, place.counter);
        if (!held.is_restored) {
            if (held.is_on_disk) {
                // Its row counts on a life without the time now added.
                streams.unwritten().records.insert(place);
            }
            continue;
        }
        const std::uint64_t age = held.age_ms(now) + power_off->ms;
        held.record.alert ? shelf.remove(held) : void();
        is_keyed(held.record) ? index.remove(held) : void();
        streams.set_age(place.stream, place.counter, age, now);
        held.record.alert ? shelf.add(held) : void();
        is_keyed(held.record) ? index.add(held) : void();
    }
    if (turn.size() < kDuePerTurn) {
        power_off.reset();
    } else {
        power_off->done = turn.back();
    }
}

void Store::forget_path(RecordPlace place) {
    if (impl_->streams.find(place.stream, place.counter) != nullptr) {
        impl_->streams.forget_path(place.stream, place.counter);
    }
}

}  // namespace meshd
