// SPDX-License-Identifier: Apache-2.0
/// \file
/// What must hold of registry, shared state and alerts. All the time: what is said to be durable is
/// on disk; a version has one content; a process never shows less of a key than it once held, so
/// that deleted data do not come back; its own writes show at once; what expired is not shown;
/// quotas and bounds are kept; nothing on disk is told as new; subscribers miss nothing. After
/// quiet: all show the same, which is what the ledger says.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/sim/ledger.h"
#include "tests/sim/subscriber.h"
#include "tests/sim/world.h"

namespace meshd::sim {

class StoreChecks {
  public:
    StoreChecks(World& world, Ledger::Violation violation);

    void on_start(Host host);
    void on_stop(Host host);
    void on_command(Host host, RequestId request, const Command& command);
    void on_output(Host host, const Output& output);
    void on_persist(Host host, const Persist& persist);
    void on_stored(Host host, const Persist& persist);
    void on_disk_changed(Host host, const DiskImage& image);

    /// At the views of a running node.
    void look(Host host);
    /// First difference between what the members show, or between that and the ledger.
    std::string difference(const std::vector<Host>& members) const;

    /// For replicas out of room: they show less than they held.
    void allow_dropped_streams() { may_drop_streams_ = true; }
    const Ledger& ledger() const { return ledger_; }
    std::size_t durable_answers() const { return durable_answers_; }
    std::size_t puts() const { return puts_.size(); }

  private:
    struct Put {
        std::string key;
        std::string value;
        TimePoint when;
    };
    struct Box {
        Subscriber subscriber;
        std::uint64_t last_arrival = 0;
        unsigned looks = 0;
        std::set<std::string> mortal;                   ///< ids of alerts with a ttl that it told
        std::map<std::string, std::size_t> put_events;  ///< of the present process, by key
    };
    using Shown = std::map<std::string, std::string>;  ///< value by key

    void check_shown(Host host, const std::string& key, const std::string& value);
    void check_own_put(Host host, const PutEntries& put);
    void check_own_delete(Host host, const DeleteEntries& remove);
    void check_durable(Host host, const Put& put);
    void check_alert(Host host, const AlertView& alert);
    void check_age(Host host, const AlertView& alert);
    Shown shown(Host host, bool with_ttl) const;
    std::string difference_to_ledger(const std::vector<Host>& members, const Shown& shown) const;
    std::string lost_alert(const std::vector<Host>& members) const;
    bool is_on_disk(const KnownRecord& record, const std::vector<Host>& members) const;
    bool is_purged(const KnownRecord& record, const std::vector<Host>& members) const;
    bool may_have_expired(const KnownRecord& record) const;

    World& world_;
    Ledger::Violation violation_;
    Ledger ledger_;
    std::vector<Box> boxes_;
    std::map<std::tuple<Host, unsigned, RequestId>, std::vector<Put>> waiting_;
    std::map<std::string, TimePoint> puts_;                                ///< by value
    std::map<std::string, std::size_t> put_counts_;                        ///< by key
    std::map<std::tuple<Host, std::string, std::string>, TimePoint> odd_;  ///< seen first
    std::size_t durable_answers_ = 0;
    bool may_drop_streams_ = false;
};

/// All entries of the registry as a node shows them, without their embeddings.
std::vector<EntryView> all_entries(const Node& node, Now now);

}  // namespace meshd::sim
