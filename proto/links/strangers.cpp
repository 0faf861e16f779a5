// SPDX-License-Identifier: Apache-2.0
#include "proto/links/strangers.h"

#include <algorithm>

namespace meshd {

void Strangers::on_heard(TimePoint now, Stranger::Kind kind, std::string_view name,
                         const Endpoint& address) {
    auto it = std::find_if(list_.begin(), list_.end(), [&](const Stranger& stranger) {
        return stranger.kind == kind && stranger.name == name &&
               stranger.address.same_address(address);
    });
    if (it == list_.end() && list_.size() < kMax) {
        it = list_.insert(list_.end(), Stranger{kind, std::string(name), address, now, 0});
    } else if (it == list_.end()) {
        it = std::min_element(list_.begin(), list_.end(), [](const auto& a, const auto& b) {
            return a.last_heard < b.last_heard;
        });
        *it = Stranger{kind, std::string(name), address, now, 0};
    }
    it->last_heard = now;
    ++it->count;
}

std::vector<Stranger> Strangers::heard(TimePoint now) const {
    std::vector<Stranger> out;
    for (const Stranger& stranger : list_) {
        if (now - stranger.last_heard <= kToldFor) {
            out.push_back(stranger);
        }
    }
    std::stable_sort(out.begin(), out.end(), [](const Stranger& a, const Stranger& b) {
        return a.last_heard > b.last_heard;
    });
    return out;
}

}  // namespace meshd
