// SPDX-License-Identifier: Apache-2.0
#include "ipc/client/event_resume.h"

#include <charconv>
#include <optional>
#include <utility>

namespace meshd::ipc {
namespace {

struct Position {
    std::string_view start;
    std::uint64_t number = 0;
};

/// A cursor begins with "<start>.<number>"; one of another form tells nothing about order.
std::optional<Position> position_of(std::string_view cursor) {
    const std::size_t dot = cursor.find('.');
    if (dot == std::string_view::npos) {
        return std::nullopt;
    }
    Position out;
    out.start = cursor.substr(0, dot);
    const std::string_view rest = cursor.substr(dot + 1);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out.number);
    if (error != std::errc() || (end != rest.data() + rest.size() && *end != '.')) {
        return std::nullopt;
    }
    return out;
}

}  // namespace

EventResume::EventResume(std::string cursor) : cursor_(std::move(cursor)) {
    if (const auto position = position_of(cursor_)) {
        start_ = position->start;
        number_ = position->number;
    }
}

void EventResume::start_at(std::string_view cursor) {
    if (cursor_.empty()) {
        *this = EventResume(std::string(cursor));
    }
}

bool EventResume::is_new(const Event& event) {
    // A gap is told with any cursor, and is never old.
    if (event.kind() == "lagged") {
        return true;
    }
    const bool is_alert = event.kind() == "alert";
    // Alerts from the store may carry any number of this start: their ids decide.
    const bool is_repeat = is_behind(event.cursor()) && !is_alert;
    if (is_repeat) {
        return false;
    }
    if (!event.cursor().empty()) {
        cursor_ = event.cursor();
    }
    return !is_alert || remember(event.data()["id"].as_string().value_or(""));
}

bool EventResume::is_behind(std::string_view cursor) {
    const auto position = position_of(cursor);
    if (!position) {
        return false;
    }
    if (position->start == start_ && position->number <= number_) {
        return true;
    }
    start_ = position->start;
    number_ = position->number;
    return false;
}

bool EventResume::remember(std::string_view alert) {
    if (!alerts_.emplace(alert).second) {
        return false;
    }
    alerts_by_age_.emplace_back(alert);
    if (alerts_by_age_.size() > kAlertsKeptMax) {
        alerts_.erase(alerts_by_age_.front());
        alerts_by_age_.pop_front();
    }
    return true;
}

}  // namespace meshd::ipc
