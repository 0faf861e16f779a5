// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/subscriber.h"

#include <algorithm>

namespace meshd::sim {

void Subscriber::connect(const std::vector<AlertView>& held) {
    is_connected_ = true;
    std::vector<const AlertView*> since;
    for (const AlertView& alert : held) {
        if (alert.arrival > cursor_) {
            since.push_back(&alert);
        }
    }
    std::sort(since.begin(), since.end(),
              [](const auto* a, const auto* b) { return a->arrival < b->arrival; });
    for (const AlertView* alert : since) {
        take(*alert);
    }
}

void Subscriber::on_alert(const AlertView& alert) {
    if (is_connected_) {
        take(alert);
    }
}

void Subscriber::take(const AlertView& alert) {
    cursor_ = std::max(cursor_, alert.arrival);
    repeated_ += ids_.insert(alert.id).second ? 0 : 1;
}

}  // namespace meshd::sim
