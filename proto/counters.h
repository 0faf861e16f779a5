// SPDX-License-Identifier: Apache-2.0
/// \file
/// Everything the core counts, by name: `mesh.stats` shows all of them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace meshd {

// clang-format off
#define MESHD_COUNTERS(X) \
    /* traffic */ \
    X(datagrams_sent) X(datagrams_received) X(bytes_sent) X(bytes_received) \
    X(messages_sent) X(messages_received) X(messages_routed) X(messages_retransmitted) \
    X(heartbeats_sent) X(heartbeats_received) X(beacons_sent) X(beacons_received) \
    X(beacons_suppressed) \
    X(acks_sent) X(fragments_sent) X(fragments_received) \
    /* what happened */ \
    X(peers_discovered) X(links_up) X(links_down) X(links_stalled) X(links_suspected) X(links_pruned) \
    X(notices_sent) X(notices_received) X(alerts_sent) X(alerts_received) \
    X(alert_copies_received) X(records_written) X(records_received) X(record_copies_received) \
    X(pushes_sent) X(pushes_flooded) X(digests_sent) X(pulls_sent) X(deltas_sent) \
    X(announcements_sent) X(announcements_received) X(announcements_pulled) X(datagrams_lost) \
    X(records_repaired) X(streams_reopened) X(nodes_forgotten) X(names_yielded) \
    X(entries_over_quota) X(disk_failures) X(censuses_sent) \
    X(notes_sent) X(notes_received) X(searches_asked) X(searches_asked_again) X(searches_received) \
    X(searches_refused) X(search_answers_late) \
    X(keys_granted) X(keys_received) X(links_rekeyed) \
    /* datagrams dropped whole */ \
    X(drop_too_short) X(drop_too_long) X(drop_version) X(drop_kind) X(drop_tag) X(drop_items) \
    X(drop_malformed) X(drop_unknown_session) X(drop_replay) X(drop_wrong_source) \
    X(drop_not_allowed_here) X(drop_unsealed) X(drop_other_key) X(drop_outside_rate) \
    X(drop_unpadded) \
    /* messages dropped */ \
    X(drop_unknown_kind) X(drop_other_mesh) X(drop_own_beacon) X(drop_beacon_address) \
    X(drop_cookie) X(drop_rate) X(drop_not_for_us) X(drop_name_conflict) X(drop_full) \
    X(drop_record) X(drop_record_stale) X(drop_hops) X(drop_duplicate) X(drop_no_route) \
    X(drop_reassembly) X(drop_reassembly_timeout) X(drop_queue_full) X(drop_nodes_full) \
    X(drop_announcements_full) X(drop_marks_full) X(drop_offers) X(drop_noise) X(drop_key) \
    X(drop_req_rate)
// clang-format on

enum class Counter : std::uint8_t {
#define X(name) name,
    MESHD_COUNTERS(X)
#undef X
        kCount
};

class Counters {
  public:
    void add(Counter counter, std::uint64_t by = 1) { values_[index(counter)] += by; }
    std::uint64_t operator[](Counter counter) const { return values_[index(counter)]; }

    static constexpr std::size_t size() { return static_cast<std::size_t>(Counter::kCount); }
    static std::string_view name(std::size_t index) {
        static constexpr std::array<std::string_view, size()> kNames = {
#define X(name) #name,
            MESHD_COUNTERS(X)
#undef X
        };
        return kNames[index];
    }
    std::uint64_t value(std::size_t index) const {
        return values_[index];
    }

  private:
    static constexpr std::size_t index(Counter counter) {
        return static_cast<std::size_t>(counter);
    }
    std::array<std::uint64_t, static_cast<std::size_t>(Counter::kCount)> values_{};
};

}  // namespace meshd
