// SPDX-License-Identifier: Apache-2.0
/// \file
/// All durable records that any box handed to its disk, and which disks hold them still. From them
/// follows what the mesh must show: a record that was written to a disk which lost nothing since
/// cannot be lost, whatever else happened.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/time.h"
#include "proto/store/record.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"

namespace meshd::sim {

struct KnownRecord {
    RecordHeader header;
    SharedBytes bytes;
    std::string key;    ///< entry_key() or shared_key(); an alert's id
    std::string value;  ///< an entry's metadata, a member's value, an alert; empty in a tombstone
    bool is_deleted = false;
    std::uint64_t ttl_ms = 0;
    TimePoint since;
    /// By host: its disk holds this record, or what made an end of it, and has lost nothing since.
    std::vector<bool> disks;
    /// By host: it had this record and one of its key that wins at the same time, or got the one
    /// while it had the other.
    std::set<Host> met_end;
    /// A disk dropped it without another of its key in its place, when one that wins was written
    /// already: a census has made an end of it, which outlives all disks that held the winner.
    bool is_ended = false;
};

std::string entry_key(std::string_view hash, const NodeId& owner);
std::string shared_key(const std::string& key);
/// Of two records of one key, the one that wins.
bool wins(const KnownRecord& a, const KnownRecord& b);

class Ledger {
  public:
    using Violation = std::function<void(std::string)>;

    Ledger(std::size_t hosts, Violation violation);

    void on_start(Host host);
    void on_persist(Host host, const Persist& persist, TimePoint now);
    void on_stored(Host host, const Persist& persist);
    void on_disk_changed(Host host, const DiskImage& image);

    const KnownRecord* find(StreamId stream, std::uint64_t counter) const;
    /// The newest record of the key with that value; null where none is known.
    const KnownRecord* find(const std::string& key, const std::string& value) const;
    /// The newest of the key that the present process of `host` handed to its disk or found there.
    const KnownRecord* held(Host host, const std::string& key) const;
    /// The newest of the key on the disk of `host`.
    const KnownRecord* stored(Host host, const std::string& key) const;
    /// True where `host`, by its disk, held the record and dropped it: superseded, or purged.
    bool has_dropped(Host host, const KnownRecord& record) const;
    /// True where the disk of `host` held the alert when its present process began.
    bool was_restored(Host host, const std::string& alert_id) const;

    using ByKey = std::map<std::string, std::vector<const KnownRecord*>>;
    const ByKey& keyed() const { return keyed_; }
    const std::vector<const KnownRecord*>& alerts() const { return alerts_; }

  private:
    using Newest = std::map<std::string, const KnownRecord*>;
    struct Box {
        Newest held;
        Newest stored;
        Newest rows;      ///< on the disk now; `stored` goes on with what was purged
        Newest restored;  ///< stored, when the present process began
        std::set<const KnownRecord*> dropped;
    };

    KnownRecord* note(Host host, const StoredRecord& stored, TimePoint now);
    void meet(Host host, KnownRecord& record);
    void drop_row(Host host, KnownRecord& record);
    static void raise(Newest& newest, const KnownRecord& record);

    std::vector<Box> boxes_;
    Violation violation_;
    std::map<std::pair<StreamId, std::uint64_t>, KnownRecord> records_;
    ByKey keyed_;
    std::vector<const KnownRecord*> alerts_;
};

}  // namespace meshd::sim
