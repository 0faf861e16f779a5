// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/note_sender.h"

#include <algorithm>
#include <utility>

#include "proto/base/assert.h"

namespace meshd {

void NoteSender::send(TimePoint now, std::uint64_t number, Outgoing note) {
    MESHD_ASSERT(has_room(note.note.size()));
    bytes_ += note.note.size();
    notes_.emplace(number, Pending{std::move(note), now, false, std::nullopt, kAgainMin});
    due_.push_back(number);
}

std::optional<std::uint64_t> NoteSender::poll_attempt() {
    while (!due_.empty()) {
        const std::uint64_t number = due_.front();
        due_.pop_front();
        if (notes_.count(number) != 0) {
            return number;
        }
    }
    return std::nullopt;
}

void NoteSender::on_attempt(TimePoint now, std::uint64_t number, bool was_sent) {
    const auto it = notes_.find(number);
    if (it == notes_.end()) {
        return;
    }
    Pending& note = it->second;
    if (was_sent && !note.what.wants_ack) {
        finish(now, it, NoteOutcome::Sent);
        return;
    }
    note.is_sent = note.is_sent || was_sent;
    // Without a route too: the queue of the link may have been full.
    note.again_at = now + note.again_after;
    note.again_after = std::min(2 * note.again_after, kAgainMax);
}

void NoteSender::on_ack(TimePoint now, std::uint64_t number, const NodeId& from) {
    const auto it = notes_.find(number);
    if (it != notes_.end() && it->second.what.node == from && it->second.what.wants_ack) {
        finish(now, it, NoteOutcome::Acknowledged);
    }
}

void NoteSender::on_routes_changed() {
    for (const auto& [number, note] : notes_) {
        if (!note.is_sent) {
            due_.push_back(number);
        }
    }
}

void NoteSender::on_timeout(TimePoint now) {
    for (auto it = notes_.begin(); it != notes_.end();) {
        const auto here = it++;
        Pending& note = here->second;
        if (note.what.deadline <= now) {
            finish(now, here, note.is_sent ? NoteOutcome::Silent : NoteOutcome::NoRoute);
        } else if (note.again_at && *note.again_at <= now) {
            note.again_at.reset();
            due_.push_back(here->first);
        }
    }
}

std::optional<TimePoint> NoteSender::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& [number, note] : notes_) {
        const TimePoint at =
            note.again_at ? std::min(*note.again_at, note.what.deadline) : note.what.deadline;
        next = next ? std::min(*next, at) : at;
    }
    return next;
}

std::optional<NoteSender::Result> NoteSender::poll_result() {
    if (results_.empty()) {
        return std::nullopt;
    }
    Result result = std::move(results_.front());
    results_.pop_front();
    return result;
}

void NoteSender::finish(TimePoint now, std::map<std::uint64_t, Pending>::iterator it,
                        NoteOutcome outcome) {
    const Outgoing& what = it->second.what;
    results_.push_back({what.request, what.node, outcome, now - it->second.started});
    bytes_ -= what.note.size();
    notes_.erase(it);
}

}  // namespace meshd
