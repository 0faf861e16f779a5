// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "proto/base/mutant.h"
#include "proto/disk_stall.h"
#include "proto/node_impl.h"

namespace meshd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Records in one transaction: about 6 MB with embeddings, a second of a slow card.
constexpr std::size_t kPersistRecordsMax = 4096;
/// Beside the records that callers wait for: a card is not to write megabytes before they are told.
constexpr std::size_t kPersistBesideMax = 64;
/// While a pull is under way, so many may wait: to write them takes the processor that fetches
/// them, and what is lost with this box comes again. As long as persist_interval_others lasts, that
/// is; so many come in less only by a link that is fast enough to bring them again.
constexpr std::size_t kPersistPullingMax = 262'144;
/// A caller does not wait longer for the disk: the card may stall, the alert is out.
constexpr Duration kDurableWaitMax = seconds(10);
/// After a failure the disk is tried again after the first, doubling up to the second; at once,
/// but no more often than the first, where somebody waits.
constexpr Duration kDiskRetryMin = seconds(1);
constexpr Duration kDiskRetryMax = seconds(10);
/// What is written of time while nothing else is: 24 small transactions a day.
constexpr Duration kClockInterval = std::chrono::hours(1);
/// A box that stood without power for longer has lost its mesh time instead.
constexpr std::int64_t kPowerOffMsMax = std::int64_t{10} * 366 * 24 * 3600 * 1000;

}  // namespace

/// The time that a record is stamped with: a clock set wrong must not win for years.
Now Node::Impl::stamp(Now now) const {
    return {now.monotonic, bounded_wall(now)};
}

StoreClock Node::Impl::store_clock(Now now) const {
    StoreClock clock;
    clock.life_ms = restored_clock_.life_ms + to_ms(now.monotonic - started_);
    if (agreed_offset_ms_) {
        clock.mesh_ms = *agreed_offset_ms_ + to_ms(now.monotonic.time_since_epoch());
    }
    return clock;
}

/// Once the mesh agrees about the time: what came from the disk is older by the time without power.
void Node::Impl::learn_time(Now now) {
    const auto mesh = mesh_time_.agreed(now);
    if (!mesh) {
        return;
    }
    agreed_offset_ms_ = mesh->ms - to_ms(now.monotonic.time_since_epoch());
    if (!has_power_off_) {
        return;
    }
    has_power_off_ = false;
    const std::int64_t off_ms =
        mesh->ms - *restored_clock_.mesh_ms - to_ms(now.monotonic - started_);
    if (off_ms > 0 && off_ms < kPowerOffMsMax) {
        store_.add_power_off(now.monotonic, static_cast<std::uint64_t>(off_ms));
        restored_clock_.life_ms += off_ms;  // so that what is on disk needs no new age
    }
}

/// Not before a disk that failed is to be tried again.
void Node::Impl::persist_soon(TimePoint at) {
    if (has_disk_) {
        at = std::max(at, disk_retry_at_);
        rest_write_at_ = rest_write_at_ ? std::min(*rest_write_at_, at) : at;
    }
}

std::optional<TimePoint> Node::Impl::persist_at() const {
    return callers_write_at_ && rest_write_at_ ? std::min(callers_write_at_, rest_write_at_)
           : callers_write_at_                 ? callers_write_at_
                                               : rest_write_at_;
}

void Node::Impl::schedule_disk(TimePoint now) {
    if (!has_disk_) {
        store_.forget_changes();
        return;
    }
    if (writing_) {
        return;
    }
    const std::size_t changes = store_.changes();
    flushing_ = changes == 0 ? 0 : flushing_;
    const bool is_leaving = changes != 0 && (leaving_ || has_left_);
    const std::size_t waiting_max =
        reconciler_.pulls() == 0 ? kPersistRecordsMax : kPersistPullingMax;
    if (changes > waiting_max || flushing_ != 0 || is_leaving) {
        persist_soon(now);
    } else if (changes != 0) {
        persist_soon(now + config_.persist_interval_others);
    } else if (durable_waits_.empty()) {
        rest_write_at_ = clock_written_at_ + kClockInterval;
    }
}

/// `answer`: what is to be said, or nothing where it is not known yet.
void Node::Impl::await_disk(TimePoint now, RequestId request, std::vector<RecordPlace> places,
                            std::optional<Output> answer) {
    const auto wait = durable_waits_
                          .emplace(request, DurableWait{std::move(places), now + kDurableWaitMax,
                                                        std::nullopt, std::move(answer)})
                          .first;
    const auto& all = wait->second.places;
    const bool is_written =
        !writing_ && std::all_of(all.begin(), all.end(),
                                 [&](RecordPlace place) { return store_.is_written(place); });
    const bool is_stalled = is_disk_stalled(writing_.has_value(), clock_written_at_, now);
    if (is_written || !has_disk_ || is_stalled || disk_allowed_at_ > now) {
        wait->second.is_durable = is_written;
        finish_wait(wait);
        return;
    }
    callers_write_at_ = now;
}

void Node::Impl::finish_wait(std::map<RequestId, DurableWait>::iterator wait) {
    if (!wait->second.is_durable || !wait->second.answer) {
        return;
    }
    Output& answer = *wait->second.answer;
    if (auto* raised = std::get_if<AlertRaised>(&answer)) {
        raised->is_durable = *wait->second.is_durable;
    } else if (auto* put = std::get_if<EntriesPut>(&answer)) {
        put->is_durable = *wait->second.is_durable;
    }
    outputs_.push_back(std::move(answer));
    durable_waits_.erase(wait);
}

void Node::Impl::answer_raised(AlertRaised answer) {
    const auto wait = durable_waits_.find(answer.request);
    wait->second.answer = std::move(answer);
    finish_wait(wait);
}

std::optional<Persist> Node::Impl::poll_persist() {
    const auto is_due = [this](const std::optional<TimePoint>& at) { return at && *at <= now_; };
    const bool is_rest_due = is_due(rest_write_at_);
    if (writing_ || (!is_rest_due && !is_due(callers_write_at_))) {
        return std::nullopt;
    }
    // Callers first, but by turns: they may come without end.
    wrote_for_callers_ = is_due(callers_write_at_) && !(is_rest_due && wrote_for_callers_);
    callers_write_at_.reset();
    if (!wrote_for_callers_) {
        rest_write_at_.reset();
    }
    const Now now{now_, wall_};
    Persist persist;
    persist.token = ++last_token_;
    persist.clock = store_clock(now);
    std::vector<RecordPlace> first;
    for (const auto& [request, wait] : durable_waits_) {
        if (!wait.is_durable) {
            first.insert(first.end(), wait.places.begin(), wait.places.end());
        }
    }
    const std::size_t records_max =
        wrote_for_callers_ ? first.size() + kPersistBesideMax : kPersistRecordsMax;
    writing_ = store_.take_changes(now_, persist.clock.life_ms, records_max, first);
    flushing_ -= std::min(flushing_, writing_->records.size() + writing_->streams.size());
    persist.records = writing_->records;
    persist.streams = writing_->streams;
    // Only the places matter from here on.
    for (StoredRecord& record : writing_->records) {
        record.bytes = {};
    }
    clock_written_at_ = now_;
    return persist;
}

void Node::Impl::handle_flush(Now now) {
    at(now);
    // The last chance of a box that ends: one attempt, however often the disk failed before.
    disk_allowed_at_ = now.monotonic;
    disk_retry_at_ = now.monotonic;
    flushing_ = store_.changes();
    settle(now);
}

void Node::Impl::handle_persisted(Now now, PersistToken token, PersistResult result) {
    at(now);
    if (!writing_ || token != last_token_) {
        return;
    }
    const Store::Changes written = *std::exchange(writing_, std::nullopt);
    if (result == PersistResult::Stored) {
        disk_backoff_ = {};
        disk_allowed_at_ = now.monotonic;
        disk_retry_at_ = now.monotonic;
    } else {
        counters_.add(Counter::disk_failures);
        flushing_ = 0;
        store_.put_back(written);
        if (result == PersistResult::Lost) {
            store_.all_changed();
        } else {
            disk_backoff_ = std::clamp(2 * disk_backoff_, kDiskRetryMin, kDiskRetryMax);
        }
        disk_allowed_at_ =
            now.monotonic + (result == PersistResult::Lost ? Duration{} : kDiskRetryMin);
        disk_retry_at_ = now.monotonic + disk_backoff_;
        persist_soon(now.monotonic);
    }
    for (auto it = durable_waits_.begin(); it != durable_waits_.end();) {
        const auto wait = it++;
        if (wait->second.is_durable) {
            continue;
        }
        const auto& places = wait->second.places;
        if (result == PersistResult::Failed) {
            wait->second.is_durable = is_mutant(CoreMutant::ClaimDurable);
        } else if (std::any_of(places.begin(), places.end(), [&](RecordPlace place) {
                       return store_.record(place.stream, place.counter) == nullptr;
                   })) {
            wait->second.is_durable = false;  // replaced meanwhile, by what may not be written yet
        } else if (result == PersistResult::Stored &&
                   std::all_of(places.begin(), places.end(),
                               [&](RecordPlace place) { return store_.is_written(place); })) {
            wait->second.is_durable = true;
        } else {
            callers_write_at_ = now.monotonic;
            continue;
        }
        finish_wait(wait);
    }
    settle(now);
}

void Node::Impl::expire_disk_waits(TimePoint now) {
    for (auto it = durable_waits_.begin(); it != durable_waits_.end();) {
        const auto wait = it++;
        if (!wait->second.is_durable && wait->second.deadline <= now) {
            wait->second.is_durable = false;
            finish_wait(wait);
        }
    }
}

}  // namespace meshd
