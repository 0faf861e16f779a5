// SPDX-License-Identifier: Apache-2.0
#include "proto/search/asker.h"

#include <algorithm>
#include <utility>

#include "proto/base/assert.h"

namespace meshd {

void SearchAsker::ask(TimePoint now, std::uint64_t number, RequestId request,
                      const std::map<NodeId, Duration>& patience, std::vector<NodeId> unreachable,
                      TimePoint deadline) {
    MESHD_ASSERT(!is_full());
    Search search{request, {}, std::move(unreachable), deadline};
    for (const auto& [node, wait] : patience) {
        search.waiting[node] = {now + wait, wait};
    }
    finish_if_over(searches_.emplace(number, std::move(search)).first);
}

std::optional<RequestId> SearchAsker::on_answer(TimePoint now, std::uint64_t number,
                                                const NodeId& node, bool is_pending) {
    const auto it = searches_.find(number);
    if (it == searches_.end()) {
        return std::nullopt;
    }
    const auto asked = it->second.waiting.find(node);
    if (asked == it->second.waiting.end()) {
        return std::nullopt;
    }
    if (is_pending) {
        asked->second = {now + kAgainMax, kAgainMax};
        return std::nullopt;
    }
    const RequestId request = it->second.request;
    it->second.waiting.erase(asked);
    finish_if_over(it);
    return request;
}

void SearchAsker::on_node_gone(const NodeId& node) {
    for (auto it = searches_.begin(); it != searches_.end();) {
        const auto here = it++;
        if (here->second.waiting.erase(node) != 0) {
            here->second.unreachable.push_back(node);
            finish_if_over(here);
        }
    }
}

void SearchAsker::on_timeout(TimePoint now) {
    for (auto it = searches_.begin(); it != searches_.end();) {
        const auto here = it++;
        if (here->second.deadline <= now) {
            finish(here);
            continue;
        }
        for (auto& [node, asked] : here->second.waiting) {
            if (asked.again_at <= now) {
                asked.again_after = std::min(2 * asked.again_after, kAgainMax);
                asked.again_at = now + asked.again_after;
                again_.push_back({here->first, node});
            }
        }
    }
}

std::optional<TimePoint> SearchAsker::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& [number, search] : searches_) {
        TimePoint at = search.deadline;
        for (const auto& [node, asked] : search.waiting) {
            at = std::min(at, asked.again_at);
        }
        next = next ? std::min(*next, at) : at;
    }
    return next;
}

std::optional<SearchAsker::Again> SearchAsker::poll_again() {
    if (again_.empty()) {
        return std::nullopt;
    }
    const Again again = std::move(again_.front());
    again_.pop_front();
    return again;
}

std::optional<RequestId> SearchAsker::request(std::uint64_t number) const {
    const auto it = searches_.find(number);
    return it == searches_.end() ? std::nullopt : std::optional(it->second.request);
}

std::optional<Duration> SearchAsker::remaining(TimePoint now, std::uint64_t number) const {
    const auto it = searches_.find(number);
    return it == searches_.end() || it->second.deadline <= now
               ? std::nullopt
               : std::optional(it->second.deadline - now);
}

std::optional<SearchAsker::Done> SearchAsker::poll_done() {
    if (done_.empty()) {
        return std::nullopt;
    }
    Done done = std::move(done_.front());
    done_.pop_front();
    return done;
}

void SearchAsker::finish_if_over(std::map<std::uint64_t, Search>::iterator it) {
    if (it->second.waiting.empty()) {
        finish(it);
    }
}

void SearchAsker::finish(std::map<std::uint64_t, Search>::iterator it) {
    Done done{it->second.request, it->first, {}, std::move(it->second.unreachable)};
    for (const auto& [node, asked] : it->second.waiting) {
        done.silent.push_back(node);
    }
    std::sort(done.unreachable.begin(), done.unreachable.end());
    searches_.erase(it);
    done_.push_back(std::move(done));
}

}  // namespace meshd
