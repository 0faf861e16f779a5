// SPDX-License-Identifier: Apache-2.0
#include "ipc/client/event_resume.h"

#include <utility>

namespace meshd::ipc {
EventResume::EventResume(std::string cursor) : cursor_(std::move(cursor)) {}

void EventResume::start_at(std::string_view cursor) {
    if (cursor_.empty()) {
        cursor_ = cursor;
    }
}

bool EventResume::is_new(const Event& event) {
    // A gap is told with any cursor, and is never old.
    if (event.kind() == "lagged") {
        return true;
    }
    if (event.kind() == "alert") {
        cursor_ = event.cursor();
        return remember(event.data()["id"].as_string().value_or(""));
    }
    const bool is_repeat = !cursor_.empty() && event.cursor() == cursor_;
    cursor_ = event.cursor();
    return !is_repeat;
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
