// SPDX-License-Identifier: Apache-2.0
#include "proto/store/forgetting.h"

#include <algorithm>

namespace meshd {

template <class Visit>
void Forgetting::for_each_of(const Start& start, Visit visit) const {
    for (auto it = marks_.lower_bound(Key(start.first, start.second, NodeId()));
         it != marks_.end() && std::get<0>(it->first) == start.first &&
         std::get<1>(it->first) == start.second;
         ++it) {
        visit(std::get<2>(it->first), it->second);
    }
}

void Forgetting::forget(TimePoint now, const ForgottenNode& node) {
    marks_[Key(node.node, node.stream, self_)] = Mark{now, node.clock, true, false};
    repeat_at_.erase(start_of(node));
    // Own marks beyond what the record names would be remembered by nobody else.
    const std::vector<ForgottenNode> named = own();
    std::erase_if(marks_, [&](const auto& entry) {
        const auto& [key, mark] = entry;
        return std::get<2>(key) == self_ &&
               !std::binary_search(named.begin(), named.end(),
                                   ForgottenNode{std::get<0>(key), std::get<1>(key), mark.clock});
    });
}

void Forgetting::begin_naming() {
    look_at_.reset();
    for (auto& [key, mark] : marks_) {
        mark.is_named = std::get<2>(key) == self_;
    }
}

void Forgetting::on_named(TimePoint now, const ForgottenNode& node, const NodeId& by) {
    if (node.node == self_ || by == self_) {
        return;
    }
    const Key key(node.node, node.stream, by);
    auto it = marks_.find(key);
    if (it == marks_.end()) {
        if (marks_.size() >= kMarksMax) {
            refused_ += 1;
            return;
        }
        it = marks_.emplace(key, Mark{now, node.clock, true, false}).first;
    }
    it->second.is_named = true;
}

void Forgetting::end_naming(TimePoint now) {
    std::erase_if(marks_, [&](const auto& entry) {
        const auto& [key, mark] = entry;
        // While it is named, the end of its time is its author's to tell.
        const bool is_others = std::get<2>(key) != self_;
        return mark.is_void ? !mark.is_named || !is_others
                            : mark.since + keep_ <= now && !(mark.is_named && is_others);
    });
    std::erase_if(repeat_at_, [&](const auto& entry) {
        bool has_mark = false;
        for_each_of(entry.first,
                    [&](const NodeId&, const Mark& mark) { has_mark = has_mark || !mark.is_void; });
        return !has_mark || is_named(entry.first);
    });
    for (const auto& [key, mark] : marks_) {
        if (mark.since + keep_ > now) {
            look_at(mark.since + keep_);
        }
    }
}

std::vector<ForgottenNode> Forgetting::marks() const {
    std::vector<ForgottenNode> found;
    for (const auto& [key, mark] : marks_) {
        if (mark.is_void) {
            continue;
        }
        const Start start(std::get<0>(key), std::get<1>(key));
        if (found.empty() || start_of(found.back()) != start) {
            found.push_back({start.first, start.second, mark.clock});
        }
        found.back().clock = std::max(found.back().clock, mark.clock);
    }
    return found;
}

bool Forgetting::is_named(const Start& start) const {
    bool found = false;
    for_each_of(start, [&](const NodeId&, const Mark& mark) {
        found = found || (mark.is_named && !mark.is_void);
    });
    return found;
}

TimePoint Forgetting::known_since(const Start& start) const {
    std::optional<TimePoint> since;
    for_each_of(start, [&](const NodeId&, const Mark& mark) {
        if (!mark.is_void) {
            since = since ? std::max(*since, mark.since) : mark.since;
        }
    });
    return since.value_or(TimePoint{});
}

NodeId Forgetting::forgotten_by(const ForgottenNode& node) const {
    NodeId by;
    for_each_of(start_of(node), [&](const NodeId& who, const Mark& mark) {
        by = by.empty() && !mark.is_void ? who : by;
    });
    return by;
}

Forgetting::Verdict Forgetting::judge(TimePoint now, const ForgottenNode& node, const Facts& facts,
                                      Duration jitter) {
    const Start start = start_of(node);
    if (facts.is_later_start) {
        repeat_at_.erase(start);
        return Verdict::Nothing;
    }
    if (facts.is_alive || facts.is_claimed) {
        const TimePoint at = known_since(start) + kSettle;
        if (now < at) {
            look_at(at);
            return Verdict::Later;
        }
        for (auto it = marks_.lower_bound(Key(node.node, node.stream, NodeId()));
             it != marks_.end() && std::get<0>(it->first) == node.node &&
             std::get<1>(it->first) == node.stream;
             ++it) {
            it->second.is_void = true;
        }
        repeat_at_.erase(start);
        return Verdict::Void;
    }
    if (const auto due = repeat_at_.find(start); due != repeat_at_.end()) {
        if (due->second <= now) {
            forget(now, node);
        } else {
            look_at(due->second);
        }
    }
    if (!facts.held_since) {
        return Verdict::Nothing;
    }
    if (now < *facts.held_since + kSettle) {
        look_at(*facts.held_since + kSettle);
        return Verdict::Later;
    }
    on_met(now, node, jitter);
    return Verdict::Drop;
}

void Forgetting::on_met(TimePoint now, const ForgottenNode& node, Duration jitter) {
    const Start start = start_of(node);
    if (!is_named(start)) {
        look_at(repeat_at_.try_emplace(start, now + jitter).first->second);
    }
}

std::vector<ForgottenNode> Forgetting::own() const {
    std::vector<std::pair<TimePoint, ForgottenNode>> mine;
    for (const auto& [key, mark] : marks_) {
        if (std::get<2>(key) == self_ && !mark.is_void) {
            mine.emplace_back(mark.since,
                              ForgottenNode{std::get<0>(key), std::get<1>(key), mark.clock});
        }
    }
    if (mine.size() > limits::kForgottenMax) {
        std::sort(mine.begin(), mine.end());
        mine.erase(mine.begin(), mine.end() - static_cast<std::ptrdiff_t>(limits::kForgottenMax));
    }
    std::vector<ForgottenNode> named;
    for (auto& [since, node] : mine) {
        named.push_back(std::move(node));
    }
    std::sort(named.begin(), named.end());
    return named;
}

std::optional<TimePoint> Forgetting::next_look() const {
    return look_at_;
}

}  // namespace meshd
