// SPDX-License-Identifier: Apache-2.0
#include "proto/search/answerer.h"

#include <algorithm>
#include <utility>

namespace meshd {

SearchAnswerer::Taken SearchAnswerer::on_question(TimePoint now, const Question& question,
                                                  std::size_t limit, TimePoint deadline,
                                                  TimePoint keep_until) {
    if (tickets_.count(question) != 0) {
        return {What::Pending};
    }
    if (const auto kept = kept_.find(question); kept != kept_.end()) {
        if (now - kept->second.sent < kRepeatAfter) {
            return {What::Quiet};
        }
        kept->second.sent = now;
        return {What::Repeat, {}, &kept->second.answer};
    }
    if (open_.size() >= kOpenMax || open_of_[question.source] >= kOpenPerAskerMax) {
        return {What::Overloaded};
    }
    const SearchTicket ticket{++last_ticket_};
    open_.emplace(ticket,
                  Open{question, limit, 0, 0, 0, {}, ResultList(limit), deadline, keep_until});
    tickets_.emplace(question, ticket);
    ++open_of_[question.source];
    return {What::Work, ticket};
}

void SearchAnswerer::expect(SearchTicket ticket, Part part) {
    open_.at(ticket).parts |= static_cast<std::uint8_t>(part);
}

bool SearchAnswerer::is_expected(SearchTicket ticket, Part part) const {
    const auto it = open_.find(ticket);
    return it != open_.end() && (it->second.parts & static_cast<std::uint8_t>(part)) != 0;
}

ResultList* SearchAnswerer::results(SearchTicket ticket, const NodeId& owner) {
    const auto it = open_.find(ticket);
    return it == open_.end()
               ? nullptr
               : &it->second.results.try_emplace(owner, it->second.limit).first->second;
}

ResultList* SearchAnswerer::responder_results(SearchTicket ticket) {
    const auto it = open_.find(ticket);
    return it == open_.end() ? nullptr : &it->second.of_responders;
}

void SearchAnswerer::on_part(SearchTicket ticket, Part part, std::uint32_t silent,
                             std::uint32_t skipped) {
    if (!is_expected(ticket, part)) {
        return;
    }
    Open& open = open_.at(ticket);
    open.silent += silent;
    open.skipped += skipped;
    open.parts &= static_cast<std::uint8_t>(~static_cast<std::uint8_t>(part));
}

void SearchAnswerer::finish_if_done(TimePoint now, SearchTicket ticket) {
    const auto it = open_.find(ticket);
    if (it != open_.end() && it->second.parts == 0) {
        finish(now, it);
    }
}

void SearchAnswerer::on_timeout(TimePoint now) {
    for (auto it = open_.begin(); it != open_.end();) {
        const auto here = it++;
        if (here->second.deadline <= now) {
            finish(now, here);
        }
    }
    while (!kept_order_.empty() && kept_.at(kept_order_.front()).until <= now) {
        drop_oldest();
    }
}

std::optional<TimePoint> SearchAnswerer::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& [ticket, open] : open_) {
        next = next ? std::min(*next, open.deadline) : open.deadline;
    }
    return next;
}

std::optional<SearchAnswerer::Finished> SearchAnswerer::poll_finished() {
    if (finished_.empty()) {
        return std::nullopt;
    }
    Finished finished = std::move(finished_.front());
    finished_.pop_front();
    return finished;
}

void SearchAnswerer::finish(TimePoint now, std::map<SearchTicket, Open>::iterator it) {
    Open open = std::move(it->second);
    open_.erase(it);
    tickets_.erase(open.question);
    if (--open_of_[open.question.source] == 0) {
        open_of_.erase(open.question.source);
    }
    // A part that is still missing at the deadline is cut off, whatever it would have brought.
    Finished finished{open.question, {open.parts != 0, open.silent, open.skipped, "[]"}, false, {}};
    if (const auto own = open.results.find(NodeId()); own != open.results.end()) {
        own->second.add_all(std::move(open.of_responders));
        finished.is_asked = true;
    }
    for (const auto& [owner, list] : open.results) {
        finished.answer.is_truncated = finished.answer.is_truncated || list.is_truncated();
        if (owner.empty()) {
            finished.answer.results = list.print();
        } else {
            finished.stale.emplace(owner, list.print());
        }
    }
    keep(now, open.question, {finished.answer, now, open.keep_until});
    finished_.push_back(std::move(finished));
}

void SearchAnswerer::keep(TimePoint now, const Question& question, Kept kept) {
    if (kept.until <= now) {
        return;
    }
    kept_bytes_ += kept.answer.results.size();
    kept_.emplace(question, std::move(kept));
    kept_order_.push_back(question);
    while (kept_.size() > kKeptMax || kept_bytes_ > kKeptBytesMax) {
        drop_oldest();
    }
}

void SearchAnswerer::drop_oldest() {
    const auto oldest = kept_.find(kept_order_.front());
    kept_bytes_ -= oldest->second.answer.results.size();
    kept_.erase(oldest);
    kept_order_.pop_front();
}

}  // namespace meshd
