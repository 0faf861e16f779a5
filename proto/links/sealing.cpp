// SPDX-License-Identifier: Apache-2.0
#include "proto/links/sealing.h"

#include <algorithm>
#include <utility>

namespace meshd {

void Sealing::set(SecurityMode mode, Keyring ring) {
    mode_ = mode;
    ring_ = std::move(ring);
    outside_keys_.clear();
    by_hint_.clear();
    for (const MeshKey& key : ring_.keys) {
        const KeyId id = key_id(key);
        outside_keys_.emplace(id, meshd::outside_key(key));
        by_hint_.emplace(key_hint(id), id);
    }
}

bool Sealing::is_usable(KeyId seal) const {
    return seal ? mode_ != SecurityMode::Open && outside_keys_.count(seal) != 0 : is_open_allowed();
}

std::vector<KeyId> Sealing::asking_seals(bool is_beacon) const {
    std::vector<KeyId> seals;
    if (active()) {
        seals.push_back(active());
    }
    for (const auto& [id, key] : outside_keys_) {
        if (!is_beacon && id != active() && is_usable(id)) {
            seals.push_back(id);
        }
    }
    if (is_open_allowed()) {
        seals.push_back(KeyId{});
    }
    return seals;
}

KeyId Sealing::find(std::uint16_t hint) const {
    const auto known = by_hint_.find(hint);
    return mode_ == SecurityMode::Open || known == by_hint_.end() ? KeyId{} : known->second;
}

void Sealing::on_foreign(TimePoint now, const Endpoint& from, std::uint16_t hint) {
    const auto known =
        std::find_if(foreigners_.begin(), foreigners_.end(),
                     [&](const Foreigner& one) { return one.from.same_address(from); });
    if (known != foreigners_.end()) {
        known->hint = hint;
        known->last_heard = now;
        return;
    }
    if (foreigners_.size() >= kForeignersMax) {
        foreigners_.erase(std::min_element(
            foreigners_.begin(), foreigners_.end(),
            [](const Foreigner& a, const Foreigner& b) { return a.last_heard < b.last_heard; }));
    }
    foreigners_.push_back({from, hint, now});
}

std::vector<Sealing::Foreigner> Sealing::foreigners(TimePoint now) const {
    std::vector<Foreigner> recent;
    for (const Foreigner& one : foreigners_) {
        if (now - one.last_heard <= kForeignerLife) {
            recent.push_back(one);
        }
    }
    return recent;
}

}  // namespace meshd
