// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "proto/store/store_impl.h"
#include "proto/wire/codec.h"

namespace meshd {
namespace {

/// Records that must travel together, and what they justify to cover.
struct Portion {
    std::vector<const HeldRecord*> records;
    std::vector<Interval> covers;
};

/// Fills deltas portion by portion and opens the next where a limit is reached.
class DeltaPacker {
  public:
    DeltaPacker(TimePoint now, std::size_t deltas_max) : now_(now), deltas_max_(deltas_max) {}

    bool is_full() const { return is_full_; }

    void add(StreamId stream, const HeldStream& held, Portion portion) {
        Delta more;
        std::size_t bytes = 0;
        for (const HeldRecord* record : portion.records) {
            bytes += encoded_bytes_max(more.records.emplace_back(delta_record(*record, now_)));
        }
        const auto floor = held.is_keyed ? std::optional(held.floor) : std::nullopt;
        if (bytes + encoded_bytes_max({stream, held.author, portion.covers, floor}) >
            kPortionBytesMax) {
            cover_records_only(portion);
        }
        bytes += encoded_bytes_max({stream, held.author, portion.covers, floor});
        if (deltas_.empty() || !has_room(stream, portion, bytes)) {
            if (deltas_.size() >= deltas_max_) {
                is_full_ = true;
                return;
            }
            deltas_.emplace_back();
            bytes_ = 0;
        }
        bytes_ += bytes;
        Delta& delta = deltas_.back();
        std::move(more.records.begin(), more.records.end(), std::back_inserter(delta.records));
        // A pull may name a stream twice: what it names again stands by itself.
        const bool continues =
            is_last(stream) &&
            (portion.covers.empty() || delta.covers.back().intervals.empty() ||
             delta.covers.back().intervals.back().last < portion.covers.front().first);
        if (!continues) {
            delta.covers.push_back({stream, held.author, {}, floor});
        }
        std::vector<Interval>& covers = delta.covers.back().intervals;
        for (const Interval& interval : portion.covers) {
            if (!covers.empty() && covers.back().last + 1 == interval.first) {
                covers.back().last = interval.last;
            } else if (covers.size() < limits::kMessageIntervalsMax) {
                covers.push_back(interval);
            }  // else: covering less is always right, and a wish that scattered is not honest
        }
    }

    std::vector<Delta> take() { return std::move(deltas_); }

    static DeltaRecord delta_record(const HeldRecord& held, TimePoint now) {
        return {held.record.bytes, {held.age_ms(now), held.provenance.path, held.report_ms(now)}};
    }

  private:
    /// A portion must fit a message alone, with the message's own members and one more node in each
    /// path: who sends it adds itself.
    static constexpr std::size_t kPortionBytesMax = limits::kMessageBytesMax - 256;

    /// A long record leaves little room, and it is the asker who says how scattered its wish is.
    /// Covering less is always right: what is dead is asked for again, and goes without records.
    static void cover_records_only(Portion& portion) {
        portion.covers.clear();
        for (const HeldRecord* held : portion.records) {
            const std::uint64_t counter = held->record.header.counter;
            portion.covers.push_back({counter, counter});
        }
    }

    bool is_last(StreamId stream) const {
        const auto& covers = deltas_.back().covers;
        return !covers.empty() && covers.back().stream == stream;
    }

    bool has_room(StreamId stream, const Portion& portion, std::size_t bytes) const {
        const Delta& delta = deltas_.back();
        const std::size_t intervals = is_last(stream) ? delta.covers.back().intervals.size() : 0;
        return bytes_ + bytes <= limits::kDeltaBytesMax &&
               delta.records.size() + portion.records.size() <= limits::kDeltaRecordsMax &&
               intervals + portion.covers.size() <= limits::kMessageIntervalsMax;
    }

    TimePoint now_;
    std::size_t deltas_max_;
    std::vector<Delta> deltas_;
    std::size_t bytes_ = 0;
    bool is_full_ = false;
};

/// What was superseded in a volatile stream was superseded by its live records. So a counter
/// without a record is only covered together with those of them that the asker lacks: whoever
/// receives the delta can prove what it covers even if nobody else is left to ask.
std::vector<Portion> portions_of_volatile(TimePoint now, StreamId stream, const HeldStream& held,
                                          const std::vector<Interval>& offered) {
    Portion together{{}, offered};
    std::vector<Portion> apart;
    for (const auto& [counter, record] : held.live) {
        const bool is_offered =
            std::any_of(offered.begin(), offered.end(), [c = counter](const Interval& interval) {
                return interval.first <= c && c <= interval.last;
            });
        if (is_offered) {
            together.records.push_back(&record);
            apart.push_back({{&record}, {{counter, counter}}});
        }
    }
    // Node record and state of full size are too much for one message. The dead counters then wait
    // for the next pull, when the asker has both.
    std::size_t bytes = encoded_bytes_max({stream, held.author, offered});
    for (const HeldRecord* record : together.records) {
        bytes += encoded_bytes_max(DeltaPacker::delta_record(*record, now));
    }
    if (together.records.size() < 2 || bytes <= limits::kDeltaBytesMax) {
        return {std::move(together)};
    }
    return apart;
}

/// One portion per record, with the dead counters below it; those above the last one go with it.
void add_durable(DeltaPacker& packer, StreamId stream, const HeldStream& held,
                 const std::vector<Interval>& offered) {
    std::vector<Interval> below;
    std::optional<Portion> last;
    for (const Interval& interval : offered) {
        std::uint64_t next = interval.first;
        for (auto record = held.live.lower_bound(interval.first);
             record != held.live.end() && record->first <= interval.last; ++record) {
            // One behind, since the last takes more with it.
            if (last) {
                packer.add(stream, held, *std::exchange(last, std::nullopt));
            }
            if (packer.is_full()) {
                return;
            }
            below.push_back({next, record->first});
            last = Portion{{&record->second}, std::exchange(below, {})};
            next = record->first + 1;
        }
        if (next <= interval.last) {
            below.push_back({next, interval.last});
        }
    }
    if (!last) {
        last.emplace();
    }
    last->covers.insert(last->covers.end(), below.begin(), below.end());
    packer.add(stream, held, std::move(*last));
}

/// Gaps too many for one message, fewer: those between which nothing lives here become one, since
/// to ask for what is dead between them costs nothing. What are too many then are the highest.
std::vector<Interval> bridged(const std::vector<Interval>& gaps, const HeldStream* held) {
    std::vector<Interval> bridged;
    std::uint64_t next_live = 0;
    for (const Interval& gap : gaps) {
        if (!bridged.empty() && next_live > gap.last) {
            bridged.back().last = gap.last;
            continue;
        }
        if (bridged.size() == limits::kMessageIntervalsMax) {
            break;
        }
        bridged.push_back(gap);
        next_live = limits::kCounterMax;
        if (held != nullptr) {
            const auto next = held->live.upper_bound(gap.last);
            next_live = next == held->live.end() ? limits::kCounterMax : next->first;
        }
    }
    return bridged;
}

}  // namespace

std::vector<Interval> counters_of(const std::set<RecordPlace>& places, StreamId stream) {
    std::vector<Interval> counters;
    for (auto at = places.lower_bound({stream, 0}); at != places.end() && at->stream == stream;
         ++at) {
        counters.push_back({at->counter, at->counter});
    }
    return counters;
}

void Store::cover(const StreamIntervals& stream) {
    if (impl_->is_own_current(stream.stream)) {
        return;
    }
    // Dead counters at or below a floor that is not ours must not look known: with them would go
    // the sign that we are behind.
    std::uint64_t hidden = 0;
    if (stream.floor) {
        const bool is_held = impl_->unheld.contains(stream.stream) ||
                             impl_->open_keyed(stream.stream, stream.author);
        hidden = !is_held || impl_->is_covered_to(stream.stream, *stream.floor) ? 0 : *stream.floor;
    }
    const HeldStream* held = impl_->streams.find(stream.stream);
    const Grave* grave = impl_->streams.grave(stream.stream);
    for (Interval interval : stream.intervals) {
        interval.first = std::max(interval.first, hidden + 1);
        if (interval.first > interval.last) {
            continue;
        }
        if (held != nullptr && held->author == stream.author) {
            impl_->streams.cover(stream.stream, interval);
        } else if (grave != nullptr) {
            impl_->streams.bury_counters(grave->until, stream.stream, grave->use, interval);
        }
    }
}

void Store::apply_delta(TimePoint now, const Delta& delta, const Told& told, bool takes_keyed) {
    struct Item {
        const DeltaRecord* given;
        std::optional<Record> record;
    };
    std::vector<Item> items;
    items.reserve(delta.records.size());
    NodeId author;
    for (const DeltaRecord& given : delta.records) {
        items.push_back({&given, decode_record(given.record, author)});
        if (items.back().record && items.back().record->header.author != author) {
            author = items.back().record->header.author;
        }
    }
    // A start's node record first: its state may count for nothing before it.
    std::stable_partition(items.begin(), items.end(), [](const Item& item) {
        return item.record && item.record->header.kind == RecordKind::Node;
    });
    std::set<RecordPlace> refused;
    bool is_malformed = false;
    for (Item& item : items) {
        if (!item.record) {
            is_malformed = true;
            told(*item.given, impl_->refuse(&StoreCounts::malformed), kOtherKind);
            continue;
        }
        const RecordKind kind = item.record->header.kind;
        const RecordPlace place{item.record->header.stream, item.record->header.counter};
        if (!takes_keyed && is_keyed(*item.record)) {
            continue;
        }
        ApplyResult result =
            impl_->apply({now, std::move(*item.record), place.counter - 1, item.given->provenance});
        result.place = place;
        if (result.outcome == Applied::Refused) {
            refused.insert(place);
        }
        told(*item.given, result, kind);
    }
    // Which counters a malformed record stood for is unknown: nothing is covered then.
    if (is_malformed) {
        return;
    }
    for (const StreamIntervals& stream : delta.covers) {
        if (!takes_keyed && stream.floor) {
            continue;
        }
        cover({stream.stream, stream.author,
               without(stream.intervals, counters_of(refused, stream.stream)), stream.floor});
    }
}

std::pair<std::uint32_t, std::vector<StreamIntervals>> Store::digest(
    const std::optional<BucketHashes>& theirs) const {
    std::uint32_t buckets = 0xffffffff;
    for (std::size_t i = 0; theirs && i < kDigestBuckets; ++i) {
        if ((*theirs)[i] == impl_->streams.buckets()[i]) {
            buckets &= ~(std::uint32_t{1} << i);
        }
    }
    std::vector<StreamIntervals> digest;
    for (const auto& [stream, held] : impl_->streams.all()) {
        if (held.is_in_digest() && (buckets >> digest_bucket(stream) & 1) != 0) {
            digest.push_back(held.intervals(stream, limits::kMessageIntervalsMax));
        }
    }
    return {buckets, std::move(digest)};
}

void Store::check_own_streams(const std::vector<StreamIntervals>& theirs) {
    for (const StreamIntervals& their : theirs) {
        if (their.author == impl_->options.self && impl_->is_own_current(their.stream) &&
            !their.intervals.empty() &&
            their.intervals.back().last > impl_->written_in(their.stream)) {
            impl_->is_overtaken = true;
        }
    }
}

bool Store::covers(StreamId stream, std::uint64_t counter) const {
    const HeldStream* held = impl_->streams.find(stream);
    const Grave* grave = impl_->streams.grave(stream);
    return impl_->is_own_current(stream) ||
           (held != nullptr && (held->covered.contains(counter) || held->live.contains(counter))) ||
           (grave != nullptr && grave->counters.contains(counter));
}

std::vector<StreamIntervals> Store::missing(const std::vector<StreamIntervals>& theirs) const {
    static const IntervalSet kNothing;
    std::vector<StreamIntervals> missing;
    for (const StreamIntervals& their : theirs) {
        if (impl_->is_own_current(their.stream) || impl_->unheld.contains(their.stream)) {
            continue;
        }
        const HeldStream* held = impl_->streams.find(their.stream);
        const Grave* grave = impl_->streams.grave(their.stream);
        const bool is_foreign = held != nullptr && held->author != their.author;
        const bool is_without_room =
            held == nullptr &&
            (impl_->streams.is_full() ||
             (impl_->find(their.author) == nullptr && impl_->authors.size() >= limits::kNodesMax));
        if (is_foreign || is_without_room) {
            continue;
        }
        const IntervalSet& known = held != nullptr    ? held->covered
                                   : grave != nullptr ? grave->counters
                                                      : kNothing;
        auto intervals = known.missing_from(their.intervals);
        if (grave != nullptr && grave->use == StreamUse::Volatile && !intervals.empty()) {
            // Should the stream win now, then what is dead by the grave counts again: ask for all,
            // so that the answer's records vouch for all that it covers.
            intervals = kNothing.missing_from(their.intervals);
        }
        if (const auto refused = impl_->refused.find(their.stream);
            refused != impl_->refused.end()) {
            intervals = without(intervals, refused->second.intervals());
        }
        if (intervals.size() > limits::kMessageIntervalsMax) {
            intervals = bridged(intervals, held);
        }
        if (!intervals.empty()) {
            missing.push_back({their.stream, their.author, std::move(intervals)});
        }
    }
    return missing;
}

std::vector<Delta> Store::deltas(TimePoint now, const Pull& pull, std::size_t deltas_max) const {
    DeltaPacker packer(now, deltas_max);
    for (const StreamIntervals& want : pull.wants) {
        const HeldStream* held = impl_->streams.find(want.stream);
        if (held == nullptr || held->author != want.author || !held->is_in_digest()) {
            continue;
        }
        const auto offered = held->covered.shared_with(want.intervals);
        if (offered.empty()) {
            continue;
        }
        if (held->use == StreamUse::Durable) {
            add_durable(packer, want.stream, *held, offered);
        } else {
            for (Portion& portion : portions_of_volatile(now, want.stream, *held, offered)) {
                packer.add(want.stream, *held, std::move(portion));
            }
        }
        if (packer.is_full()) {
            break;
        }
    }
    return packer.take();
}

}  // namespace meshd
