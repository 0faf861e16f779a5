// SPDX-License-Identifier: Apache-2.0
/// \file
/// What this node accepts and sends outside any session: sealed with which keys, or in the open
/// (PROTOCOL.md, "Sealing"). And whom it heard that it cannot read: whoever looks for a box that
/// does not join finds it there.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "proto/base/endpoint.h"
#include "proto/base/security_mode.h"
#include "proto/base/time.h"
#include "proto/crypto/keyring.h"
#include "proto/crypto/seal.h"

namespace meshd {

class Sealing {
  public:
    /// Somebody heard who speaks otherwise. Anybody can send such a datagram, in any name.
    struct Foreigner {
        Endpoint from;
        std::uint16_t hint = 0;  ///< of the key; 0 = it speaks in the open
        TimePoint last_heard;
    };
    /// Remembered at once; the one silent longest makes room.
    static constexpr std::size_t kForeignersMax = 16;
    /// And for so long.
    static constexpr Duration kForeignerLife = std::chrono::minutes(5);

    Sealing(SecurityMode mode, Keyring ring) { set(mode, std::move(ring)); }
    Sealing(const Sealing&) = delete;
    Sealing& operator=(const Sealing&) = delete;

    void set(SecurityMode mode, Keyring ring);
    SecurityMode mode() const { return mode_; }
    const Keyring& ring() const { return ring_; }

    /// The key that new links and beacons are sealed with; 0 = there is none, or none is used.
    KeyId active() const { return mode_ == SecurityMode::Open ? KeyId{} : ring_.active; }
    bool is_open_allowed() const { return mode_ != SecurityMode::Sealed; }
    /// It speaks with nobody: it wants a key and has none.
    bool is_silent() const { return !is_open_allowed() && !active(); }
    /// Whether a handshake or a link may go on under this key; 0 = in the open.
    bool is_usable(KeyId seal) const;
    /// Under what to ask whoever has not been heard yet: a beacon under the active key, an address
    /// under every key, since a box that was away may hold an older one only; both in the open too
    /// while an open mesh moves to a key.
    std::vector<KeyId> asking_seals(bool is_beacon) const;

    /// The key that a datagram says it is sealed with; 0 where it is not held or not used.
    KeyId find(std::uint16_t hint) const;
    /// What seals and opens outside any session. `seal` is usable and not 0.
    const SealKey& outside_key(KeyId seal) const { return outside_keys_.at(seal); }

    void on_foreign(TimePoint now, const Endpoint& from, std::uint16_t hint);
    /// Heard of late, by the time they were heard first.
    std::vector<Foreigner> foreigners(TimePoint now) const;

  private:
    SecurityMode mode_ = SecurityMode::Open;
    Keyring ring_;
    std::map<KeyId, SealKey> outside_keys_;
    /// Looked up for whatever strangers send: no key is derived for it.
    std::map<std::uint16_t, KeyId> by_hint_;
    std::deque<Foreigner> foreigners_;
};

}  // namespace meshd
